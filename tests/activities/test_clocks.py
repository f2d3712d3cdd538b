"""The clocks of a stage, on real rows: in whose hours, who is reminded, and who may decide once nobody has."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.approval import State
from plixo.domain.mandate import mandate
from plixo.domain.path import Clock, Escalation, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed
from plixo.messages.approvals import Standing, Step
from tests.support.rows import Rows, keys_of, tamper

CLOCK = Clock(8, (4, 7), 40, 0, (Escalation(8, "delegate"), Escalation(16, "cfo")))
LEGAL = Clock(16, (8, 14), 80, 0, (Escalation(16, "delegate"), Escalation(32, "cfo")))
CONTROLLER = (Stage((Seat(Group.CONTROLLER, 2_500_000),), CLOCK),)
BOTH = (Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), replace(LEGAL, escalations=()), (CLOCK, LEGAL)),)
SECOND = Person(
    "p-controller-2",
    "Controller 2",
    "controller2@plixo.example",
    frozenset({Group.CONTROLLER}),
    time_zone="America/Los_Angeles",
    working_hours="09:00-13:00",
    delegate_id="p-finance",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seconds(text: str) -> int:
    return int(at(text).timestamp())


async def until(rows: Rows, approval_id: str, moment: str) -> Standing:
    """What the workflow does until then: each event at its moment."""
    record = await rows.record(approval_id)
    step = Step(approval_id, record.approval.stage, record.approval.round)
    found = await rows.approvals.open(step)
    while found.state == "waiting" and found.next_at and found.next_at <= seconds(moment):
        rows.clock.at = datetime.fromtimestamp(found.next_at, UTC)
        act = {"remind": rows.approvals.remind, "escalate": rows.approvals.escalate, "expire": rows.approvals.expire}
        found = await act[found.next_event](replace(step, at=found.next_at))
    rows.clock.at = at(moment)
    return found


@pytest.fixture
def office(rows: Rows) -> Rows:
    """In real calendars, on a Friday in New York before a weekend with a holiday behind it: Labor Day 2026."""
    rows.calendars.instead = PeoplesCalendars()
    rows.clock.at = at("2026-09-04 14:00")
    return rows


async def test_a_stage_is_due_in_the_hours_of_whoever_is_asked(office: Rows) -> None:
    approval_id = await office.ask(stages=CONTROLLER)
    standing = await office.approvals.open(Step(approval_id))
    assert standing.due == seconds("2026-09-08 14:00")  # over a weekend and a holiday
    assert standing.remind_at == standing.next_at == seconds("2026-09-04 18:00")
    assert standing.expire_at == seconds("2026-09-14 14:00")
    assert (await office.record(approval_id)).due_at == at("2026-09-08 14:00")


async def test_a_stage_is_due_when_the_last_of_those_asked_has_had_their_hours(office: Rows) -> None:
    await office.add_person(SECOND)
    approval_id = await office.ask(stages=CONTROLLER)
    standing = await office.approvals.open(Step(approval_id))
    assert standing.due == seconds("2026-09-08 20:00")  # who works four hours a day, in Los Angeles
    await until(office, approval_id, "2026-09-08 13:00")
    assert keys_of(await office.letters("reminder")) == [
        f"{approval_id}/reminder/0.0.1/p-controller",
        f"{approval_id}/reminder/0.0/p-controller",
        f"{approval_id}/reminder/0.0/p-controller-2",
    ]


async def test_each_seat_has_its_own_clock(office: Rows) -> None:
    approval_id = await office.ask(3_800_000, stages=BOTH)
    standing = await office.approvals.open(Step(approval_id))
    # Legal is in Berlin, where Friday has an hour left and Monday is no holiday.
    assert standing.due == seconds("2026-09-08 14:00")
    await until(office, approval_id, "2026-09-05 00:00")
    assert [row.recipient for row in await office.letters("reminder")] == ["controller@plixo.example"] * 2
    await until(office, approval_id, "2026-09-07 14:00")
    assert [row.recipient for row in await office.letters("reminder")][2:] == ["legal@plixo.example"]


async def test_where_nobody_is_asked_the_office_hours_of_the_policy_count(office: Rows) -> None:
    await office.change_person("controller", active=False)
    approval_id = await office.ask(stages=CONTROLLER)
    standing = await office.approvals.open(Step(approval_id))
    assert (standing.due, standing.remind_at) == (seconds("2026-09-07 14:00"), seconds("2026-09-07 10:00"))
    await office.add_person(SECOND)
    await until(office, approval_id, "2026-09-07 10:00")
    assert [row.recipient for row in await office.letters("reminder")] == ["controller2@plixo.example"]


@pytest.mark.parametrize("broken", [{"time_zone": "Europe/Atlantis"}, {"working_hours": "never"}])
async def test_a_calendar_that_cannot_be_used_stops_no_request(office: Rows, broken: dict[str, Any]) -> None:
    await office.change_person("controller", **broken)
    approval_id = await office.ask(stages=CONTROLLER)
    assert (await office.approvals.open(Step(approval_id))).due == seconds("2026-09-07 14:00")


async def test_moments_stay_when_somebody_changes_their_hours(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    first = await office.approvals.open(Step(approval_id))
    await office.change_person("controller", working_hours="00:00-23:00")
    assert await office.approvals.open(Step(approval_id)) == first


async def test_a_new_run_of_the_workflow_reminds_and_escalates_no_second_time(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    standing = await until(office, approval_id, "2026-09-08 15:00")
    for step in (office.approvals.remind, office.approvals.escalate):
        assert await step(Step(approval_id)) == standing
    assert len(await office.letters("reminder")) == 2
    assert (await office.events(approval_id)).count("escalated") == 1


@pytest.mark.parametrize("what", ["remind", "escalate"])
async def test_nothing_is_done_before_its_time_whoever_asks(office: Rows, what: str) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    before = await office.approvals.open(Step(approval_id))
    assert await getattr(office.approvals, what)(Step(approval_id)) == before
    with pytest.raises(ApplicationError) as caught:
        await getattr(office.approvals, what)(Step(approval_id, at=before.next_at))
    assert (caught.value.type, caught.value.non_retryable) == ("not_due", False)
    assert await office.events(approval_id) == ["opened"]


async def test_what_never_expires_is_returned_by_nobody(office: Rows) -> None:
    approval_id = await office.waiting(stages=(Stage((Seat(Group.CONTROLLER),), Clock(8, (4,), 0)),))
    office.clock.forward(days=900)
    assert (await office.approvals.expire(Step(approval_id))).state == "waiting"
    assert (await until(office, approval_id, "2030-01-01 00:00")).next_event == "nothing"


# Escalation


async def test_until_then_a_delegate_may_not_decide(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    await until(office, approval_id, "2026-09-08 13:59")
    answer = await office.decide(approval_id, "cfo", group=Group.CONTROLLER, basis="delegate:p-controller")
    assert (answer.answer, answer.why) == ("refused", "This request does not wait for CFO.")


async def test_from_then_on_the_delegate_may_decide_as_well_and_is_told(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    standing = await until(office, approval_id, "2026-09-08 14:00")
    assert standing.stand_ins == "their delegate"
    (letter,) = await office.letters("escalated")
    assert (letter.recipient, letter.context["in_place_of"]) == ("cfo@plixo.example", "Controller")
    answer = await office.decide(approval_id, "cfo", group=Group.CONTROLLER, basis="delegate:p-controller")
    assert (answer.answer, answer.standing.state) == ("accepted", "approved")
    (entry,) = [line for line in await office.trail(approval_id) if line.event == "escalated"]
    assert entry.detail == {"group": "controller", "to": "delegate", "people": ["p-cfo"]}


async def test_then_the_cfo_may_who_is_nobodys_delegate(office: Rows) -> None:
    await office.change_person("controller", delegate_id="p-finance")
    approval_id = await office.waiting(stages=CONTROLLER)
    await until(office, approval_id, "2026-09-09 14:00")
    assert {row.recipient for row in await office.letters("escalated")} == {
        "finance@plixo.example",
        "cfo@plixo.example",
    }
    answer = await office.decide(approval_id, "cfo", group=Group.CONTROLLER, basis="group:cfo")
    assert (answer.answer, answer.standing.state) == ("accepted", "approved")


async def test_whoever_was_asked_may_still_decide(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    await until(office, approval_id, "2026-09-09 14:00")
    assert (await office.decide(approval_id, "controller")).standing.state == "approved"


@pytest.mark.parametrize("basis", ["", "delegate:p-legal", "delegate:p-cfo", "group:legal", "group:cfo", "nonsense"])
async def test_a_stand_in_says_on_what_they_decide(office: Rows, basis: str) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    await until(office, approval_id, "2026-09-08 14:00")
    assert (await office.decide(approval_id, "cfo", group=Group.CONTROLLER, basis=basis)).answer == "refused"


async def test_nobody_who_asked_or_is_related_or_is_needed_elsewhere_stands_in(office: Rows) -> None:
    asked = await office.waiting(stages=CONTROLLER, requester="p-cfo")
    await office.change_person("cfo", related_customers=frozenset({"cus_ExampleLogistics"}))
    related = await office.waiting(stages=CONTROLLER)
    await office.change_person("cfo", related_customers=frozenset())
    series = await office.waiting(stages=(*CONTROLLER, Stage((Seat(Group.CFO),), CLOCK)))
    for approval_id in (asked, series):
        await until(office, approval_id, "2026-09-09 14:00")
    await office.change_person("cfo", related_customers=frozenset({"cus_ExampleLogistics"}))
    office.clock.at = at("2026-09-04 14:00")
    await until(office, related, "2026-09-09 14:00")
    assert await office.letters("escalated") == []
    for approval_id in (asked, related, series):
        found = [line.detail["people"] for line in await office.trail(approval_id) if line.event == "escalated"]
        assert found == [[], []]


async def test_the_next_stage_is_not_escalated_by_the_one_before(office: Rows) -> None:
    stages = (*CONTROLLER, Stage((Seat(Group.LEGAL, 2_500_000),), LEGAL))
    approval_id = await office.waiting(stages=stages)
    await until(office, approval_id, "2026-09-08 14:00")
    standing = (await office.decide(approval_id, "controller")).standing
    assert (standing.stage, standing.stand_ins) == (1, "")
    assert (await office.record(approval_id)).approval.escalated == ()


async def test_money_moves_only_on_stand_ins_that_the_signed_path_names(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    await until(office, approval_id, "2026-09-08 14:00")
    await office.decide(approval_id, "cfo", group=Group.CONTROLLER, basis="delegate:p-controller")
    record = await office.record(approval_id)
    everybody = {person.person_id: person for person in office.people.values()}
    request, (decision,) = record.request, record.approval.decisions
    assert mandate(request, [decision], everybody).decided_by == ("p-cfo",)
    silent = replace(request.path, stages=(replace(CONTROLLER[0], clock=replace(CLOCK, escalations=())),))
    other = everybody | {"p-controller": replace(everybody["p-controller"], delegate_id="p-finance")}
    gone = everybody | {"p-controller": replace(everybody["p-controller"], active=False)}
    for against in (
        (replace(request, path=silent), decision, everybody),
        (request, decision, other),
        (request, decision, gone),
        (request, replace(decision, basis="delegate:p-nobody"), everybody),
        (request, replace(decision, basis="group:legal"), everybody),
        (request, replace(decision, basis=""), everybody),
        (replace(request, requester_id="p-controller"), decision, everybody),
    ):
        with pytest.raises(NotAllowed) as caught:
            mandate(against[0], [against[1]], against[2])
        assert caught.value.code == "not_eligible"


async def test_clocks_that_somebody_wrote_into_the_database_hold_nothing_up(office: Rows) -> None:
    approval_id = await office.waiting(stages=CONTROLLER)
    tamper(office.url, "update approvals set clocks = ?", '{"due": "soon"}')
    assert await office.state(approval_id) is State.WAITING
    standing = await office.approvals.open(Step(approval_id))
    assert (standing.next_event, standing.remind_at) == ("", seconds("2026-09-04 18:00"))
