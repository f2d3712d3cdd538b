"""Opening, recording, reminding and expiring, on real rows: what was signed counts, and the directory as it is now."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from plixo.domain.approval import State
from plixo.domain.facts import Sums
from plixo.domain.path import Seat, Stage
from plixo.domain.people import Group, Person
from plixo.messages.approvals import Decide, Standing, Step
from plixo.signing.tokens import LIFETIME, StaffSigner
from plixo.store import approvals, sums
from tests.support.rows import BOTH, CLOCK, CUSTOMER, FOREIGN_KEY, INVOICE, NOW, Rows, keys_of, tamper

UNKNOWN = "CR-" + "A" * 26


async def fails(asked: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await asked
    return caught.value


# Opening


async def test_opening_sets_it_on_its_path_and_writes_to_whoever_may_decide(rows: Rows) -> None:
    approval_id = await rows.ask()
    began = int(NOW.timestamp())
    assert await rows.approvals.open(Step(approval_id)) == Standing(
        state="waiting",
        waits_for="Controller",
        groups=("controller",),
        since=began,
        due=began + 8 * 3600,
        remind_at=began + 4 * 3600,
        expire_at=began + 40 * 3600,
        next_event="remind",
        next_at=began + 4 * 3600,
    )
    record = await rows.record(approval_id)
    assert (record.stage_since, record.due_at) == (NOW, NOW + timedelta(hours=8))
    (letter,) = await rows.letters()
    assert (letter.key, letter.recipient) == (f"{approval_id}/asked/0.0/p-controller", "controller@plixo.example")
    assert letter.context["due"] == (NOW + timedelta(hours=8)).isoformat()


async def test_opened_twice_it_is_opened_once(rows: Rows) -> None:
    approval_id = await rows.ask()
    first = await rows.approvals.open(Step(approval_id))
    rows.clock.forward(hours=1)
    assert await rows.approvals.open(Step(approval_id)) == first
    assert await rows.events(approval_id) == ["opened"]
    assert len(await rows.letters()) == 1


async def test_a_path_without_stages_is_approved_by_policy_and_nobody_is_written_to(rows: Rows) -> None:
    approval_id = await rows.ask(18_000, stages=())
    assert (await rows.approvals.open(Step(approval_id))).state == "approved"
    assert await rows.letters() == []


async def test_both_groups_are_asked_with_a_letter_each(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    assert keys_of(await rows.letters("asked")) == [
        f"{approval_id}/asked/0.0/p-controller",
        f"{approval_id}/asked/0.0/p-legal",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"groups": frozenset({Group.FINANCE})},
        {"related_customers": frozenset({CUSTOMER})},
        {"limits": {"credit": 100}},
    ],
)
async def test_who_may_not_decide_is_not_asked_to(rows: Rows, change: dict[str, Any]) -> None:
    await rows.change_person("controller", **change)
    await rows.waiting()
    assert await rows.letters() == []


async def test_the_requester_is_not_asked_to_decide_on_their_own_request(rows: Rows) -> None:
    await rows.add_person(Person("p-second", "Second", "second@plixo.example", frozenset({Group.CONTROLLER})))
    await rows.waiting(requester="p-controller")
    assert [row.recipient for row in await rows.letters()] == ["second@plixo.example"]


async def test_a_request_that_waited_longer_than_its_signature_holds_goes_back_and_its_requester_is_told(
    rows: Rows,
) -> None:
    approval_id = await rows.ask()
    rows.clock.forward(seconds=LIFETIME.total_seconds())
    assert (await rows.approvals.open(Step(approval_id))).state == "returned"
    record = await rows.record(approval_id)
    assert (record.why, record.ended_at) == ("It was signed too long ago; ask again.", None)
    (letter,) = await rows.letters()
    assert (letter.template, letter.recipient) == ("returned", "billing.admin@plixo.example")
    assert (await rows.trail(approval_id))[-1].detail["state"] == "returned"


@pytest.mark.asvs("9.1.1")
async def test_a_forged_request_is_never_opened_and_ends_with_a_trace(either_rows: Rows) -> None:
    rows = either_rows
    approval_id = await rows.ask(stages=(), signer=StaffSigner(FOREIGN_KEY))
    for _ in range(2):
        assert (await rows.approvals.open(Step(approval_id))).state == "withdrawn"
    (line,) = await rows.trail(approval_id)
    assert (line.event, line.detail["code"], line.detail["state"]) == ("open_refused", "signature_invalid", "withdrawn")
    record = await rows.record(approval_id)
    assert (record.approval.state, record.ended_at) == (State.WITHDRAWN, rows.clock())
    assert "not the staff side's" in record.why


@pytest.mark.asvs("9.1.1")
async def test_a_forged_request_counts_in_no_sum_and_is_not_swept_again(rows: Rows) -> None:
    approval_id = await rows.ask(stages=(), signer=StaffSigner(FOREIGN_KEY))
    await rows.approvals.open(Step(approval_id))
    async with rows.ledger.read() as session:
        counted = await sums.read(session, "p-billing-admin", CUSTOMER, rows.clock(), 30)
        spoken_for = await approvals.pending_on(session, INVOICE, "USD")
        unstarted = await approvals.unstarted(session, rows.clock() + timedelta(days=1))
    assert (counted, spoken_for, list(unstarted)) == (Sums(0, 0, 0, 0, 0), 0, [])


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("state", ["waiting", "approved"])
async def test_a_forged_request_that_says_it_was_opened_ends_all_the_same(rows: Rows, state: str) -> None:
    approval_id = await rows.ask(signer=StaffSigner(FOREIGN_KEY))
    tamper(rows.url, "update approvals set state = ?", state)
    assert (await rows.approvals.open(Step(approval_id))).state == "withdrawn"
    assert await rows.events(approval_id) == ["open_refused"]


async def test_a_row_of_a_far_future_is_found_as_well(rows: Rows) -> None:
    soon = await rows.ask(created_at=rows.clock() + timedelta(hours=1))
    approval_id = await rows.ask(created_at=rows.clock() + timedelta(days=400), signer=StaffSigner(FOREIGN_KEY))
    async with rows.ledger.read() as session:
        assert list(await approvals.unstarted(session, rows.clock())) == [approval_id]
    assert await rows.state(soon) is State.ROUTING


async def test_who_is_said_to_have_asked_learns_of_a_forged_request(rows: Rows) -> None:
    await rows.approvals.open(Step(await rows.ask(signer=StaffSigner(FOREIGN_KEY))))
    (letter,) = await rows.letters()
    assert (letter.template, letter.recipient) == ("withdrawn", "billing.admin@plixo.example")
    assert "If you asked for it, ask again" in letter.context["why"]


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("alter", ["amount_minor = 1", "digest = 'x'", "kind = 'refund'", "base_minor = 1"])
async def test_an_altered_request_is_never_opened(rows: Rows, alter: str) -> None:
    approval_id = await rows.ask()
    tamper(rows.url, f"update approvals set {alter}")
    assert (await rows.approvals.open(Step(approval_id))).state == "withdrawn"
    (line,) = await rows.trail(approval_id)
    assert (line.event, line.detail["code"]) == ("open_refused", "row_altered")


async def test_a_request_nobody_made_is_final_and_leaves_a_trace(rows: Rows) -> None:
    failure = await fails(rows.approvals.open(Step(UNKNOWN)))
    assert (failure.type, failure.non_retryable) == ("approval_unknown", True)
    assert await rows.events(UNKNOWN) == ["open_refused"]


async def test_a_signers_clock_that_runs_ahead_delays_a_request_and_does_not_lose_it(rows: Rows) -> None:
    approval_id = await rows.ask()
    rows.clock.forward(hours=-1)
    failure = await fails(rows.approvals.open(Step(approval_id)))
    assert (failure.type, failure.non_retryable) == ("signature_from_future", False)
    assert await rows.events(approval_id) == []
    rows.clock.forward(minutes=55)
    assert (await rows.approvals.open(Step(approval_id))).state == "waiting"


# Recording


async def test_a_decision_is_accepted_once_and_received_already_afterwards(rows: Rows) -> None:
    approval_id = await rows.waiting()
    decision_id = await rows.say(approval_id, "controller")
    first = await rows.take_up(approval_id, decision_id)
    again = await rows.take_up(approval_id, decision_id)
    assert (first.answer, first.standing.state) == ("accepted", "approved")
    assert (again.answer, again.standing) == ("already_received", first.standing)
    assert (await rows.events(approval_id)).count("decision_recorded") == 1
    assert len((await rows.record(approval_id)).approval.decisions) == 1


async def test_the_audit_log_says_who_decided_what_and_for_which_group(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller")
    line = (await rows.trail(approval_id))[-1]
    assert (line.event, line.actor) == ("decision_recorded", "p-controller")
    assert line.detail["group"] == "controller"
    assert (line.detail["amount_minor"], line.detail["state"]) == (420_000, "approved")


async def test_of_two_groups_the_second_completes_the_stage_and_its_clock_goes_on(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    rows.clock.forward(hours=1)
    half = await rows.decide(approval_id, "legal")
    assert (half.standing.state, half.standing.groups) == ("waiting", ("controller",))
    assert half.standing.since == int(NOW.timestamp())
    assert (await rows.decide(approval_id, "controller")).standing.state == "approved"


async def test_the_next_stage_begins_its_own_clock_and_asks_its_own_people(rows: Rows) -> None:
    stages = (Stage((Seat(Group.CONTROLLER),), CLOCK), Stage((Seat(Group.CFO),), CLOCK))
    approval_id = await rows.waiting(3_800_000, stages)
    rows.clock.forward(hours=3)
    after = await rows.decide(approval_id, "controller")
    assert (after.standing.stage, after.standing.groups) == (1, ("cfo",))
    assert after.standing.since == int(rows.clock().timestamp())
    assert f"{approval_id}/asked/0.1/p-cfo" in keys_of(await rows.letters("asked"))


async def test_a_rejection_ends_it_and_the_requester_reads_why(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    assert (await rows.decide(approval_id, "legal", "reject")).standing.state == "rejected"
    (letter,) = await rows.letters("rejected")
    assert (letter.recipient, letter.context["comment"]) == ("billing.admin@plixo.example", "because")


async def test_the_requester_withdraws_and_nobody_else_can(rows: Rows) -> None:
    approval_id = await rows.waiting()
    other = await rows.decide(approval_id, "controller", "withdraw")
    assert (other.answer, other.standing.state) == ("refused", "waiting")
    mine = await rows.decide(approval_id, "billing_admin", "withdraw")
    assert (mine.answer, mine.standing.state) == ("accepted", "withdrawn")


async def test_a_decision_that_comes_too_late_is_a_conflict_that_says_what_stands(rows: Rows) -> None:
    approval_id = await rows.waiting()
    late = await rows.say(approval_id, "controller")
    await rows.decide(approval_id, "billing_admin", "withdraw")
    answer = await rows.take_up(approval_id, late)
    assert (answer.answer, answer.why) == ("conflict", "The request is withdrawn already.")
    assert await rows.take_up(approval_id, late) == answer
    assert (await rows.decision(late)).status == "conflict"
    assert (await rows.events(approval_id)).count("decision_conflict") == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"digest": "0" * 64}, "decision_for_something_else"),
        ({"round": 1}, "decision_out_of_date"),
        ({"stage": 1}, "stage_already_decided"),
        ({"group": Group.LEGAL}, "seat_already_decided"),
    ],
)
async def test_a_signed_decision_that_does_not_fit_what_waits_is_a_conflict(
    rows: Rows, changed: dict[str, Any], code: str
) -> None:
    approval_id = await rows.waiting()
    assert (await rows.decide(approval_id, "controller", **changed)).answer == "conflict"
    assert (await rows.trail(approval_id))[-1].detail["code"] == code
    assert await rows.state(approval_id) is State.WAITING


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"active": False}, "not_active"),
        ({"groups": frozenset({Group.FINANCE})}, "not_asked"),
        ({"related_customers": frozenset({CUSTOMER})}, "related_customer"),
        ({"limits": {"credit": 419_999}}, "above_limit"),
    ],
)
async def test_who_may_no_longer_decide_when_it_is_recorded_is_refused(
    rows: Rows, change: dict[str, Any], code: str
) -> None:
    approval_id = await rows.waiting()
    decision_id = await rows.say(approval_id, "controller")
    await rows.change_person("controller", **change)
    answer = await rows.take_up(approval_id, decision_id)
    assert (answer.answer, answer.standing.state) == ("refused", "waiting")
    line = (await rows.trail(approval_id))[-1]
    assert (line.event, line.detail["code"], line.detail["person_id"]) == ("decision_refused", code, "p-controller")


@pytest.mark.asvs("2.3.5")
async def test_a_signed_decision_on_ones_own_request_is_refused(rows: Rows) -> None:
    approval_id = await rows.waiting(requester="p-controller")
    assert (await rows.decide(approval_id, "controller")).answer == "refused"
    assert (await rows.trail(approval_id))[-1].detail["code"] == "own_request"


@pytest.mark.asvs("2.3.5")
async def test_the_second_seat_is_not_for_whoever_has_the_first(rows: Rows) -> None:
    both = frozenset({Group.CONTROLLER, Group.LEGAL})
    await rows.add_person(Person("p-both", "Both", "both@plixo.example", both))
    approval_id = await rows.waiting(3_800_000, BOTH)
    await rows.decide(approval_id, "both", group=Group.CONTROLLER)
    answer = await rows.decide(approval_id, "both", group=Group.LEGAL, decision_id="DE-2")
    assert (answer.answer, answer.standing.groups) == ("conflict", ("legal",))


async def test_a_rejection_without_a_comment_is_refused_however_it_was_signed(rows: Rows) -> None:
    approval_id = await rows.waiting()
    assert (await rows.decide(approval_id, "controller", "reject", comment="  ")).answer == "refused"


@pytest.mark.asvs("9.2.2")
async def test_a_decision_expires_until_it_is_recorded(rows: Rows) -> None:
    approval_id = await rows.waiting()
    decision_id = await rows.say(approval_id, "controller")
    rows.clock.forward(seconds=LIFETIME.total_seconds())
    assert (await rows.take_up(approval_id, decision_id)).answer == "refused"
    assert (await rows.trail(approval_id))[-1].detail["code"] == "signature_expired"


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    ("alter", "code"),
    [
        ("update decisions set signed = ''", "signature_invalid"),
        ("update decisions set verdict = 'reject'", "row_altered"),
        ("update decisions set comment = 'fine'", "row_altered"),
        ("update decisions set person_id = 'p-cfo'", "row_altered"),
        ("update approvals set path = json_set(path, '$.stages[0].seats[0].limit_minor', 1000000000)", "row_altered"),
        ("update approvals set amount_minor = 1", "row_altered"),
    ],
)
async def test_rows_that_were_altered_are_not_decided_on(rows: Rows, alter: str, code: str) -> None:
    approval_id = await rows.waiting()
    decision_id = await rows.say(approval_id, "controller")
    tamper(rows.url, alter)
    answer = await rows.take_up(approval_id, decision_id)
    assert (answer.answer, answer.standing.state) == ("refused", "waiting")
    assert (await rows.trail(approval_id))[-1].detail["code"] == code


@pytest.mark.asvs("9.1.1")
async def test_a_decision_nobody_signed_is_refused_with_a_trace(rows: Rows) -> None:
    approval_id, other = await rows.waiting(), await rows.waiting(500_000)
    elsewhere = await rows.say(other, "controller")
    for forged in ("DE-nobody", elsewhere):
        answer = await rows.take_up(approval_id, forged)
        assert (answer.answer, answer.standing.state) == ("refused", "waiting")
    assert (await rows.events(approval_id)).count("decision_refused") == 2
    assert (await rows.decision(elsewhere)).status == "submitted"


async def test_a_decision_on_a_request_nobody_made_is_refused(rows: Rows) -> None:
    answer = await rows.approvals.record(Decide(UNKNOWN, "DE-1"))
    assert (answer.answer, answer.standing) == ("refused", Standing(""))
    assert await rows.events(UNKNOWN) == ["decision_refused"]


# Reminding


async def test_a_reminder_goes_once_to_whoever_has_not_decided(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    await rows.decide(approval_id, "controller")
    rows.clock.forward(hours=4)
    for _ in range(2):
        assert (await rows.approvals.remind(Step(approval_id))).state == "waiting"
    assert keys_of(await rows.letters("reminder")) == [f"{approval_id}/reminder/0.0/p-legal"]
    assert (await rows.events(approval_id)).count("reminded") == 1


async def test_of_a_group_that_needs_two_only_the_one_who_has_not_decided_is_reminded(rows: Rows) -> None:
    two = (Stage((Seat(Group.CFO, quorum=2),), CLOCK),)
    await rows.add_person(Person("p-cfo-2", "CFO 2", "cfo2@plixo.example", frozenset({Group.CFO})))
    approval_id = await rows.waiting(420_000, two)
    await rows.decide(approval_id, "cfo")
    rows.clock.forward(hours=4)
    await rows.approvals.remind(Step(approval_id))
    assert [row.recipient for row in await rows.letters("reminder")] == ["cfo2@plixo.example"]


@pytest.mark.parametrize("step", [Step("", stage=1), Step("", round=1)])
async def test_a_reminder_of_another_stage_or_round_is_passed_over(rows: Rows, step: Step) -> None:
    approval_id = await rows.waiting()
    rows.clock.forward(hours=4)
    await rows.approvals.remind(replace(step, approval_id=approval_id))
    assert await rows.letters("reminder") == []


async def test_nobody_is_reminded_of_what_has_ended(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller", "reject")
    assert (await rows.approvals.remind(Step(approval_id))).state == "rejected"
    assert await rows.letters("reminder") == []
    assert "reminded" not in await rows.events(approval_id)


# Expiring


async def test_what_nobody_decided_goes_back_to_its_requester(rows: Rows) -> None:
    approval_id = await rows.waiting()
    rows.clock.forward(hours=40)
    for _ in range(2):
        assert (await rows.approvals.expire(Step(approval_id))).state == "returned"
    record = await rows.record(approval_id)
    assert (record.why, record.due_at) == ("Nobody decided in time.", rows.clock() + timedelta(hours=80))
    assert (await rows.events(approval_id)).count("expired") == 1
    assert [row.recipient for row in await rows.letters("returned")] == ["billing.admin@plixo.example"]


async def test_nothing_expires_before_its_time_whoever_asks(rows: Rows) -> None:
    approval_id = await rows.waiting()
    rows.clock.forward(hours=39)
    failure = await fails(rows.approvals.expire(Step(approval_id)))
    assert (failure.type, failure.non_retryable) == ("not_due", False)
    assert await rows.state(approval_id) is State.WAITING


async def test_what_was_decided_in_time_does_not_expire(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller")
    rows.clock.forward(hours=40)
    assert (await rows.approvals.expire(Step(approval_id))).state == "approved"
    assert "expired" not in await rows.events(approval_id)


async def test_who_left_is_not_told_that_their_request_came_back(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.change_person("billing_admin", active=False)
    rows.clock.forward(hours=40)
    await rows.approvals.expire(Step(approval_id))
    assert await rows.letters("returned") == []


@pytest.mark.parametrize("what", ["remind", "expire"])
async def test_a_step_of_a_request_nobody_made_is_final(rows: Rows, what: str) -> None:
    assert (await fails(getattr(rows.approvals, what)(Step(UNKNOWN)))).non_retryable
