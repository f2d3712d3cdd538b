"""Business time, against days that a person counted and against rules that hold for any calendar."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plixo.domain.business_time import (
    Calendar,
    CalendarInvalid,
    NeverOpen,
    hours_after,
    hours_between,
    parse_hours,
    parse_office,
)

BERLIN = Calendar("Europe/Berlin")
NEW_YORK = Calendar("America/New_York")
UTC_DAYS = Calendar("UTC")
NIGHTS = Calendar("Europe/Berlin", time(22), time(6), frozenset(range(7)))
ALWAYS = Calendar("UTC", time(0), time(0), frozenset(range(7)))
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Asia/Kathmandu",
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Kiritimati",
    "America/St_Johns",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


times = st.times(max_value=time(23, 59)).map(lambda found: found.replace(second=0, microsecond=0))


def at_most(moment: time, *, minutes: int) -> time:
    """So much later, or the last minute of the day."""
    later = moment.hour * 60 + moment.minute + minutes
    return time(*divmod(min(later, 24 * 60 - 1), 60))


calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES),
    times,
    times,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.frozensets(st.dates(date(2011, 12, 1), date(2012, 4, 30)), max_size=20),
).filter(lambda found: not found.opens < found.closes < at_most(found.opens, minutes=30))
"""A day of some minutes a week makes fewer hours within ten years than are counted here."""
moments = st.datetimes(datetime(2011, 12, 20), datetime(2012, 4, 20), timezones=st.just(UTC))  # noqa: DTZ001 - a zone is added
hours = st.integers(0, 80)


@given(calendars, moments, hours, hours)
@settings(deadline=None)
def test_hours_add_up(calendar: Calendar, moment: datetime, some: int, more: int) -> None:
    apart = hours_after(calendar, hours_after(calendar, moment, some), more)
    assert apart == hours_after(calendar, moment, some + more)


@given(calendars, moments, hours)
@settings(deadline=None)
def test_between_is_the_inverse_of_after(calendar: Calendar, moment: datetime, some: int) -> None:
    there = hours_after(calendar, moment, some)
    assert there >= moment
    assert hours_between(calendar, moment, there) == timedelta(hours=some)
    assert hours_between(calendar, there, moment) == -timedelta(hours=some)


@given(calendars, moments, st.integers(0, 3000), st.integers(0, 80))
@settings(deadline=None)
def test_later_or_longer_is_never_earlier(calendar: Calendar, moment: datetime, minutes: int, some: int) -> None:
    later = moment + timedelta(minutes=minutes)
    assert hours_after(calendar, later, some) >= hours_after(calendar, moment, some)
    assert hours_after(calendar, moment, some + 1) > hours_after(calendar, moment, some)
    assert hours_between(calendar, moment, later) <= later - moment


@given(calendars, moments, moments, moments)
@settings(deadline=None)
def test_stretches_add_up_in_any_order(calendar: Calendar, one: datetime, two: datetime, three: datetime) -> None:
    first, second = hours_between(calendar, one, two), hours_between(calendar, two, three)
    assert first + second == hours_between(calendar, one, three)


@pytest.mark.parametrize(
    ("calendar", "since", "some", "until"),
    [
        (NEW_YORK, "2026-08-03 14:00", 4, "2026-08-03 18:00"),
        (NEW_YORK, "2026-08-03 14:00", 8, "2026-08-04 14:00"),
        (NEW_YORK, "2026-08-03 14:00", 7, "2026-08-03 21:00"),  # to the minute of closing, not to the next morning
        (NEW_YORK, "2026-08-07 14:00", 8, "2026-08-10 14:00"),  # over a weekend
        (NEW_YORK, "2026-08-08 03:00", 1, "2026-08-10 14:00"),  # asked at night before it
        (NEW_YORK, "2026-08-03 14:00", 40, "2026-08-10 14:00"),
        (NEW_YORK, "2026-03-06 15:00", 8, "2026-03-09 14:00"),  # from 15:00 UTC in winter to 14:00 in summer
        (BERLIN, "2026-10-23 08:00", 8, "2026-10-26 09:00"),
        (UTC_DAYS, "2028-02-28 10:00", 16, "2028-03-01 10:00"),  # by way of 29 February
        (UTC_DAYS, "2027-02-26 10:00", 8, "2027-03-01 10:00"),
        (NIGHTS, "2026-08-03 20:00", 8, "2026-08-04 04:00"),
        (NIGHTS, "2026-08-04 01:00", 4, "2026-08-04 21:00"),  # in the middle of a night that began the day before
        (NIGHTS, "2026-03-28 21:00", 8, "2026-03-29 21:00"),  # that night has seven hours
        (NIGHTS, "2026-10-24 20:00", 9, "2026-10-25 05:00"),  # and that one nine
        (ALWAYS, "2026-12-24 20:00", 40, "2026-12-26 12:00"),
    ],
)
def test_a_person_counts_the_same(calendar: Calendar, since: str, some: int, until: str) -> None:
    assert hours_after(calendar, at(since), some) == at(until)
    assert hours_between(calendar, at(since), at(until)) == timedelta(hours=some)


def test_weeks_of_holidays_are_waited_out() -> None:
    closed = frozenset(date(2026, 12, 21) + timedelta(days=day) for day in range(21))
    shut = Calendar("Europe/Berlin", closed=closed)
    assert hours_after(shut, at("2026-12-18 14:00"), 8) == at("2027-01-11 14:00")
    assert hours_between(shut, at("2026-12-19 00:00"), at("2027-01-10 00:00")) == timedelta(0)


def test_no_hours_are_the_moment_itself() -> None:
    assert hours_after(BERLIN, at("2026-08-08 03:00"), 0) == at("2026-08-08 03:00")


def test_a_date_that_was_left_out_is_worked_once() -> None:
    apia = Calendar("Pacific/Apia", days=frozenset(range(7)))
    assert hours_between(apia, at("2011-12-29 00:00"), at("2012-01-02 00:00")) == timedelta(hours=32)


def test_a_calendar_that_is_never_open_is_refused() -> None:
    with pytest.raises(NeverOpen, match="needs a day"):
        Calendar("UTC", days=frozenset())
    with pytest.raises(NeverOpen, match="needs a day"):
        Calendar("UTC", days=frozenset({7}))
    ten_years = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(3700))
    with pytest.raises(NeverOpen, match="not 1 business hours within ten years"):
        hours_after(Calendar("UTC", closed=ten_years), at("2026-01-05 00:00"), 1)
    with pytest.raises(NeverOpen, match="ten years"):
        hours_after(UTC_DAYS, at("2026-01-05 00:00"), 10**6)
    with pytest.raises(NeverOpen, match="ten years"):
        hours_between(UTC_DAYS, at("2026-01-05 00:00"), at("2036-02-05 00:00"))


def test_hours_are_not_counted_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        hours_after(UTC_DAYS, at("2026-01-05 00:00"), -1)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", ""])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(CalendarInvalid, match="no IANA time zone"):
        Calendar(zone)


def test_hours_are_read_from_their_text() -> None:
    assert parse_hours("08:30-17:00") == (time(8, 30), time(17))


@pytest.mark.parametrize("text", ["", "9-17", "09:00", "09:00-25:00", "09:00 - 17:00"])
def test_hours_that_do_not_read_like_hours_are_refused(text: str) -> None:
    with pytest.raises(CalendarInvalid, match="09:00-17:00"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mon-Fri 09:00-17:00 UTC", UTC_DAYS),
        (
            "Sun-Thu 08:00-16:30 Africa/Cairo",
            Calendar("Africa/Cairo", time(8), time(16, 30), frozenset({6, 0, 1, 2, 3})),
        ),
        ("Sat 10:00-12:00 UTC", Calendar("UTC", time(10), time(12), frozenset({5}))),
        ("Mon-Sun 00:00-00:00 UTC", ALWAYS),
    ],
)
def test_an_office_is_read_from_its_text(text: str, found: Calendar) -> None:
    assert parse_office(text) == found


@pytest.mark.parametrize(
    "text", ["", "Mon-Fri", "Mo-Fr 09:00-17:00 UTC", "Mon-Fri 9-17 UTC", "Mon-Fri 09:00-17:00 Mars"]
)
def test_an_office_that_does_not_read_like_one_is_refused(text: str) -> None:
    with pytest.raises(CalendarInvalid):
        parse_office(text)
