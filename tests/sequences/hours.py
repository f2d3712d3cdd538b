"""Business hours counted anew, day by day, and what clocks must hold by that count."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.approval import State
from plixo.domain.business_time import Calendar, parse_office
from plixo.domain.clocks import Event, Moments
from plixo.domain.decision import Verdict
from plixo.domain.path import Clock, Seat
from plixo.domain.people import Person
from plixo.ports import Record
from tests.sequences.books import Written

ROUNDED: Final = 2
"""Seconds that may be lost where moments are kept as whole ones."""

_CALENDARS: Final = PeoplesCalendars()


def worked(calendar: Calendar, since: float, until: float) -> float:
    """Seconds of business time from one moment to a later one, both in seconds since 1970."""
    zone = ZoneInfo(calendar.time_zone)
    day = datetime.fromtimestamp(since, zone).date() - timedelta(days=2)
    last = datetime.fromtimestamp(until, zone).date()
    passed = 0.0
    while day <= last:
        if day.weekday() in calendar.days and day not in calendar.closed:
            ends = day if calendar.closes > calendar.opens else day + timedelta(days=1)
            opens = datetime.combine(day, calendar.opens, zone).timestamp()
            closes = datetime.combine(ends, calendar.closes, zone).timestamp()
            passed += max(0.0, min(closes, until) - max(opens, since))
        day += timedelta(days=1)
    return passed


def asked(record: Record, seat: Seat, people: Mapping[str, Person]) -> list[Person]:
    """Who could decide on all of it for the seat: in the group, independent, within limits, and not heard yet."""
    approval = record.approval
    heard = {one.person_id for one in approval.decisions if one.verdict in {Verdict.APPROVE, Verdict.REJECT}}
    found = []
    for person in people.values():
        most = (
            None if seat.limit_minor is None else min(seat.limit_minor, person.limits.get("credit", seat.limit_minor))
        )
        free = person.person_id not in heard | {approval.requester_id}
        fits = (
            seat.group in person.groups and person.active and record.change.customer_id not in person.related_customers
        )
        if free and fits and (most is None or record.base_minor <= most):
            found.append(person)
    return found


def _calendars(record: Record, seat: Seat, clock: Clock, line: Written) -> dict[str, Calendar]:
    found = {one.person_id: _CALENDARS.of(one, line.now) for one in asked(record, seat, line.people)}
    return {who: calendar for who, calendar in found.items() if calendar} or {"": parse_office(clock.office)}


def check_moments(before: Record, after: Record, line: Written) -> None:
    """A stage that begins gives everybody their hours; afterwards nothing vanishes that was not due."""
    was, now = before.moments, after.moments
    if after.approval.state is not State.WAITING or now is None or (was and was.pause):
        return
    begins = before.approval.state is State.ROUTING or before.approval.stage != after.approval.stage
    if begins:
        _check_beginning(after, now, line)
    elif was:
        gone = [event for event in was.events if event not in now.events and event.at > line.now.timestamp() + 60]
        assert not gone, f"forgotten before it was due: {gone}"
        assert (was.due, was.expire) == (now.due, now.expire), f"the clock was changed: {was} to {now}"


def _check_beginning(after: Record, moments: Moments, line: Written) -> None:
    since = line.now.timestamp()
    stage = after.approval.path.stages[after.approval.stage]
    lasts = []
    for seat, clock in stage.clocked():
        people = _calendars(after, seat, clock, line)
        for nth, hours in enumerate(clock.remind_hours):
            mine = {e.person_id: e.at for e in moments.events if _is(e, seat, nth)}
            assert set(mine) == set(people), f"others are reminded: {set(mine)} instead of {set(people)}"
            for who, at in mine.items():
                assert abs(worked(people[who], since, at) - hours * 3600) < ROUNDED, f"not after {hours} hours: {who}"
        lasts += [worked(one, since, moments.expire) - clock.expire_hours * 3600 for one in people.values()]
    if moments.expire:
        assert min(lasts) > -ROUNDED, f"it expires before somebody had their hours: {lasts}"
        assert min(lasts) < ROUNDED, f"it expires after everybody had their hours: {lasts}"


def check_resumed(before: Record, after: Record, line: Written) -> None:
    """A clock that stood still gives everybody their hours back."""
    was, now = before.moments, after.moments
    if after.approval.state is not State.WAITING or not (was and was.pause and now):
        return
    stopped, since = was.pause.since, line.now.timestamp()
    stage = after.approval.path.stages[after.approval.stage]
    left = []
    for seat, clock in stage.clocked():
        for who, calendar in _calendars(after, seat, clock, line).items():
            for event in was.events:
                same = next((e for e in now.events if _named(e) == _named(event)), None)
                assert same, f"forgotten while the clock stood still: {event}"
                if event.group is seat.group and event.at > stopped and event.person_id in {who, ""}:
                    gained = worked(calendar, since, same.at) - worked(calendar, stopped, event.at)
                    assert gained > -ROUNDED, f"hours were lost: {gained} of {who} until {event}"
                    assert not event.person_id or gained < ROUNDED, f"hours were won: {gained} of {who} until {event}"
            if was.expire > stopped:
                left.append(worked(calendar, since, now.expire) - worked(calendar, stopped, was.expire))
    assert not left or -ROUNDED < min(left) < ROUNDED, f"the hours left until it expires have changed: {left}"


def _is(event: Event, seat: Seat, nth: int) -> bool:
    return (event.what, event.group, event.nth) == ("remind", seat.group, nth)


def _named(event: Event) -> tuple[object, ...]:
    return event.what, event.group, event.nth, event.person_id
