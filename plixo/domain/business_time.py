"""Business time: hours in which somebody is at work, in their own time zone and less their holidays.

Hours are hours that really pass: on the night the clocks go forward, a shift across it is an hour shorter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = frozenset(range(5))
"""Monday to Friday, as `datetime.weekday` counts."""

REACH_DAYS: Final = 10 * 366
"""How far a calendar is followed: whoever is not at work for so long never comes back."""

_DAY: Final = timedelta(days=1)
_NOTHING: Final = timedelta(0)


class CalendarInvalid(ValueError):
    """A calendar cannot be used; it says why, and what would be right."""


class NeverOpen(CalendarInvalid):
    """A calendar has no hours in which anybody works, or not enough of them in ten years."""


@dataclass(frozen=True)
class Calendar:
    """When somebody works.

    Attributes:
        time_zone: IANA name.
        opens: When a working day begins, in local time.
        closes: When it ends; where that is not after `opens`, on the following day, so equal ones are 24 hours.
        days: Days of the week on which a working day may begin, Monday being 0.
        closed: Dates on which none begins.
    """

    time_zone: str
    opens: time = time(9)
    closes: time = time(17)
    days: frozenset[int] = WEEKDAYS
    closed: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what could never be followed.

        Raises:
            CalendarInvalid: There is no such time zone.
            NeverOpen: It has no day.
        """
        if not self.days & frozenset(range(7)):
            raise NeverOpen("A calendar needs a day of the week on which somebody works.")
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, KeyError) as unknown:
            problem = f"{self.time_zone} is no IANA time zone, such as Europe/Berlin."
            raise CalendarInvalid(problem) from unknown


def parse_hours(text: str) -> tuple[time, time]:
    """Opening and closing of hours such as `09:00-17:00`.

    Raises:
        CalendarInvalid: It does not read like that.
    """
    opens, _, closes = text.partition("-")
    try:
        return time.fromisoformat(opens), time.fromisoformat(closes)
    except ValueError as broken:
        raise CalendarInvalid(f"{text} does not read like 09:00-17:00.") from broken


def parse_office(text: str) -> Calendar:
    """The calendar of an office such as `Mon-Fri 09:00-17:00 UTC`; it keeps no holidays.

    Raises:
        CalendarInvalid: It does not read like that.
    """
    shaped = _OFFICE.fullmatch(text)
    if shaped is None:
        raise CalendarInvalid(f"{text} does not read like Mon-Fri 09:00-17:00 UTC.")
    first, last, hours, zone = shaped.groups()
    opens, closes = parse_hours(hours)
    begins, ends = _DAYS.index(first), _DAYS.index(last or first)
    days = frozenset((begins + number) % 7 for number in range((ends - begins) % 7 + 1))
    return Calendar(zone, opens, closes, days)


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_OFFICE: Final = re.compile(rf"({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))? (\S+) (\S+)", re.ASCII)


def hours_after(calendar: Calendar, moment: datetime, hours: float) -> datetime:
    """The first moment by which so many business hours have passed; the moment itself for none.

    Args:
        calendar: Whose hours.
        moment: With its zone.
        hours: None or more.

    Returns:
        In UTC.

    Raises:
        NeverOpen: There are not so many within ten years.
    """
    left = timedelta(hours=hours)
    if left < _NOTHING:
        raise ValueError("business hours are counted forward")
    moment = moment.astimezone(UTC)
    if not left:
        return moment
    for opens, closes in _open_from(calendar, moment):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise NeverOpen(f"There are not {hours:g} business hours within ten years.")


def hours_between(calendar: Calendar, since: datetime, until: datetime) -> timedelta:
    """Business time from one moment to another, less than nothing where the second comes first.

    Raises:
        NeverOpen: They are further apart than ten years.
    """
    if until < since:
        return -hours_between(calendar, until, since)
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    if until - since > (REACH_DAYS - 2) * _DAY:
        raise NeverOpen("Business time is followed for ten years at most.")
    passed = _NOTHING
    for opens, closes in _open_from(calendar, since):
        if opens >= until:
            break
        passed += min(closes, until) - opens
    return passed


def next_day(calendar: Calendar, moment: datetime) -> datetime:
    """When the first working day begins that is not that of the moment, by the calendar's own clock, in UTC.

    Raises:
        NeverOpen: There is none within ten years.
    """
    zone = ZoneInfo(calendar.time_zone)
    today = moment.astimezone(zone).date()
    later = (opens for opens, _ in _open_from(calendar, moment) if opens.astimezone(zone).date() > today)
    found = next(later, None)
    if found is None:
        raise NeverOpen("Nobody is at work within ten years.")
    return found


def _open_from(calendar: Calendar, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every stretch of business time from the moment on, in UTC, in order and without overlaps."""
    zone = ZoneInfo(calendar.time_zone)
    # A stretch that began two local days ago may reach into the moment: across midnight, and across a change of date.
    first, free_from = moment.astimezone(zone).date() - 2 * _DAY, moment
    for number in range(REACH_DAYS):
        day = first + number * _DAY
        if day.weekday() not in calendar.days or day in calendar.closed:
            continue
        ends_on = day if calendar.closes > calendar.opens else day + _DAY
        opens = max(datetime.combine(day, calendar.opens, zone).astimezone(UTC), free_from)
        closes = datetime.combine(ends_on, calendar.closes, zone).astimezone(UTC)
        if opens < closes:
            yield opens, closes
            free_from = closes
