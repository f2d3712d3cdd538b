"""The staff side on real rows, before a Temporal that is played: what it answers is the test's to say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from plixo.config import Settings
from plixo.domain.credit import CreditForm
from plixo.domain.decision import Verdict
from plixo.messages.approvals import ApprovalRequest, Decide, Decided, Recorded, Step
from plixo.policy.published import load_policy
from plixo.store import policies
from starters.amending import AmendForm, amend
from starters.credits import Asked, request_credit
from starters.decisions import Answer, Saying, decide
from starters.desk import Desk
from starters.trust import Trust
from tests.support.rows import PlayedStripe, Rows, open_rows


def away(status: RPCStatusCode = RPCStatusCode.UNAVAILABLE) -> RPCError:
    return RPCError("played", status, b"")


@dataclass
class PlayedTemporal:
    """Starts, updates and signals as far as starters see them; what arrives is done by the real activities.

    Attributes:
        rows: Where the activities work.
        starting: Raised instead of a start.
        updating: Raised instead of an update's answer; with `reached` the update is carried out all the same.
        signalling: Raised instead of a signal.
        querying: Raised instead of a query's answer, which is that nothing was taken up.
        calls: How many starts and signals were tried.
        closed: Workflows that were started and have closed.
    """

    rows: Rows
    starting: BaseException | None = None
    updating: BaseException | None = None
    signalling: BaseException | None = None
    querying: BaseException | None = None
    reached: bool = False
    calls: int = 0
    started: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    updates: list[str] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)

    async def start_workflow(self, _run: Any, request: ApprovalRequest, *, id: str, **options: Any) -> None:  # noqa: A002
        self.calls += 1
        if self.starting:
            raise self.starting
        again = options["id_reuse_policy"] is WorkflowIDReusePolicy.ALLOW_DUPLICATE and id in self.closed
        if id in self.started and not again:
            raise WorkflowAlreadyStartedError(id, "ApprovalWorkflow")
        self.started.append(id)
        await self.rows.approvals.open(Step(request.approval_id))

    def get_workflow_handle(self, workflow_id: str) -> "PlayedHandle":
        return PlayedHandle(self, workflow_id)


@dataclass
class PlayedHandle:
    """One workflow."""

    temporal: PlayedTemporal
    workflow_id: str

    async def execute_update(self, _update: Callable[..., Any], message: Decide, *, id: str, **_: Any) -> Recorded:  # noqa: A002
        played = self.temporal
        played.updates.append(id)
        answer = None
        if played.reached or not played.updating:
            answer = await played.rows.approvals.record(message)
        if played.updating:
            raise played.updating
        assert answer is not None
        return answer

    async def describe(self) -> Any:
        raise away(RPCStatusCode.NOT_FOUND)

    async def signal(self, signal: Callable[..., Any], _message: Decide) -> None:
        self.temporal.calls += 1
        self.temporal.signals.append(signal.__name__)
        if self.temporal.signalling:
            raise self.temporal.signalling

    async def query(self, _query: Callable[..., Any]) -> Decided:
        if self.temporal.querying:
            raise self.temporal.querying
        return Decided()


@dataclass
class Office:
    """The staff side at work."""

    rows: Rows
    stripe: PlayedStripe
    temporal: PlayedTemporal
    desk: Desk

    async def ask(self, amount: str = "4200.00", role: str = "billing_admin", **fields: str) -> Asked:
        self.rows.asked += 1
        usual = CreditForm(
            customer="cus_ExampleLogistics",
            amount=amount,
            currency="USD",
            reason="service_outage",
            request_id=f"r-{self.rows.asked}",
            note="The outage of May.",
        )
        return await request_credit(self.desk, self.rows.people[role], replace(usual, **fields))

    async def asked(self, *args: Any, **fields: Any) -> str:
        """Asks; the request's id."""
        return (await self.ask(*args, **fields)).record.approval.approval_id

    async def decide(
        self,
        approval_id: str,
        role: str = "controller",
        verdict: str = "approve",
        comment: str = "because",
        signed_in: datetime | None = None,
        *,
        amount: str = "",
    ) -> Answer:
        saying = Saying(self.rows.people[role], Verdict(verdict), comment, signed_in or self.rows.clock(), amount)
        return await decide(self.desk, approval_id, saying)

    async def amend(
        self, approval_id: str, role: str = "billing_admin", comment: str = "because", **typed: Any
    ) -> Answer:
        saying = Saying(self.rows.people[role], Verdict.AMEND, comment, self.rows.clock())
        return await amend(self.desk, approval_id, saying, AmendForm(**typed))


@asynccontextmanager
async def open_office(url: str) -> AsyncIterator[Office]:
    """A migrated database with people and the published policy."""
    async with open_rows(url) as rows:
        folder = load_policy(Settings().policies)
        async with rows.ledger.begin() as tx:
            await policies.publish_shipped(tx.session, folder.hash, folder.content, rows.clock())
        stripe, temporal = PlayedStripe(), PlayedTemporal(rows)
        trust = Trust(rows.verifier, folder.hash)
        client = cast("Client", temporal)
        yield Office(rows, stripe, temporal, Desk(rows.ledger, stripe, folder, rows.signer, client, rows.clock, trust))


def later(office: Office, **how_long: float) -> Callable[[], datetime]:
    """A clock that runs ahead of the office's."""
    return lambda: office.rows.clock() + timedelta(**how_long)


async def together(*calls: Any) -> list[Any]:
    """All at once; what each answered or raised."""
    return list(await asyncio.gather(*calls, return_exceptions=True))
