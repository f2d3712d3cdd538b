"""The worker process: every task queue, the outbox relay, the sweeper and the reconciler, until it is asked to stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from plixo.bootstrap import Workshop, now, open_workshop
from plixo.collecting import settle_in
from plixo.config import Settings
from plixo.loops import until_stopped
from plixo.messages.approvals import APPROVALS_QUEUE, STRIPE_QUEUE
from plixo.temporal.versions import deployment
from workers.logs import configure_logs
from workers.reconciler import PAUSE_SECONDS as LOOK_PAUSE
from workers.reconciler import Reconciler
from workers.relay import PAUSE_SECONDS as RELAY_PAUSE
from workers.relay import relay_what_gathered
from workers.sandbox import SANDBOX
from workers.stand_ins import PAUSE_SECONDS as STAND_INS_PAUSE
from workers.stand_ins import StandIns
from workers.sweeper import PAUSE_SECONDS as SWEEP_PAUSE
from workers.sweeper import Sweeper
from workflows.approval import ApprovalWorkflow
from workflows.checkpoint import CheckpointWorkflow
from workflows.credit_approval import CreditApprovalWorkflow
from workflows.digest import DigestWorkflow

STICKY_TIMEOUT: Final = timedelta(seconds=2)
"""How long a workflow's next step waits for the worker that remembers it; when that one was killed, every decision
waits this long, and at the default of 10 s longer than a person does."""

DATABASE_AT_ONCE: Final = 8
"""Database activities at a time. More would be no faster and wait in here, where nothing goes before anything else; in
Temporal's queue they wait in order of priority. Fewer would leave no room for those that need no queue."""

MONEY_AT_ONCE: Final = 8
"""Effects at a time, for the same reason: so many, of three calls and about a second each, use up Stripe's rate."""

STEPS_AT_ONCE: Final = 8
"""Workflow tasks at a time, decisions being recorded among them; for the same reason."""

ACTIVITY_POLLERS: Final = PollerBehaviorAutoscaling(minimum=1, maximum=2, initial=1)
"""Each open poll keeps a slot. As many polls as slots would leave none for an activity that comes with the answer to
its workflow task, and it would go through the queue: two writes and three calls of the server's for nothing."""

log = logging.getLogger(__name__)


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then let what is under way finish."""
    configure_logs(dev=settings.dev)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_workshop(settings) as workshop, working(workshop):
        settle_in()
        build = f", build {settings.build}" if settings.build else ""
        print(f"worker polling {APPROVALS_QUEUE}, {STRIPE_QUEUE}{build}", flush=True)  # noqa: T201 - who waits reads it
        await stop.wait()
        log.info("stopping: finishing what is under way")


@asynccontextmanager
async def working(workshop: Workshop) -> AsyncIterator[None]:
    """Poll every queue, relay mails, sweep and reconcile for as long as the block lasts."""

    async def relay() -> int:
        return await relay_what_gathered(workshop.ledger, workshop.post_office, now)

    sweeper = Sweeper(workshop.ledger, workshop.temporal, now)
    reconciler = Reconciler(workshop.ledger, workshop.temporal, now)

    async def sweep() -> int:
        await sweeper.sweep()
        return 0  # what was sent needs time to be taken up, so a sweep is always followed by a rest

    async def reconcile() -> int:
        await reconciler.look()
        return 0

    stand_ins = StandIns(workshop.ledger, now)

    async def tell_stand_ins() -> int:
        await stand_ins.look()
        return 0

    stopping = asyncio.Event()
    async with (
        approvals_worker(workshop.temporal, workshop),
        stripe_worker(workshop.stripe_client, workshop),
        asyncio.TaskGroup() as loops,
    ):
        loops.create_task(until_stopped("outbox relay", relay, RELAY_PAUSE, stopping))
        loops.create_task(until_stopped("sweeper", sweep, SWEEP_PAUSE, stopping))
        loops.create_task(until_stopped("reconciler", reconcile, LOOK_PAUSE, stopping))
        loops.create_task(until_stopped("stand-ins", tell_stand_ins, STAND_INS_PAUSE, stopping))
        try:
            yield
        finally:
            stopping.set()


def approvals_worker(client: Client, workshop: Workshop) -> Worker:
    """Workflows, and the activities that need the database alone."""
    activities = workshop.approvals
    return Worker(
        client,
        task_queue=APPROVALS_QUEUE,
        workflows=[ApprovalWorkflow, CreditApprovalWorkflow, CheckpointWorkflow, DigestWorkflow],
        workflow_runner=SANDBOX,
        activities=[
            activities.open,
            activities.record,
            activities.remind,
            activities.escalate,
            activities.expire,
            workshop.audit.ask_for_checkpoint,
            workshop.digests.write_digest,
        ],
        max_concurrent_activities=DATABASE_AT_ONCE,
        max_concurrent_workflow_tasks=STEPS_AT_ONCE,
        max_cached_workflows=workshop.settings.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=ACTIVITY_POLLERS,
        graceful_shutdown_timeout=timedelta(seconds=workshop.settings.grace_seconds),
        deployment_config=deployment(workshop.settings.build),
    )


def stripe_worker(client: Client, workshop: Workshop) -> Worker:
    """The activities that move money."""
    return Worker(
        client,
        task_queue=STRIPE_QUEUE,
        activities=[workshop.effects.execute],
        max_concurrent_activities=MONEY_AT_ONCE,
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=timedelta(seconds=workshop.settings.grace_seconds),
        deployment_config=deployment(workshop.settings.build),
    )
