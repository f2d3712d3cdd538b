"""Weeks as people count them (ISO 8601, Monday to Sunday, in UTC), and the hours in which nobody wants a mail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MORNING: Final = 8
EVENING: Final = 20
"""Quiet hours lie between the evening and the morning, by the reader's clock."""


@dataclass(frozen=True)
class Week:
    """One week.

    Attributes:
        name: Such as `2026-W47`.
        since: Its Monday, at midnight.
        until: The next one.
    """

    name: str
    since: datetime
    until: datetime


def week_before(moment: datetime) -> Week:
    """The last week that was over then."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = midnight - timedelta(days=midnight.weekday())
    since = until - timedelta(days=7)
    year, number, _ = since.isocalendar()
    return Week(f"{year}-W{number:02}", since, until)


def after_quiet_hours(moment: datetime, zone: str) -> datetime:
    """The moment itself, or the next morning where it falls into the reader's quiet hours.

    Args:
        moment: When something is there to be read.
        zone: The reader's, by its IANA name; where there is no such zone, UTC's hours are kept.
    """
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        local = moment.astimezone(UTC)
    if MORNING <= local.hour < EVENING:
        return moment
    day = local + timedelta(days=1) if local.hour >= EVENING else local
    return day.replace(hour=MORNING, minute=0, second=0, microsecond=0).astimezone(UTC)
