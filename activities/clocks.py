"""The clocks of a waiting stage: set when it begins, kept on the request, and heeded when something is due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from temporalio.exceptions import ApplicationError

from plixo.domain.business_time import Calendar, NeverOpen, hours_after
from plixo.domain.clocks import Event, Happening, Moments, office, repeated, stage_moments
from plixo.domain.duties import asked_elsewhere, check_independent, check_limit, may_see_all
from plixo.domain.escalation import Escalated, basis_of_delegate, basis_of_group
from plixo.domain.path import Clock, Escalation, Seat, Stage
from plixo.domain.people import Person
from plixo.domain.refusals import NotAllowed
from plixo.messages.approvals import Step
from plixo.ports import Calendars, Record, Transaction

EARLY_SECONDS: Final = 60
"""How far our clock may be behind the workflow's when it says that something is due."""


async def with_clocks(tx: Transaction, calendars: Calendars, record: Record, now: datetime) -> Record:
    """The record with the moments of a stage that begins now; any other as it is."""
    stage = record.approval.current_stage
    if stage is None or record.moments or record.stage_since != now:
        return record
    members = await tx.members(stage.groups)
    able = [(seat, [one for one in members if _asked(record, seat, one)]) for seat in stage.seats]
    moments = moments_of(stage, dict(able), calendars, now)
    return replace(record, moments=moments, due_at=datetime.fromtimestamp(moments.due, now.tzinfo))


def moments_of(stage: Stage, asked: Mapping[Seat, Sequence[Person]], calendars: Calendars, now: datetime) -> Moments:
    """When everything happens to a stage that begins now and asks these people; the same for a preview."""
    kept = [
        {person.person_id: _calendar(calendars, person, clock, now) for person in asked[seat]}
        for seat, clock in stage.clocked()
    ]
    return stage_moments(stage, kept, now)


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
    if any((known.person_id, known.round) == (person.person_id, approval.round) for known in approval.decisions):
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
