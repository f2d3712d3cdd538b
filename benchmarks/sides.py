"""The two that are measured: the product's credit with one approver, and the floor. Both are driven the same way."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from temporalio.client import Client, WorkflowHandle

from benchmarks.bare import QUEUE, Bare, BareWorkflow
from plixo.domain.credit import CreditForm
from plixo.domain.decision import Verdict
from plixo.domain.ids import workflow_of
from plixo.domain.people import Person
from starters.credits import request_credit
from starters.decisions import Saying, decide
from starters.desk import Desk

ANSWER: Final = timedelta(seconds=60)
"""How long a driver waits for one answer; a machine that is this slow measures nothing."""


class Failed(Exception):
    """Something did not end as it must, so there is nothing to measure."""


class Side(Protocol):
    """One of the two."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    @property
    def waiting(self) -> str:
        """Finds, in Temporal's visibility, what waits for a decision now."""
        ...

    async def ask(self) -> str:
        """Make one request; its workflow's id."""
        ...

    async def decide(self, workflow_id: str) -> None:
        """Approve it, and have the answer."""
        ...

    async def ended(self, workflow_id: str) -> None:
        """Wait until it is executed."""
        ...


@dataclass
class BareSide:
    """The floor."""

    temporal: Client
    tag: str
    name: str = "bare"
    waiting: str = "WorkflowType = 'BareWorkflow' AND ExecutionStatus = 'Running' AND PlixoWaitsFor = 'controller'"
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def ask(self) -> str:
        """Start one."""
        key = f"bare/{self.tag}-{next(self._numbers)}"
        await self.temporal.start_workflow(BareWorkflow.run, Bare(key), id=key, task_queue=QUEUE)
        return key

    async def decide(self, workflow_id: str) -> None:
        """One update."""
        handle = self.temporal.get_workflow_handle(workflow_id)
        await handle.execute_update(BareWorkflow.decide, Bare(workflow_id), id=f"{workflow_id}/1", rpc_timeout=ANSWER)

    async def ended(self, workflow_id: str) -> None:
        """Its result."""
        await _result(self.temporal, workflow_id)


@dataclass
class CreditSide:
    """The product: asked and decided by the same functions that the console, the API and the command line call.

    Attributes:
        desk: The staff side.
        requester: Asks.
        approver: Decides.
        invoices: Customers and their invoices; each request takes the next.
        tag: Keeps the request ids of two runs apart.
    """

    desk: Desk
    requester: Person
    approver: Person
    invoices: Sequence[tuple[str, str]]
    tag: str
    name: str = "credit"
    waiting: str = "WorkflowType = 'ApprovalWorkflow' AND ExecutionStatus = 'Running' AND PlixoWaitsFor = 'controller'"
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def form(self) -> CreditForm:
        """One dollar off the next invoice, for a reason that always needs the Controller."""
        number = next(self._numbers)
        customer, invoice = self.invoices[number % len(self.invoices)]
        return CreditForm(
            customer=customer,
            invoice=invoice,
            amount="1.00",
            currency="USD",
            reason="other",
            note="Measured: a credit that one person approves.",
            request_id=f"{self.tag}-{number}",
        )

    async def ask(self) -> str:
        """Ask for it."""
        asked = await request_credit(self.desk, self.requester, self.form())
        if not asked.started:
            raise Failed(f"{asked.record.approval.approval_id} was not started: Temporal is away")
        return workflow_of(asked.record.approval.approval_id)

    async def decide(self, workflow_id: str) -> None:
        """Approve as the Controller."""
        saying = Saying(self.approver, Verdict.APPROVE, "", self.desk.clock())
        answer = await decide(self.desk, workflow_id.partition("/")[2], saying)
        if answer.answer not in {"accepted", "kept"}:
            raise Failed(f"{workflow_id}: the decision was {answer.answer}: {answer.why}")

    async def ended(self, workflow_id: str) -> None:
        """Executed in Stripe, or there is nothing to measure."""
        outcome = await _result(self.desk.temporal, workflow_id)
        state = outcome.get("state") if isinstance(outcome, dict) else None
        if state != "executed":
            raise Failed(f"{workflow_id} ended {state}")


async def _result(temporal: Client, workflow_id: str) -> object:
    handle: WorkflowHandle[object, object] = temporal.get_workflow_handle(workflow_id)
    return await handle.result(rpc_timeout=ANSWER)
