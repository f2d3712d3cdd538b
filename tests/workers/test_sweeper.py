"""The sweeper: whatever was stored and not taken reaches its workflow, and one bad row holds up nobody."""

from datetime import timedelta

import pytest
from temporalio.service import RPCStatusCode
from temporalio.testing import ActivityEnvironment

from demo.preparing import wait_for_temporal
from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.messages.approvals import Step
from starters.decisions import Saying, _sign
from tests.support.desk import Office, away, later
from tests.support.house import House
from tests.support.rows import tamper
from workers.main import working
from workers.sweeper import GRACE, Sweeper


async def sweep(office: Office, **ahead: float) -> int:
    return await Sweeper(office.rows.ledger, office.desk.temporal, later(office, **(ahead or {"minutes": 1}))).sweep()


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


async def test_what_is_not_taken_is_sent_less_and_less_often(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.say(approval_id, "controller")
    sweeper = Sweeper(office.rows.ledger, office.desk.temporal, office.rows.clock)
    office.rows.clock.forward(minutes=1)
    sent = []
    for _ in range(24):
        sent.append(await sweeper.sweep())
        office.rows.clock.forward(seconds=5)
    assert [place * 5 for place, one in enumerate(sent) if one] == [0, 10, 30, 70]
    office.rows.clock.forward(hours=1)
    for _ in range(20):
        await sweeper.sweep()
        office.rows.clock.forward(minutes=10)
    assert len(office.temporal.signals) == 4 + 20, "and never less often than every ten minutes"


async def test_a_clock_that_is_set_back_keeps_nothing_waiting(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.say(approval_id, "controller")
    sweeper = Sweeper(office.rows.ledger, office.desk.temporal, office.rows.clock)
    office.rows.clock.forward(days=1)
    assert await sweeper.sweep() == 1
    office.rows.clock.forward(hours=-23)
    assert [await sweeper.sweep(), await sweeper.sweep()] == [1, 0]


async def test_a_new_process_sends_at_once_what_the_one_before_it_was_patient_with(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.say(approval_id, "controller")
    for _ in range(3):
        assert await sweep(office) == 1


async def test_what_could_not_be_sent_is_sent_as_soon_as_temporal_is_back(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.say(approval_id, "controller")
    sweeper = Sweeper(office.rows.ledger, office.desk.temporal, later(office, minutes=1))
    office.temporal.signalling = away()
    assert (await sweeper.sweep(), await sweeper.sweep()) == (0, 0)
    office.temporal.signalling = None
    assert await sweeper.sweep() == 1


@pytest.mark.parametrize("ending", ["reject", "withdraw", "expire", "facts", "apply"])
async def test_a_decision_on_what_has_ended_comes_to_an_end_without_temporal(office: Office, ending: str) -> None:
    """However the request ended: nothing is sent, and nothing is sent ever again."""
    rows, approval_id = office.rows, await office.asked()
    late = await rows.say(approval_id, "controller", decision_id="DE-LATE")
    await _ends(office, approval_id, ending)
    assert await sweep(office) == 1
    settled = await rows.decision(late)
    state = (await rows.state(approval_id)).label.lower()
    assert (settled.status, settled.why) == ("conflict", f"The request is {state} already.")
    assert office.temporal.signals == []
    assert (await rows.events(approval_id))[-1] == "decision_conflict"
    assert await sweep(office) == 0


async def _ends(office: Office, approval_id: str, ending: str) -> None:
    rows = office.rows
    if ending == "expire":
        rows.clock.forward(hours=40)
        await rows.approvals.expire(Step(approval_id))
    elif ending in {"reject", "withdraw"}:
        await rows.decide(approval_id, "controller" if ending == "reject" else "billing_admin", ending)
    else:
        await rows.decide(approval_id, "controller")
        if ending == "facts":
            office.stripe.says = None
        await ActivityEnvironment().run(rows.effects(office.stripe).execute, Step(approval_id))
    if await rows.state(approval_id) is State.RETURNED:  # it ends once it stayed so
        await rows.approvals.open(Step(approval_id))
        rows.clock.forward(hours=80)
        await rows.approvals.expire(Step(approval_id, state=State.RETURNED))


async def test_a_row_that_names_no_group_there_is_holds_up_nobody_and_is_refused(office: Office) -> None:
    first, second = await office.asked(), await office.asked()
    odd = await office.rows.say(first, "controller")
    await office.rows.say(second, "controller")
    tamper(office.rows.url, "update decisions set group_name = 'kings' where decision_id = ?", odd)
    assert await sweep(office) == 2
    assert (await office.rows.take_up(first, odd)).answer == "refused"
    assert (await office.rows.trail(first))[-1].detail["code"] == "row_altered"
    await sweep(office)
    assert (await office.rows.decision(odd)).status == "refused"


async def test_what_a_stranger_ran_under_a_requests_name_does_not_keep_it_from_being_started(office: Office) -> None:
    """It has completed, and the request was never opened."""
    office.temporal.starting = away()
    approval_id = await office.asked()
    office.temporal.starting = None
    office.temporal.started.append(f"credit/{approval_id}")
    office.temporal.closed.append(f"credit/{approval_id}")
    assert await sweep(office) == 1
    assert await office.rows.state(approval_id) is State.WAITING


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
        await Sweeper(house.workshop.ledger, house.workshop.temporal, lambda: ahead).sweep()
        await house.until_waiting(asked)
        saying = Saying(house.people["controller"], Verdict.APPROVE, "", house.desk.clock())
        async with house.desk.ledger.begin() as tx:
            record = await tx.approval(asked.record.approval.approval_id)
            assert record is not None
            await _sign(house.desk, tx, record, saying)
        await Sweeper(house.workshop.ledger, house.workshop.temporal, lambda: ahead).sweep()
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert len(await house.ledger(asked)) == 1
