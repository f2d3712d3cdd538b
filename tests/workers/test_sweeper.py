"""The sweeper: whatever was stored and not taken reaches its workflow, and one bad row holds up nobody."""

from datetime import timedelta

import pytest
from temporalio.service import RPCStatusCode

from demo.preparing import wait_for_temporal
from plixo.domain.approval import State, Verdict
from plixo.messages.approvals import Decide
from starters.decisions import Saying, _sign
from tests.support.desk import Office, away, later
from tests.support.house import House
from workers.main import working
from workers.sweeper import GRACE, sweep_once


async def sweep(office: Office, **ahead: float) -> int:
    return await sweep_once(office.rows.ledger, office.desk.temporal, later(office, **(ahead or {"minutes": 1})))


async def test_there_is_nothing_to_sweep_where_everything_was_taken(office: Office) -> None:
    approval_id = await office.asked()
    await office.decide(approval_id)
    assert await sweep(office) == 0


async def test_a_stored_decision_that_was_never_sent_is_sent_as_what_it_is(office: Office) -> None:
    first, second = await office.asked(), await office.asked()
    await office.rows.say(first, "controller")
    await office.rows.say(second, "billing_admin", "withdraw")
    assert await sweep(office) == 2
    assert sorted(office.temporal.signals) == ["submit_decision", "submit_withdrawal"]


async def test_the_console_has_a_moment_to_send_it_itself(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.say(approval_id, "controller")
    assert await sweep(office, seconds=GRACE.total_seconds()) == 0
    assert await sweep(office, seconds=GRACE.total_seconds() + 0.001) == 1


async def test_what_temporal_refuses_for_good_holds_up_nobody_else(office: Office) -> None:
    office.temporal.starting = away()
    stuck, fine = await office.asked(), await office.asked()
    start = office.temporal.start_workflow

    async def refuses_one(run: object, request: object, **options: object) -> None:
        if getattr(request, "approval_id", "") == stuck:
            raise away(RPCStatusCode.INVALID_ARGUMENT)
        await start(run, request, **options)  # type: ignore[arg-type]

    office.temporal.starting = None
    office.temporal.start_workflow = refuses_one  # type: ignore[assignment, method-assign]
    await office.rows.say(fine, "controller", stage=0)
    await sweep(office)
    assert (await office.rows.state(stuck), await office.rows.state(fine)) == (State.ROUTING, State.WAITING)
    assert office.temporal.signals == ["submit_decision"]


@pytest.mark.parametrize("what", ["starting", "signalling"])
async def test_while_temporal_is_away_a_sweep_ends_at_its_first_call(office: Office, what: str) -> None:
    if what == "starting":
        office.temporal.starting = away()
    ids = [await office.asked() for _ in range(4)]
    if what == "signalling":
        for approval_id in ids:
            await office.rows.say(approval_id, "controller")
        office.temporal.signalling = away()
    office.temporal.calls = 0
    assert await sweep(office) == 0
    assert office.temporal.calls == 1


async def test_a_request_stored_and_a_decision_stored_while_nobody_was_there_reach_stripe(idle_house: House) -> None:
    """The console died twice: after it had stored the request, and after it had stored the decision."""
    house = idle_house
    await house.stack.temporal.kill()
    asked = await house.ask()
    assert (asked.created, asked.started) == (True, False)
    await house.stack.temporal.start()
    await wait_for_temporal(house.stack.temporal, house.settings.temporal_address)
    ahead = house.desk.clock() + timedelta(minutes=1)
    async with working(house.workshop):
        await sweep_once(house.workshop.ledger, house.workshop.temporal, lambda: ahead)
        await house.until_waiting(asked)
        saying = Saying(house.people["controller"], Verdict.APPROVE, "", house.desk.clock())
        async with house.desk.ledger.begin() as tx:
            record = await tx.approval(asked.record.approval.approval_id)
            assert record is not None
            await _sign(house.desk, tx, record, saying)
        await sweep_once(house.workshop.ledger, house.workshop.temporal, lambda: ahead)
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert len(await house.ledger(asked)) == 1


@pytest.mark.parametrize(
    ("role", "verdict", "ends"),
    [
        ("controller", "approve", State.EXECUTED),
        ("controller", "reject", State.REJECTED),
        ("billing_admin", "withdraw", State.WITHDRAWN),
    ],
)
async def test_a_decision_that_was_recorded_and_that_temporal_forgot_is_told_again(
    house: House, role: str, verdict: str, ends: State
) -> None:
    """The server died between the record and its own note of it, and the update with it."""
    asked = await house.ask()
    approval_id = (await house.until_waiting(asked)).approval.approval_id
    saying = Saying(house.people[role], Verdict(verdict), "because", house.desk.clock())
    async with house.desk.ledger.begin() as tx:
        record = await tx.approval(approval_id)
        assert record is not None
        decision_id = await _sign(house.desk, tx, record, saying)
    await house.workshop.approvals.record(Decide(approval_id, decision_id))
    ahead = house.desk.clock() + timedelta(minutes=1)
    assert await sweep_once(house.workshop.ledger, house.workshop.temporal, lambda: ahead) == 1
    assert (await house.until_ended(asked)).approval.state is ends
    assert await sweep_once(house.workshop.ledger, house.workshop.temporal, lambda: ahead) == 1, "it says that it knows"
    assert await sweep_once(house.workshop.ledger, house.workshop.temporal, lambda: ahead) == 0


async def test_a_decision_whose_workflow_has_ended_without_it_needs_no_telling(office: Office) -> None:
    approval_id = await office.asked()
    await _recorded_and_forgotten(office, approval_id)
    office.temporal.querying = office.temporal.signalling = away(RPCStatusCode.NOT_FOUND)
    assert await sweep(office) == 1
    assert await sweep(office) == 0


async def test_a_workflow_that_cannot_be_asked_is_asked_again(office: Office) -> None:
    approval_id = await office.asked()
    await _recorded_and_forgotten(office, approval_id)
    office.temporal.querying = away()
    assert (await sweep(office), await sweep(office)) == (0, 0)
    assert office.temporal.signals == []
    office.temporal.querying = None
    assert await sweep(office) == 1
    assert office.temporal.signals == ["submit_decision"]


async def _recorded_and_forgotten(office: Office, approval_id: str) -> None:
    await office.rows.approvals.record(Decide(approval_id, await office.rows.say(approval_id, "controller")))
