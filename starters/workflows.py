"""Starting an approval's workflow. Starting twice is the same as starting once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from plixo.domain.approval import State
from plixo.domain.ids import fairness_key, workflow_of
from plixo.messages.approvals import APPROVALS_QUEUE, ApprovalRequest
from plixo.ports import Record
from workflows import attributes
from workflows.approval import ApprovalWorkflow

AWAY: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
    },
)
"""What Temporal answers while it is away or busy: the same call may succeed later."""

START_SECONDS: Final = 3.0
"""How long a start may take before it is left to the sweeper: what is stored must not keep a person waiting."""

FIRST: Final = 3
"""Priority of a request that somebody made by itself: the server's middle one."""

AFTER: Final = 4
"""Priority of one of many: it is taken up once nothing of a higher one waits."""

log = logging.getLogger(__name__)


class TemporalAway(Exception):
    """Temporal cannot be reached or is busy; what was stored is sent again later."""


@asynccontextmanager
async def reaching(seconds: float) -> AsyncIterator[None]:
    """Bounds a call to Temporal, whose client goes on trying for some ten seconds by itself.

    Args:
        seconds: How long the call may take, all its tries together.

    Raises:
        TemporalAway: It cannot be reached, or not within that time.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as failure:
        raise TemporalAway("no answer in time") from failure
    except RPCError as failure:
        if failure.status not in AWAY:
            raise
        raise TemporalAway(failure.status.name) from failure
    except RuntimeError as failure:
        if "client connect" not in str(failure):  # what a client that never had a connection says of it
            raise
        raise TemporalAway("no connection") from failure


async def ensure_started(temporal: Client, record: Record, *, again: bool = False) -> bool:
    """Start the request's workflow unless it was started before.

    Args:
        temporal: Where workflows run.
        record: Nothing happens unless it still waits to be opened.
        again: Also where a workflow of its name has closed: whatever that was, it did not open the request.

    Returns:
        Whether it is started now; False when Temporal could not be reached, or lacks what an upgrade set up, and the
        sweeper has to try again.
    """
    if record.approval.state is not State.ROUTING:
        return True
    try:
        async with reaching(START_SECONDS):
            await start(temporal, record, again=again)
    except TemporalAway as failure:
        log.warning("Temporal is away; the sweeper will start the request: %s", failure)
        return False
    except RPCError as failure:
        if again or failure.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        log.warning("Temporal does not take the request; `plixo temporal setup` may be missing: %s", failure.message)
        return False
    return True


async def start(temporal: Client, record: Record, *, again: bool) -> None:
    """Start the request's workflow; one that runs already stays as it is.

    Args:
        temporal: Where workflows run.
        record: The request; its first step takes it up wherever its rows say that it stands.
        again: Start a new run where an earlier one has closed.
    """
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
    with suppress(WorkflowAlreadyStartedError):
        await _start(temporal, record, reuse)


async def _start(temporal: Client, record: Record, reuse: WorkflowIDReusePolicy) -> None:
    await temporal.start_workflow(
        ApprovalWorkflow.run,
        ApprovalRequest(record.approval.approval_id),
        id=workflow_of(record.approval.approval_id),
        task_queue=APPROVALS_QUEUE,
        id_reuse_policy=reuse,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        static_summary=summary(record),
        static_details=f"{record.change.reason.label}; {record.approval.path.why}",
        search_attributes=TypedSearchAttributes(_found_by(record)),
        priority=priority(record),
    )


def _found_by(record: Record) -> list[SearchAttributePair[str]]:
    lane = [SearchAttributePair(attributes.LANE, "import")] if record.bulk else []
    return [SearchAttributePair(attributes.KIND, record.change.kind), *lane]


def priority(record: Record) -> Priority:
    """When the request's tasks have their turn: one of many after all others, and customers by turns.

    Its activities inherit it, so it holds all the way to Stripe.
    """
    return Priority(AFTER if record.bulk else FIRST, fairness_key(record.change.customer_id))


def summary(record: Record) -> str:
    """One line for Temporal UI, such as `Credit 4,200.00 USD, Example Logistics`; at most 200 bytes."""
    words = f"{record.change.kind.capitalize()} {record.change.amount}, {record.customer_name}"
    return words.encode()[:200].decode(errors="ignore")
