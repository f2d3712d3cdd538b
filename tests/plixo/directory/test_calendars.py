"""People's calendars: their own hours, time zone and public holidays."""

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from plixo.directory.calendars import PeoplesCalendars, calendar_in_words, keeps_holidays, warm_up
from plixo.domain.business_time import Calendar, hours_after
from plixo.domain.people import Group, Person

NOW = datetime(2026, 8, 3, 14, 0, tzinfo=UTC)
LEGAL = Person(
    "p-legal",
    "Legal",
    "legal@plixo.example",
    frozenset({Group.LEGAL}),
    time_zone="Europe/Berlin",
    working_hours="08:30-16:30",
    holidays="DE",
)


def calendar(person: Person, around: datetime = NOW) -> Calendar:
    found = PeoplesCalendars().of(person, around)
    assert found is not None
    return found


def test_a_person_works_their_own_hours_in_their_own_time_zone() -> None:
    found = calendar(LEGAL)
    assert (found.time_zone, found.opens, found.closes) == ("Europe/Berlin", time(8, 30), time(16, 30))
    assert found.days == frozenset(range(5))
    assert {date(2026, 10, 3), date(2026, 12, 25), date(2028, 5, 1)} <= found.closed


def test_a_holiday_of_one_country_is_a_working_day_of_another() -> None:
    thanksgiving = date(2026, 11, 26)
    assert thanksgiving in calendar(replace(LEGAL, holidays="US")).closed
    assert thanksgiving not in calendar(LEGAL).closed


def test_a_subdivision_has_holidays_of_its_own() -> None:
    epiphany = date(2027, 1, 6)
    assert epiphany in calendar(replace(LEGAL, holidays="DE-BY")).closed
    assert epiphany not in calendar(LEGAL).closed


def test_a_country_keeps_its_own_weekend() -> None:
    assert calendar(replace(LEGAL, holidays="EG")).days == frozenset({6, 0, 1, 2, 3})


def test_the_turn_of_the_year_has_its_holidays() -> None:
    found = calendar(LEGAL, datetime(2026, 12, 31, 14, 30, tzinfo=UTC))
    assert hours_after(found, datetime(2026, 12, 31, 14, 30, tzinfo=UTC), 2) == datetime(2027, 1, 4, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("place", ["XX", "DE-ZZ", "", "Germany", "os", "de"])
def test_a_place_that_nobody_knows_has_no_holidays_and_says_so(place: str) -> None:
    person = replace(LEGAL, holidays=place)
    assert calendar(person).closed == frozenset()
    assert not keeps_holidays(person)
    assert calendar_in_words(person) == f"08:30-16:30 Europe/Berlin, no holidays: {place} is not known"


def test_a_place_that_is_known_says_so() -> None:
    warm_up()
    assert keeps_holidays(LEGAL)
    assert calendar_in_words(LEGAL) == "08:30-16:30 Europe/Berlin, holidays of DE"


@pytest.mark.parametrize(
    "broken",
    [{"time_zone": "Europe/Atlantis"}, {"time_zone": ""}, {"working_hours": "9-17"}, {"working_hours": ""}],
)
def test_what_the_directory_says_of_somebody_may_make_no_calendar(broken: dict[str, str]) -> None:
    assert PeoplesCalendars().of(replace(LEGAL, **broken), NOW) is None
