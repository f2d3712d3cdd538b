"""Never lost, never doubled: the same decision by every way at once, and decisions in the worst moments."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import cast

import pytest
from temporalio import activity
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from activities.approvals import ApprovalActivities
from demo.parts import Part
from demo.preparing import wait_for_temporal
from demo.waiting import until
from plixo.domain import ids
from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.mandate import decision_claims
from plixo.mail.post_office import PostOffice
from plixo.messages.approvals import Decide, Recorded
from plixo.ports import Letter, Record
from plixo.store import approvals, decisions
from starters.credits import Asked
from starters.decisions import Saying, _sign
from tests.support.forging import Forger
from tests.support.house import House
from workers.main import approvals_worker, working
from workers.reconciler import GRACE, Reconciler
from workflows.approval import ApprovalWorkflow


async def by_update(house: House, message: Decide) -> None:
    """Temporal takes ten at a time and turns the others away after a while; on a busy machine a recording may fail."""
    handle = house.workshop.temporal.get_workflow_handle(f"credit/{message.approval_id}")
    with suppress(RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError):
        await handle.execute_update(ApprovalWorkflow.decide, message)


async def by_signal(house: House, message: Decide) -> None:
    handle = house.workshop.temporal.get_workflow_handle(f"credit/{message.approval_id}")
    with suppress(RPCError):  # it is not started yet, or it is over
        await handle.signal(ApprovalWorkflow.submit_decision, message)


Way = Callable[[House, Decide], Awaitable[None]]


async def once(house: House, asked: Asked) -> None:
    """It was decided by one decision, which stands once, and applied once."""
    record = await house.until_ended(asked)
    events = [line.event for line in await house.trail(record.approval.approval_id)]
    assert record.approval.state is State.EXECUTED
    assert [known.person_id for known in record.approval.decisions] == ["p-controller"]
    assert [events.count(one) for one in ("decision_recorded", "effect_intended", "effect_done")] == [1, 1, 1]
    assert len(await house.ledger(asked)) == 1


async def test_the_same_decision_by_every_way_at_once_is_one(either_house: House) -> None:
    house = either_house
    asked = await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    message = Decide(asked.record.approval.approval_id, await _signed(house, asked))
    calls: list[Awaitable[object]] = []
    for _ in range(10):
        calls += [house.decide(asked, "controller"), by_update(house, message)]
        calls += [by_signal(house, message) for _ in range(8)]
    await asyncio.gather(*calls)

    async def taken() -> bool:
        return bool((await house.record(asked)).approval.decisions)

    await until("the decision to be taken", taken)
    half = await house.record(asked)
    assert [known.decision_id for known in half.approval.decisions] == [message.decision_id]
    await house.decide(asked, "legal")
    record = await house.until_ended(asked)
    events = [line.event for line in await house.trail(record.approval.approval_id)]
    assert (events.count("decision_signed"), events.count("decision_recorded")) == (2, 2)
    assert len(await house.ledger(asked)) == 1


async def test_a_decision_in_the_moment_of_the_start_is_taken_up_once(house: House) -> None:
    """It is signed before the workflow is there, and sent from before its start until it is taken."""
    for way in (by_update, by_signal):
        request_id = f"in-the-moment-{way.__name__}"
        approval_id = ids.approval_id("CR", house.people["billing_admin"].person_id, request_id)
        asking = house.ask("700.00", reason="goodwill", request_id=request_id)
        asked, _ = await asyncio.gather(asking, _decide_early(house, approval_id, way))
        await once(house, asked)


async def test_a_decision_while_its_mail_is_being_sent_is_taken_up_and_the_mail_leaves_once(idle_house: House) -> None:
    slow = _SlowPost(idle_house.workshop.post_office)
    house = replace(idle_house, workshop=replace(idle_house.workshop, post_office=cast("PostOffice", slow)))
    async with working(house.workshop):
        asked = await house.ask("700.00", reason="goodwill")
        await asyncio.wait_for(slow.sending.wait(), 20)
        assert (await house.decide(asked, "controller")).answer == "accepted"
        slow.go_on.set()
        await once(house, asked)
        await until("the mails", slow.idle)
    assert len(slow.sent) == len(set(slow.sent)) == 2, "it was asked for, and it was applied"


@pytest.mark.parametrize(("verdict", "end"), [("approve", State.EXECUTED), ("reject", State.REJECTED)])
async def test_a_decision_recorded_as_server_worker_and_client_died_is_not_forgotten(
    idle_house: House, verdict: str, end: State
) -> None:
    """The rows say approved or rejected; an update that the server had not kept yet is lost with it."""
    house, server = idle_house, idle_house.stack.temporal
    acts = house.workshop.approvals
    dying = Dying(acts.ledger, acts.verifier, acts.clock, acts.calendars, server)
    async with working(replace(house.workshop, approvals=dying)):
        asked = await house.ask("700.00", reason="goodwill")
        await house.until_waiting(asked)
        await house.decide(asked, "controller", verdict)
    assert (await house.record(asked)).approval.state in {State.APPROVED, State.REJECTED}
    await server.start()
    await wait_for_temporal(server, house.settings.temporal_address)
    async with working(house.workshop):
        ahead = Reconciler(house.workshop.ledger, house.workshop.temporal, lambda: house.desk.clock() + 2 * GRACE)

        async def ended() -> bool:
            await ahead.look()
            return (await house.workflow(asked).describe()).status is WorkflowExecutionStatus.COMPLETED

        await until("the reconciler to find it", ended)
        assert (await house.record(asked)).approval.state is end
        assert len(await house.ledger(asked)) == (end is State.EXECUTED)


async def test_what_waits_to_be_applied_is_not_told_again(idle_house: House) -> None:
    """The money queue is held: its workflow knows that it is approved, and needs nobody's push."""
    house = idle_house
    async with approvals_worker(house.workshop.temporal, house.workshop):
        asked = await house.ask("700.00", reason="goodwill")
        await house.until_waiting(asked)
        await house.decide(asked, "controller")
        await until("the money to be asked for", lambda: _waits_for_money(house, asked))
    ahead = Reconciler(house.workshop.ledger, house.workshop.temporal, lambda: house.desk.clock() + 2 * GRACE)
    assert await ahead.look() == 0
    assert "WORKFLOW_EXECUTION_SIGNALED" not in await house.events(asked)
    async with working(house.workshop):
        await once(house, asked)


@dataclass(frozen=True)
class Dying(ApprovalActivities):
    """Records a decision, and then everything dies before anybody is told.

    Attributes:
        server: Dies first.
    """

    server: Part

    @activity.defn(name="record_decision")
    async def record(self, ask: Decide) -> Recorded:
        answer = await super().record(ask)
        await self.server.kill()
        return answer


class _SlowPost:
    """A relay that takes its time over the first mail."""

    def __init__(self, real: PostOffice) -> None:
        self._real = real
        self.sending, self.go_on = asyncio.Event(), asyncio.Event()
        self.sent: list[str] = []

    @asynccontextmanager
    async def round(self) -> AsyncIterator["_SlowPost"]:
        yield self

    async def send(self, letter: Letter) -> None:
        self.sending.set()
        await self.go_on.wait()
        self.sent.append(letter.key)
        async with self._real.round() as carried:
            await carried.send(letter)

    async def idle(self) -> bool:
        return len(self.sent) == 2


async def _waits_for_money(house: House, asked: Asked) -> bool:
    return bool((await house.workflow(asked).describe()).raw_description.pending_activities)


async def _decide_early(house: House, approval_id: str, way: Way) -> None:
    row = await until("the row", lambda: _row(house, approval_id))
    message = Decide(approval_id, await _store(house, row))

    async def taken() -> bool:
        await way(house, message)
        found = await _row(house, approval_id)
        return bool(found and found.approval.decisions)

    await until("the decision to be taken", taken, every=0.001)


async def _signed(house: House, asked: Asked) -> str:
    """A decision that is kept while Temporal was not told of it; its id."""
    saying = Saying(house.people["controller"], Verdict.APPROVE, "because", house.desk.clock())
    async with house.desk.ledger.begin() as tx:
        return await _sign(house.desk, tx, await house.record(asked), saying)


async def _row(house: House, approval_id: str) -> Record | None:
    async with house.desk.ledger.read() as session:
        return await approvals.load(session, approval_id, lock=False)


async def _store(house: House, record: Record) -> str:
    early = Forger(house.desk, record, record).genuine(decision_id=f"DE-{record.approval.approval_id[-6:]}")
    signed = house.desk.signer.sign("decision", decision_claims(early), now=house.desk.clock())
    async with house.desk.ledger.begin() as tx:
        await decisions.insert(tx.session, early, signed, house.desk.clock())
    return early.decision_id
