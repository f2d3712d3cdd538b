"""Weeks and quiet hours."""

from datetime import UTC, datetime, timedelta

import pytest

from plixo.domain.weeks import after_quiet_hours, week_before

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=6), timedelta(days=6, hours=23)])
def test_the_week_before_ended_at_the_last_midnight_to_monday(later: timedelta) -> None:
    week = week_before(MONDAY + later)
    assert (week.name, week.since, week.until) == ("2026-W47", MONDAY - timedelta(days=7), MONDAY)


def test_a_week_begins_at_midnight_in_utc_wherever_one_asks() -> None:
    assert week_before(datetime.fromisoformat("2026-11-23T01:00:00+02:00")).name == "2026-W46"


def test_a_week_is_named_after_the_year_of_its_thursday() -> None:
    assert week_before(datetime(2027, 1, 5, tzinfo=UTC)).name == "2026-W53"


@pytest.mark.parametrize(
    ("at", "zone", "then"),
    [
        ("2026-11-23T06:00", "Europe/Berlin", "2026-11-23T07:00"),
        ("2026-11-23T07:00", "Europe/Berlin", "2026-11-23T07:00"),
        ("2026-11-23T18:59", "Europe/Berlin", "2026-11-23T18:59"),
        ("2026-11-23T19:00", "Europe/Berlin", "2026-11-24T07:00"),
        ("2026-11-23T06:00", "America/Los_Angeles", "2026-11-23T16:00"),
        ("2026-11-23T06:00", "Asia/Tokyo", "2026-11-23T06:00"),
        ("2026-03-29T00:30", "Europe/Berlin", "2026-03-29T06:00"),  # the clock goes forward that night
        ("2026-11-23T06:00", "Nowhere/Land", "2026-11-23T08:00"),
        ("2026-11-23T06:00", "../etc", "2026-11-23T08:00"),
    ],
)
def test_nothing_is_sent_between_eight_in_the_evening_and_eight_in_the_morning(at: str, zone: str, then: str) -> None:
    moment = datetime.fromisoformat(f"{at}:00+00:00")
    assert after_quiet_hours(moment, zone) == datetime.fromisoformat(f"{then}:00+00:00")
