"""Workers on a Temporal of the tests' own, with the real activities on real rows before a Stripe that is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from demo.waiting import until
from plixo.domain.approval import State
from plixo.messages.approvals import APPROVALS_QUEUE, STRIPE_QUEUE, ApprovalOutcome, ApprovalRequest
from tests.support.rows import PlayedStripe, Rows
from workflows.approval import ApprovalWorkflow

Handle = WorkflowHandle[ApprovalWorkflow, ApprovalOutcome]


@asynccontextmanager
async def at_work(client: Client, rows: Rows, stripe: PlayedStripe) -> AsyncIterator[None]:
    """Both queues are polled for as long as the block lasts."""
    acts = rows.approvals
    async with (
        Worker(
            client,
            task_queue=APPROVALS_QUEUE,
            workflows=[ApprovalWorkflow],
            activities=[acts.open, acts.record, acts.remind, acts.escalate, acts.expire],
        ),
        Worker(client, task_queue=STRIPE_QUEUE, activities=[rows.effects(stripe).execute]),
    ):
        yield


async def start(client: Client, approval_id: str) -> Handle:
    return await client.start_workflow(
        ApprovalWorkflow.run,
        ApprovalRequest(approval_id),
        id=f"credit/{approval_id}",
        task_queue=APPROVALS_QUEUE,
    )


async def settled(rows: Rows, approval_id: str, state: State) -> None:
    """Waits until the workers have come that far."""

    async def there() -> bool:
        return await rows.state(approval_id) is state

    await until(f"{approval_id} to be {state}", there)
