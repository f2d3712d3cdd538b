"""Business calendars of people: their working hours, less the public holidays of where they work.

Which days are holidays changes between versions of the library, and it loads countries lazily: this runs in activities
and on the staff side, never inside a workflow.
"""

import logging
import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from plixo.domain.business_time import WEEKDAYS, Calendar, CalendarInvalid, parse_hours
from plixo.domain.people import Person

PLACE: Final = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?", re.ASCII)
"""A country, or a country and its subdivision, such as `DE` or `DE-BY` (ISO 3166)."""

YEARS_AHEAD: Final = 2
"""Holidays are known until the end of the year after next; past that only weekends are free."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Country:
    """What is known of where somebody works.

    Attributes:
        days: Days of the week on which people work there.
        holidays: Public holidays of the years that were asked for.
        known: Whether the place is known at all; one that is not has no holidays.
    """

    days: frozenset[int]
    holidays: frozenset[date]
    known: bool


@dataclass(frozen=True)
class PeoplesCalendars:
    """As `plixo.ports.Calendars`, by the table of people and the published public holidays."""

    def of(self, person: Person, around: datetime) -> Calendar | None:
        """The person's calendar, or None where what the directory says of them makes none."""
        try:
            opens, closes = parse_hours(person.working_hours)
            year = around.astimezone(ZoneInfo(person.time_zone)).year
            place = _country(person.holidays, year)
            return Calendar(person.time_zone, opens, closes, place.days, place.holidays)
        except (CalendarInvalid, ValueError, OSError, KeyError) as unusable:
            log.warning("the calendar of %s cannot be used: %s", person.person_id, unusable)
            return None


def keeps_holidays(person: Person) -> bool:
    """Whether the public holidays of where the person works are known."""
    return _country(person.holidays, _ANY_YEAR).known


def calendar_in_words(person: Person) -> str:
    """When somebody works; it says so where their public holidays are not known."""
    place = person.holidays
    known = f"holidays of {place}" if keeps_holidays(person) else f"no holidays: {place} is not known"
    return f"{person.working_hours} {person.time_zone}, {known}"


_ANY_YEAR: Final = 2026


def warm_up() -> None:
    """Load the library before anybody waits for it; the first look costs a second."""
    _country("US", _ANY_YEAR)


@cache
def _country(place: str, year: int) -> Country:
    import holidays  # noqa: PLC0415 - it takes a while, and not every process needs it

    shaped = PLACE.fullmatch(place)
    if shaped is None:
        return _UNKNOWN
    country, subdivision = shaped.groups()
    try:
        # The year before counts as well: a night shift may have begun in it.
        found = holidays.country_holidays(country, subdiv=subdivision, years=range(year - 1, year + YEARS_AHEAD + 1))
    except NotImplementedError:
        return _UNKNOWN
    return Country(frozenset(range(7)) - frozenset(found.weekend), frozenset(found), known=True)


_UNKNOWN: Final = Country(WEEKDAYS, frozenset(), known=False)
