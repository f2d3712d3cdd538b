"""The clocks of a waiting stage: set when it begins, kept on the request, and heeded when something is due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from temporalio.exceptions import ApplicationError

from plixo.domain.approval import State
from plixo.domain.business_time import Calendar, NeverOpen, hours_after, parse_office
from plixo.domain.clocks import Event, Happening, Moments, Pause, office, repeated, resumed, stage_moments
from plixo.domain.duties import asked_elsewhere, check_independent, check_limit, may_see_all
from plixo.domain.escalation import Escalated, basis_of_delegate, basis_of_group
from plixo.domain.path import OFFICE_HOURS, Clock, Escalation, Seat, Stage
from plixo.domain.people import Person
from plixo.domain.refusals import NotAllowed
from plixo.messages.approvals import Step
from plixo.ports import Calendars, Record, Transaction

ANSWER_HOURS: Final = 40
"""Business hours of the requester's after which an unanswered question returns the request: five days."""

RETURNED_HOURS: Final = 80
"""Business hours of theirs after which a returned request is withdrawn: ten days."""

EARLY_SECONDS: Final = 60
"""How far our clock may be behind the workflow's when it says that something is due."""


async def with_clocks(tx: Transaction, calendars: Calendars, record: Record, now: datetime) -> Record:
    """The record with its clock as its state wants it: set anew, stopped, going on, or as it was.

    Args:
        tx: Reads the directory.
        calendars: When people work.
        record: As it moved on at that moment.
        now: The moment.
    """
    state, moments = record.approval.state, record.moments
    if state is State.RETURNED and moments is None:
        ends = await _requesters_hours(tx, calendars, record, RETURNED_HOURS, now)
        return _with(record, Moments(ends, ends), ends)
    if state is State.NEEDS_INFORMATION and not (moments and moments.pause):
        until = await _requesters_hours(tx, calendars, record, ANSWER_HOURS, now)
        moments = moments or await _stage_moments(tx, calendars, record, now)
        return _with(record, replace(moments, pause=Pause(int(now.timestamp()), until)), until)
    if state is State.WAITING and moments and moments.pause:
        stage = record.approval.path.stages[record.approval.stage]
        asked = await _asked_people(tx, record, stage)
        moments = resumed(moments, stage, _calendars_of(stage, asked, calendars, now), now)
        return _with(record, moments, moments.due)
    if state is State.WAITING and moments is None and record.stage_since == now:
        moments = await _stage_moments(tx, calendars, record, now)
        return _with(record, moments, moments.due)
    return record


def _with(record: Record, moments: Moments, due: int) -> Record:
    return replace(record, moments=moments, due_at=datetime.fromtimestamp(due, UTC))


async def _stage_moments(tx: Transaction, calendars: Calendars, record: Record, now: datetime) -> Moments:
    stage = record.approval.path.stages[record.approval.stage]
    return moments_of(stage, await _asked_people(tx, record, stage), calendars, now)


async def _asked_people(tx: Transaction, record: Record, stage: Stage) -> Mapping[Seat, Sequence[Person]]:
    members = await tx.members(stage.groups)
    return {seat: [one for one in members if _asked(record, seat, one)] for seat in stage.seats}


async def _requesters_hours(tx: Transaction, calendars: Calendars, record: Record, hours: int, now: datetime) -> int:
    """When so many of the requester's own business hours have passed, seconds since 1970 in UTC."""
    requester_id = record.approval.requester_id
    person = (await tx.people([requester_id])).get(requester_id)
    usual = parse_office(OFFICE_HOURS)
    own = calendars.of(person, now) if person else None
    try:
        ends = hours_after(own or usual, now, hours)
    except NeverOpen:
        ends = hours_after(usual, now, hours)
    return int(ends.timestamp())


def moments_of(stage: Stage, asked: Mapping[Seat, Sequence[Person]], calendars: Calendars, now: datetime) -> Moments:
    """When everything happens to a stage that begins now and asks these people; the same for a preview."""
    return stage_moments(stage, _calendars_of(stage, asked, calendars, now), now)


def _calendars_of(
    stage: Stage, asked: Mapping[Seat, Sequence[Person]], calendars: Calendars, now: datetime
) -> list[Mapping[str, Calendar]]:
    return [
        {person.person_id: _calendar(calendars, person, clock, now) for person in asked[seat]}
        for seat, clock in stage.clocked()
    ]


def check_due(step: Step, now: datetime) -> None:
    """The workflow's clock may be ahead of ours.

    Raises:
        ApplicationError: Try again later.
    """
    if step.at - now.timestamp() > EARLY_SECONDS:
        raise ApplicationError("That is not due yet.", type="not_due")


def strike(moments: Moments, what: Happening, now: datetime) -> tuple[Moments, tuple[Event, ...]]:
    """What is left of the moments, and what is due of this kind."""
    until = now.timestamp() + EARLY_SECONDS
    struck = tuple(event for event in moments.events if event.what is what and event.at <= until)
    return replace(moments, events=tuple(event for event in moments.events if event not in struck)), struck


async def remind_again(
    tx: Transaction, calendars: Calendars, record: Record, struck: Sequence[Event], now: datetime
) -> Record:
    """The record with the reminders that follow those of somebody's last one."""
    stage, moments = record.approval.current_stage, record.moments
    if stage is None or moments is None:
        return record
    clocks = {seat.group: clock for seat, clock in stage.clocked()}
    people = await tx.people({event.person_id for event in struck})
    events = list(moments.events)
    for event in struck:
        clock, person = clocks[event.group], people.get(event.person_id)
        calendar = _calendar(calendars, person, clock, now) if person else office(clock)
        following = repeated(event, clock, calendar, now)
        events += [following] if following else []
    return replace(record, moments=replace(moments, events=tuple(sorted(events, key=lambda one: one.at))))


async def escalate(tx: Transaction, record: Record, event: Event) -> tuple[Record, Escalated, list[Person]]:
    """Let others fill the seat as well, from now on.

    Returns:
        The record, what it says of it, and whoever may decide now.
    """
    stage = record.approval.current_stage
    assert stage is not None, "only what waits is escalated"
    seat, clock = next((seat, clock) for seat, clock in stage.clocked() if seat.group is event.group)
    to = clock.escalations[event.nth]
    people = await _stand_ins(tx, record, seat, to)
    stand_ins = tuple((person.person_id, basis) for person, basis in people)
    escalated = Escalated(seat.group, to.to, event.at, stand_ins)
    approval = replace(record.approval, escalated=(*record.approval.escalated, escalated))
    return replace(record, approval=approval), escalated, [person for person, _basis in people]


async def _stand_ins(tx: Transaction, record: Record, seat: Seat, to: Escalation) -> list[tuple[Person, str]]:
    if to.group:
        found = [(person, basis_of_group(to.group)) for person in await tx.members({to.group})]
    else:
        asked = [one for one in await tx.members({seat.group}) if _asked(record, seat, one) and one.delegate_id]
        delegates = await tx.people({one.delegate_id for one in asked if one.delegate_id})
        pairs = {one.delegate_id: one.person_id for one in reversed(asked)}  # one basis is enough for one delegate
        found = [(person, basis_of_delegate(pairs[person_id])) for person_id, person in sorted(delegates.items())]
    return [
        (person, basis)
        for person, basis in found
        if not person.belongs_to(seat.group)
        and may_see_all(person)
        and _able(record, seat, person)
        and not asked_elsewhere(record.approval, person)
    ]


def _asked(record: Record, seat: Seat, person: Person) -> bool:
    return person.belongs_to(seat.group) and _able(record, seat, person)


def _able(record: Record, seat: Seat, person: Person) -> bool:
    """Whether nothing but their group could speak against the person."""
    approval = record.approval
    said = [known for known in approval.decisions if known.verdict.settles and known.round == approval.round]
    if any(known.person_id == person.person_id for known in said):
        return False
    try:
        check_independent(approval.requester_id, person, record.change.customer_id)
        check_limit(seat, person, record.base_minor, approval.kind)
    except NotAllowed:
        return False
    return True


def _calendar(calendars: Calendars, person: Person, clock: Clock, now: datetime) -> Calendar:
    """The person's, or the office's where theirs cannot be used or has no such hours: nothing waits for ever."""
    found = calendars.of(person, now)
    longest = max(clock.due_hours, clock.expire_hours, clock.remind_every, *clock.remind_hours)
    try:
        if found:
            hours_after(found, now, longest)
            return found
    except NeverOpen:
        pass
    return office(clock)
