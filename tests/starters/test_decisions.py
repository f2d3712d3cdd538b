"""Deciding: signed and stored first, told to Temporal after that, refused with a trace."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from demo.preparing import wait_for_temporal
from demo.waiting import until
from plixo.domain.approval import State
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.messages.approvals import Decide, Step
from starters.decisions import KEPT
from starters.workflows import AWAY
from tests.support.desk import Office, away, later, together
from tests.support.house import House
from tests.support.rows import CUSTOMER
from workers.main import working
from workers.sweeper import Sweeper


async def test_a_decision_is_taken_up_and_answered(office: Office) -> None:
    approval_id = await office.asked()
    answer = await office.decide(approval_id)
    assert (answer.answer, answer.record.approval.state) == ("accepted", State.APPROVED)
    assert office.temporal.updates == [answer.decision_id]
    assert office.temporal.signals == []


@pytest.mark.parametrize("status", sorted(AWAY))
async def test_a_decision_is_kept_while_temporal_is_away_and_taken_up_when_it_is_back(
    office: Office, status: RPCStatusCode
) -> None:
    approval_id = await office.asked()
    office.temporal.updating = office.temporal.signalling = away(status)
    answer = await office.decide(approval_id)
    assert (answer.answer, answer.why, answer.record.approval.state) == ("kept", KEPT, State.WAITING)
    assert (await office.rows.decision(answer.decision_id)).status == "submitted"
    office.temporal.updating = office.temporal.signalling = None
    again = await office.decide(approval_id)
    assert (again.answer, again.decision_id) == ("accepted", answer.decision_id)


async def test_what_temporal_really_refuses_is_not_swept_under_the_carpet(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating = away(RPCStatusCode.PERMISSION_DENIED)
    with pytest.raises(RPCError):
        await office.decide(approval_id)


@pytest.mark.parametrize(
    "failure",
    [
        WorkflowUpdateRPCTimeoutOrCancelledError(),
        WorkflowUpdateFailedError(ApplicationError("the database is away")),
    ],
)
async def test_an_update_without_an_answer_is_followed_by_a_signal(office: Office, failure: BaseException) -> None:
    approval_id = await office.asked()
    office.temporal.updating = failure
    assert (await office.decide(approval_id)).answer == "kept"
    assert office.temporal.signals == ["submit_decision"]


async def test_a_withdrawal_without_an_answer_is_signalled_as_one(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating = WorkflowUpdateRPCTimeoutOrCancelledError()
    assert (await office.decide(approval_id, "billing_admin", "withdraw")).answer == "kept"
    assert office.temporal.signals == ["submit_withdrawal"]


async def test_an_answer_that_is_lost_after_it_was_recorded_is_read_from_the_rows(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating, office.temporal.reached = WorkflowUpdateRPCTimeoutOrCancelledError(), True
    answer = await office.decide(approval_id)
    assert (answer.answer, answer.why) == ("accepted", "")
    assert office.temporal.signals == []


async def test_a_decision_on_a_workflow_that_ended_is_told_what_stands(office: Office) -> None:
    approval_id = await office.asked()
    rows = office.rows
    stored = await rows.say(approval_id, "controller")
    for state, hours in (("waiting", 40), ("returned", 80)):
        rows.clock.forward(hours=hours)
        await rows.approvals.expire(Step(approval_id, state=state))
    office.temporal.signalling = away(RPCStatusCode.NOT_FOUND)
    assert await Sweeper(rows.ledger, office.desk.temporal, later(office, minutes=1)).sweep() == 1
    settled = await rows.decision(stored)
    assert (settled.status, settled.why) == ("conflict", "The request is withdrawn already.")
    assert (await rows.trail(approval_id))[-1].event == "decision_conflict"
    assert await Sweeper(rows.ledger, office.desk.temporal, later(office, minutes=2)).sweep() == 0


async def test_a_decision_whose_workflow_is_not_to_be_found_yet_is_not_given_up(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating = office.temporal.signalling = away(RPCStatusCode.NOT_FOUND)
    answer = await office.decide(approval_id)
    assert (answer.answer, (await office.rows.decision(answer.decision_id)).status) == ("kept", "submitted")


async def test_a_decision_whose_workflow_is_gone_brings_its_request_back(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.closed.append(f"credit/{approval_id}")
    office.temporal.updating = office.temporal.signalling = away(RPCStatusCode.NOT_FOUND)
    assert (await office.decide(approval_id)).answer == "kept"
    assert office.temporal.started == [f"credit/{approval_id}"] * 2
    assert office.temporal.signals == ["submit_decision"] * 2, "once in vain, and once to the new run"
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.detail) == ("workflow_interrupted", {"run_id": "", "how": "missing"})


async def test_the_same_words_are_the_same_decision(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    answers = await together(*(office.decide(approval_id, comment=f"words {number}") for number in range(8)))
    assert len({answer.decision_id for answer in answers}) == 1
    assert {answer.answer for answer in answers} <= {"accepted", "already_received"}
    assert (await office.rows.events(approval_id)).count("decision_signed") == 1


async def test_the_same_person_changing_their_mind_is_told_that_they_decided(office: Office) -> None:
    approval_id = await office.asked("38000.00", reason="contract_concession")
    await office.decide(approval_id, "legal")
    with pytest.raises(Conflict) as caught:
        await office.decide(approval_id, "legal", "reject")
    assert caught.value.code == "already_decided"


async def test_who_was_refused_when_it_was_recorded_can_decide_again_once_they_may(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating = away()
    office.temporal.signalling = away()
    kept = await office.decide(approval_id)
    controller = office.rows.people["controller"]
    await office.rows.change_person("controller", groups=frozenset({Group.FINANCE}))
    assert (await office.rows.take_up(approval_id, kept.decision_id)).answer == "refused"
    await office.rows.change_person("controller", groups=controller.groups)
    office.temporal.updating = None
    again = await office.decide(approval_id)
    assert (again.answer, again.decision_id != kept.decision_id) == ("accepted", True)


@pytest.mark.asvs("7.5.3")
@pytest.mark.parametrize(
    ("amount", "minutes", "fresh"),
    [("10000.00", 600, True), ("10000.01", 15, True), ("10000.01", 15.1, False), ("20000.00", 0, True)],
)
async def test_above_ten_thousand_a_decision_needs_a_sign_in_of_the_last_quarter_of_an_hour(
    office: Office, *, amount: str, minutes: float, fresh: bool
) -> None:
    approval_id = await office.asked(amount)
    signed_in = office.rows.clock() - timedelta(minutes=minutes)
    if fresh:
        assert (await office.decide(approval_id, signed_in=signed_in)).answer == "accepted"
        return
    with pytest.raises(NotAllowed) as caught:
        await office.decide(approval_id, signed_in=signed_in)
    assert caught.value.code == "fresh_sign_in_needed"
    assert (await office.rows.trail(approval_id))[-1].detail["code"] == "fresh_sign_in_needed"


async def test_withdrawing_a_large_request_needs_no_fresh_sign_in(office: Office) -> None:
    approval_id = await office.asked("20000.00")
    old = office.rows.clock() - timedelta(days=1)
    assert (await office.decide(approval_id, "billing_admin", "withdraw", signed_in=old)).answer == "accepted"


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("verdict", ["approve", "reject", "withdraw"])
async def test_support_cannot_tell_somebody_elses_request_from_one_that_is_not(office: Office, verdict: str) -> None:
    approval_id = await office.asked()
    with pytest.raises(NotFound) as real:
        await office.decide(approval_id, "support", verdict)
    with pytest.raises(NotFound) as none:
        await office.decide("CR-" + "A" * 26, "support", verdict)
    assert real.value.problems == none.value.problems
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.actor, line.detail["code"]) == ("decision_refused", "p-support", "approval_unknown")


async def test_support_sees_its_own_request(office: Office) -> None:
    approval_id = await office.asked(role="support")
    assert (await office.decide(approval_id, "support", "withdraw")).answer == "accepted"


@pytest.mark.asvs("16.3.2")
@pytest.mark.parametrize(
    ("role", "verdict", "comment", "change", "code"),
    [
        ("billing_admin", "approve", "", {}, "own_request"),
        ("legal", "approve", "", {}, "not_asked"),
        ("finance", "approve", "", {}, "not_asked"),
        ("operator", "approve", "", {}, "not_asked"),
        ("administrator", "approve", "", {}, "not_asked"),
        ("controller", "withdraw", "", {}, "not_requester"),
        ("controller", "reject", "  ", {}, "comment_missing"),
        ("controller", "approve", "", {"related_customers": frozenset({CUSTOMER})}, "related_customer"),
        ("controller", "approve", "", {"limits": {"credit": 100}}, "above_limit"),
        ("controller", "approve", "", {"active": False}, "approval_unknown"),
    ],
)
async def test_every_refusal_leaves_a_trace_and_no_decision(
    office: Office, *, role: str, verdict: str, comment: str, change: dict[str, object], code: str
) -> None:
    approval_id = await office.asked()
    await office.rows.change_person(role, **change)
    with pytest.raises(Refused) as caught:
        await office.decide(approval_id, role, verdict, comment)
    assert caught.value.code == code
    line = (await office.rows.trail(approval_id))[-1]
    assert (line.event, line.detail["code"], line.detail["verdict"]) == ("decision_refused", code, verdict)
    assert office.temporal.updates == []
    async with office.rows.ledger.begin() as tx:
        assert await tx.decisions(approval_id) == []


async def test_a_conflict_leaves_a_trace_too(office: Office) -> None:
    approval_id = await office.asked()
    await office.decide(approval_id)
    with pytest.raises(Conflict):
        await office.decide(approval_id, "billing_admin", "withdraw")
    assert (await office.rows.trail(approval_id))[-1].event == "decision_conflict"


@pytest.mark.parametrize("approval_id", ["", "CR-1", "cr-" + "A" * 26, "x" * 10_000, "CR-" + "A" * 26, "'; drop table"])
async def test_what_is_no_request_is_not_found_and_leaves_no_rubbish(office: Office, approval_id: str) -> None:
    with pytest.raises(NotFound):
        await office.decide(approval_id)
    assert await office.rows.trail(approval_id) == []


@pytest.mark.parametrize("comment", ["x" * 2001, "a\x00b", "{{7*7}}", "=cmd()", "a\u202eb"])
async def test_a_comment_that_is_not_plain_words_is_refused_before_anything_is_signed(
    office: Office, comment: str
) -> None:
    approval_id = await office.asked()
    with pytest.raises(Refused) as caught:
        await office.decide(approval_id, comment=comment)
    assert caught.value.problems[0].field == "comment"
    assert await office.rows.events(approval_id) == ["requested", "opened"]


async def test_a_person_of_two_groups_fills_the_seat_that_is_still_open(office: Office) -> None:
    both = frozenset({Group.CONTROLLER, Group.LEGAL})
    await office.rows.add_person(Person("p-both", "Both", "both@plixo.example", both))
    approval_id = await office.asked("38000.00", reason="contract_concession")
    await office.decide(approval_id, "legal")
    answer = await office.decide(approval_id, "both")
    assert answer.record.approval.state is State.APPROVED
    assert [known.group for known in answer.record.approval.decisions] == [Group.LEGAL, Group.CONTROLLER]


async def test_two_of_one_group_at_once_fill_one_seat(either_office: Office) -> None:
    office = either_office
    second = replace(office.rows.people["controller"], person_id="p-second", email="second@plixo.example")
    await office.rows.add_person(second)
    approval_id = await office.asked("38000.00", reason="contract_concession")
    answers = await together(office.decide(approval_id, "controller"), office.decide(approval_id, "second"))
    given = sorted(getattr(answer, "answer", type(answer).__name__).lower() for answer in answers)
    assert given == ["accepted", "conflict"]
    assert len((await office.rows.record(approval_id)).approval.decisions) == 1


# With Temporal itself


async def test_with_the_temporal_server_gone_a_decision_is_kept_within_seconds_and_taken_up_when_it_is_back(
    house: House,
) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    await house.stack.temporal.kill()
    began = time.monotonic()
    answer = await house.decide(asked, "controller")
    assert (answer.answer, answer.why) == ("kept", KEPT)
    assert time.monotonic() - began < 15
    await house.stack.temporal.start()
    await wait_for_temporal(house.stack.temporal, house.settings.temporal_address)

    async def swept() -> bool:
        ahead = house.desk.clock() + timedelta(minutes=1)
        await Sweeper(house.workshop.ledger, house.workshop.temporal, lambda: ahead).sweep()
        return (await house.record(asked)).approval.state is State.EXECUTED

    await until("the decision to be taken up", swept, every=0.5)
    assert len(await house.ledger(asked)) == 1
    assert len((await house.record(asked)).approval.decisions) == 1


async def test_with_nobody_at_work_an_update_times_out_and_the_decision_arrives_as_a_signal(idle_house: House) -> None:
    async with working(idle_house.workshop):
        asked = await idle_house.ask()
        await idle_house.until_waiting(asked)
    answer = await idle_house.decide(asked, "controller")
    assert answer.answer == "kept"
    assert "WORKFLOW_EXECUTION_SIGNALED" in await idle_house.events(asked)
    async with working(idle_house.workshop):
        assert (await idle_house.until_ended(asked)).approval.state is State.EXECUTED
    assert len(await idle_house.ledger(asked)) == 1


async def test_a_decision_after_the_end_is_told_what_stands_by_the_rows(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    await house.decide(asked, "controller", "reject")
    await house.until_ended(asked)
    with pytest.raises(RPCError) as caught:
        await house.workflow(asked).signal("submit_decision", Decide(asked.record.approval.approval_id, "DE-1"))
    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_a_smaller_amount_is_signed_recorded_and_all_that_is_left(office: Office) -> None:
    approval_id = await office.asked("4200.00")
    answer = await office.decide(approval_id, amount="3,000.00")
    approval = answer.record.approval
    assert (answer.answer, approval.state) == ("accepted", State.APPROVED)
    assert (approval.agreed_minor, approval.amount_minor) == (300_000, 420_000)
    again = await office.decide(approval_id, amount="3000.00")
    assert again.decision_id == answer.decision_id


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("4200.01", "amount_above_asked"),
        ("0", "amount_not_positive"),
        ("-1.00", "amount_not_positive"),
        ("NaN", "amount_not_a_number"),
        ("1.001", "amount_too_precise"),
    ],
)
async def test_an_amount_that_cannot_be_approved_is_refused_by_its_field(
    office: Office, amount: str, code: str
) -> None:
    approval_id = await office.asked("4200.00")
    with pytest.raises(Refused) as caught:
        await office.decide(approval_id, amount=amount)
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [("amount", code)]
    assert "decision_signed" not in await office.rows.events(approval_id)


async def test_whoever_approved_more_is_written_to_again_and_approves_what_is_left(office: Office) -> None:
    approval_id = await office.asked("38000.00", reason="contract_concession")
    await office.decide(approval_id, "legal")
    before = {letter.key for letter in await office.rows.letters()}
    lower = await office.decide(approval_id, "controller", amount="30000.00")
    assert lower.record.approval.waiting_groups() == (Group.LEGAL,)
    (letter,) = [letter for letter in await office.rows.letters() if letter.key not in before]
    assert (letter.context["amount"], letter.context["asked_amount"]) == ("30,000.00 USD", "38,000.00 USD")
    with pytest.raises(Refused, match=r"Approve 30,000\.00 USD or less"):
        await office.decide(approval_id, "legal", amount="38000.00")
    agreed = await office.decide(approval_id, "legal")
    assert agreed.record.approval.state is State.APPROVED
    assert agreed.record.approval.agreed_minor == 3_000_000


async def test_above_the_own_limit_one_approves_what_one_may(office: Office) -> None:
    await office.rows.change_person("controller", limits={"credit": 100_000})
    approval_id = await office.asked("4200.00")
    with pytest.raises(NotAllowed, match=r"You may approve 1,000\.00 USD at most"):
        await office.decide(approval_id)
    answer = await office.decide(approval_id, amount="1000.00")
    assert answer.record.approval.state is State.APPROVED
