"""The clocks of a waiting stage: set when it begins, kept on the request, and heeded when something is due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.instead import LessAbsences, with_stand_ins
from plixo.domain.absence import Absence, away
from plixo.domain.approval import State
from plixo.domain.business_time import Calendar, NeverOpen, hours_after, parse_office
from plixo.domain.clocks import Event, Happening, Moments, Pause, office, repeated, resumed, stage_moments
from plixo.domain.duties import asked_elsewhere, basis_for, may_see_all
from plixo.domain.escalation import Escalated, basis_of_delegate, basis_of_fallback, basis_of_group
from plixo.domain.path import OFFICE_HOURS, Clock, Escalation, Seat, Stage
from plixo.domain.people import Person
from plixo.domain.seating import Case, Seating, seatings
from plixo.messages.approvals import Step
from plixo.ports import AuditEntry, Calendars, Record, Transaction

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
    if not _changes(record, now):
        return record
    absences = [one.absence for one in await tx.absences(now)]
    calendars = LessAbsences(calendars, absences)
    if state is State.RETURNED:
        ends = await _requesters_hours(tx, calendars, record, RETURNED_HOURS, now)
        return _with(record, Moments(ends, ends), ends)
    if state is State.NEEDS_INFORMATION:
        until = await _requesters_hours(tx, calendars, record, ANSWER_HOURS, now)
        moments = moments or await _stage_moments(tx, calendars, record, absences, now)
        return _with(record, replace(moments, pause=Pause(int(now.timestamp()), until)), until)
    if moments and moments.pause:
        stage = record.approval.path.stages[record.approval.stage]
        asked = await _asked_people(tx, record, stage, absences, now)
        moments = resumed(moments, stage, _calendars_of(stage, asked, calendars, now), now)
        return _with(record, moments, moments.due)
    return await _begun(tx, calendars, record, absences, now)


def _changes(record: Record, now: datetime) -> bool:
    """Whether the clock is another one by now."""
    state, moments = record.approval.state, record.moments
    if state is State.NEEDS_INFORMATION:
        return not (moments and moments.pause)
    if state is State.RETURNED:
        return moments is None
    return state is State.WAITING and bool(moments.pause if moments else record.stage_since == now)


async def _begun(
    tx: Transaction, calendars: Calendars, record: Record, absences: Sequence[Absence], now: datetime
) -> Record:
    """The record with who could decide on a stage that begins now, those in an empty group's place, and its clock."""
    stage = record.approval.path.stages[record.approval.stage]
    fallbacks = {seat.fallback for seat in stage.seats if seat.fallback}
    found = seatings(stage, await tx.members({*stage.groups, *fallbacks}), case_of(record))
    instead = tuple(_instead(one, now) for one in found if one.fallback)
    could = tuple((one.seat.group, len(one.able)) for one in found)
    record = replace(record, approval=replace(record.approval, escalated=instead, could=could))
    asked = await _present(tx, record, {one.seat: one.able for one in found}, absences, now)
    moments = moments_of(stage, asked, calendars, now)
    return _with(record, moments, moments.due)


def _with(record: Record, moments: Moments, due: int) -> Record:
    return replace(record, moments=moments, due_at=datetime.fromtimestamp(due, UTC))


async def _stage_moments(
    tx: Transaction, calendars: Calendars, record: Record, absences: Sequence[Absence], now: datetime
) -> Moments:
    stage = record.approval.path.stages[record.approval.stage]
    return moments_of(stage, await _asked_people(tx, record, stage, absences, now), calendars, now)


async def _asked_people(
    tx: Transaction, record: Record, stage: Stage, absences: Sequence[Absence], now: datetime
) -> Mapping[Seat, Sequence[Person]]:
    fallen = {one.seat: one for one in record.approval.escalated if one.fallback}
    instead = await tx.people({person_id for one in fallen.values() for person_id, _basis in one.stand_ins})
    members = (*await tx.members(stage.groups), *instead.values())
    asked = {
        seat: [one for one in members if _asked(record, seat, one, fallen.get(seat.group))] for seat in stage.seats
    }
    return await _present(tx, record, asked, absences, now)


async def _present(
    tx: Transaction,
    record: Record,
    asked: Mapping[Seat, Sequence[Person]],
    absences: Sequence[Absence],
    now: datetime,
) -> Mapping[Seat, Sequence[Person]]:
    """Who is asked and there, and whoever stands in for the others; where nobody is, all of them by their own hours.

    The hours of everybody here count: of who stands in as well.
    """
    if not any(away(absences, one.person_id, now) for people in asked.values() for one in people):
        return asked
    standing_in = (await with_stand_ins(tx, record, now)).approval.standing_in
    last = await tx.people({one.stand_ins[-1][0] for one in standing_in})
    present = {
        seat: [one for one in people if not away(absences, one.person_id, now)]
        + [last[one.stand_ins[-1][0]] for one in standing_in if one.seat is seat.group]
        for seat, people in asked.items()
    }
    return {seat: present[seat] or people for seat, people in asked.items()}


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


def case_of(record: Record) -> Case:
    """What matters of a request when it is worked out who could decide on it."""
    return Case(record.approval, record.change.customer_id, record.base_minor)


async def tell_of_empty_groups(tx: Transaction, before: Record, after: Record, now: datetime) -> None:
    """Write down for a stage that has just begun in which of its groups nobody could decide, and who does instead."""
    approval = after.approval
    if after.moments is None or (before.moments and before.approval.stage == approval.stage):
        return
    instead = {one.seat: one for one in approval.escalated if one.fallback}
    for group, people in approval.could:
        found = instead.get(group)
        if found or not people:
            who = [person_id for person_id, _basis in found.stand_ins] if found else []
            detail = {"group": group.value, "to": found.to if found else "", "people": who}
            await tx.audit(AuditEntry(approval.approval_id, "group_empty", "system", detail), now)


def _instead(found: Seating, now: datetime) -> Escalated:
    assert found.fallback is not None
    basis = basis_of_fallback(found.fallback)
    stand_ins = tuple((person.person_id, basis) for person in found.able)
    return Escalated(found.seat.group, found.fallback.value, int(now.timestamp()), stand_ins, fallback=True)


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
    calendars = LessAbsences(calendars, [one.absence for one in await tx.absences(now)])
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
        and not case_of(record).against(seat, person)
        and not asked_elsewhere(record.approval, person)
        and not basis_for(record.approval, person, seat)
    ]


def _asked(record: Record, seat: Seat, person: Person, fallen: Escalated | None = None) -> bool:
    """Whether they are asked for the seat, or for the empty one's fallback, and could decide."""
    meant = person.belongs_to(seat.group) or bool(fallen and fallen.basis_of(person.person_id))
    return meant and not case_of(record).against(seat, person)


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
