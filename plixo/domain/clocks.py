"""What happens to a stage by the clock: who is reminded, who may decide as well, and when it ends.

A stage's moments are worked out once, when it begins, and kept on the request: whoever changes their hours or takes a
day off later changes nothing that was promised.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from plixo.domain.business_time import Calendar, hours_after, hours_between, parse_office
from plixo.domain.path import Clock, Seat, Stage
from plixo.domain.people import Group


class Happening(StrEnum):
    """What can be due; of two at one moment the first here comes first."""

    REMIND = "remind"
    ESCALATE = "escalate"
    EXPIRE = "expire"


@dataclass(frozen=True)
class Event:
    """Something that is going to happen.

    Attributes:
        at: Seconds since 1970 in UTC.
        what: Reminding or escalating.
        group: Whose seat it is about.
        nth: Which of the seat's reminders or escalations, from 0.
        person_id: Who is reminded; empty for whoever is in the group by then.
    """

    at: int
    what: Happening
    group: Group
    nth: int
    person_id: str = ""


@dataclass(frozen=True)
class Pause:
    """The clock stands still while an answer is awaited.

    Attributes:
        since: Seconds since 1970 in UTC.
        until: When the request goes back to its requester unless they have answered by then.
    """

    since: int
    until: int


@dataclass(frozen=True)
class Moments:
    """The moments of a stage that waits.

    Attributes:
        due: When its answer is due, seconds since 1970 in UTC.
        expire: When it goes back to its requester; 0 for never.
        events: What is going to happen until then, in order.
        pause: What stopped the clock; None while it runs.
    """

    due: int
    expire: int
    events: tuple[Event, ...] = ()
    pause: Pause | None = None

    def upcoming(self, groups: Iterable[Group]) -> tuple[Event, ...]:
        """What still concerns a seat of these groups, in order."""
        return tuple(event for event in self.events if event.group in set(groups))

    def following(self, groups: Iterable[Group]) -> tuple[str, int]:
        """What comes next while these groups are waited for, and when; `nothing` at 0 where nothing does."""
        if self.pause:
            return Happening.EXPIRE.value, self.pause.until
        events = [(event.at, event.what) for event in self.upcoming(groups)]
        if self.expire:
            events.append((self.expire, Happening.EXPIRE))
        if not events:
            return "nothing", 0
        at, what = min(events, key=lambda event: (event[0], _ORDER.index(event[1])))
        return what.value, at

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be stored."""
        events = [[one.at, one.what.value, one.group.value, one.nth, one.person_id] for one in self.events]
        pause = {"pause": [self.pause.since, self.pause.until]} if self.pause else {}
        return {"due": self.due, "expire": self.expire, "events": events, **pause}

    @classmethod
    def from_claims(cls, plain: Mapping[str, Any]) -> "Moments":
        """What `to_claims` wrote."""
        events = tuple(
            Event(int(at), Happening(what), Group(group), int(nth), str(person_id))
            for at, what, group, nth, person_id in plain["events"]
        )
        pause = Pause(*map(int, plain["pause"])) if plain.get("pause") else None
        return cls(int(plain["due"]), int(plain["expire"]), events, pause)


_ORDER = tuple(Happening)

Asked = Mapping[str, Calendar]
"""The calendars of the people that are asked for a seat, by their id."""


def stage_moments(stage: Stage, asked: Sequence[Asked], since: datetime) -> Moments:
    """When everything happens to a stage.

    Everybody who is asked has had the hours in their own calendar: what happens to the whole stage, happens when the
    last of them has. Reminders go to each by their own.

    Args:
        stage: What begins to wait.
        asked: Per seat; where nobody is asked, the office's hours count.
        since: When it begins.
    """
    seats = [
        _seat_moments(seat, clock, people, since) for (seat, clock), people in zip(stage.clocked(), asked, strict=True)
    ]
    expiries = [seat.expire for seat in seats]
    events = sorted(
        (event for seat in seats for event in seat.events), key=lambda one: (one.at, _ORDER.index(one.what))
    )
    return Moments(
        due=max(seat.due for seat in seats),
        expire=max(expiries) if all(expiries) else 0,
        events=tuple(events),
    )


def resumed(moments: Moments, stage: Stage, asked: Sequence[Asked], now: datetime) -> Moments:
    """The moments of a stage whose clock goes on: everybody has the hours left that they had when it stopped.

    Args:
        moments: Paused.
        stage: The one that waits again.
        asked: Per seat, as for `stage_moments`.
        now: When it goes on.
    """
    assert moments.pause is not None, "only what was paused is resumed"
    stopped = moments.pause.since
    since = datetime.fromtimestamp(stopped, UTC)
    calendars = {
        seat.group: people or {"": office(clock)} for (seat, clock), people in zip(stage.clocked(), asked, strict=True)
    }

    def later(calendar: Calendar, at: int) -> int:
        if at <= stopped:
            return at
        left = hours_between(calendar, since, datetime.fromtimestamp(at, UTC))
        return _seconds(hours_after(calendar, now, left / timedelta(hours=1)))

    def last(at: int, *people: Asked) -> int:
        return max(later(calendar, at) for one in people for calendar in one.values())

    def moved(event: Event) -> Event:
        people = calendars[event.group]
        one = people.get(event.person_id)
        return replace(event, at=later(one, event.at) if one else last(event.at, people))

    return Moments(
        due=last(moments.due, *calendars.values()),
        expire=last(moments.expire, *calendars.values()) if moments.expire else 0,
        events=tuple(sorted(map(moved, moments.events), key=lambda one: (one.at, _ORDER.index(one.what)))),
    )


def repeated(event: Event, clock: Clock, calendar: Calendar, now: datetime) -> Event | None:
    """The reminder that follows the seat's last one; those that nobody could have sent by now are left out."""
    if not clock.remind_every or event.nth + 1 < len(clock.remind_hours):
        return None
    following = event
    while following.at <= now.timestamp():
        at = _seconds(hours_after(calendar, datetime.fromtimestamp(following.at, UTC), clock.remind_every))
        following = replace(following, at=at, nth=following.nth + 1)
    return following


def office(clock: Clock) -> Calendar:
    """The hours that count where nobody is asked."""
    return parse_office(clock.office)


def _seat_moments(seat: Seat, clock: Clock, asked: Asked, since: datetime) -> Moments:
    people: Asked = asked or {"": office(clock)}

    def last(hours: int) -> int:
        return max(_seconds(hours_after(calendar, since, hours)) for calendar in people.values())

    reminders = [
        Event(_seconds(hours_after(calendar, since, hours)), Happening.REMIND, seat.group, nth, person_id)
        for person_id, calendar in people.items()
        for nth, hours in enumerate(clock.remind_hours)
    ]
    escalations = [
        Event(last(one.hours), Happening.ESCALATE, seat.group, nth) for nth, one in enumerate(clock.escalations)
    ]
    expire = last(clock.expire_hours) if clock.expire_hours else 0
    return Moments(last(clock.due_hours), expire, (*reminders, *escalations))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
