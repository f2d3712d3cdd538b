"""Moments go in with their zone and come out in UTC, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError

from plixo.store import approvals
from tests.support.rows import NOW, Rows


@pytest.mark.parametrize("hours", [-11, 0, 5, 14])
async def test_a_moment_of_any_zone_is_the_same_moment_in_utc(either_rows: Rows, hours: int) -> None:
    at = NOW.replace(microsecond=123_456).astimezone(timezone(timedelta(hours=hours)))
    found = (await either_rows.record(await either_rows.ask(created_at=at))).created_at
    assert found == at
    assert found.utcoffset() == timedelta(0)


async def test_a_moment_without_a_zone_is_refused(rows: Rows) -> None:
    with pytest.raises(StatementError, match="a moment needs its zone"):
        await rows.ask(created_at=datetime(2026, 8, 3))  # noqa: DTZ001 - it is what is refused


async def test_moments_of_other_zones_are_compared_as_moments(either_rows: Rows) -> None:
    """As text, on SQLite, they would sort by their local time."""
    early = datetime(2026, 8, 3, 1, tzinfo=timezone(timedelta(hours=2)))
    late = datetime(2026, 8, 2, 23, 30, tzinfo=UTC)
    first, second = await either_rows.ask(created_at=early), await either_rows.ask(created_at=late)
    async with either_rows.ledger.read() as session:
        assert list(await approvals.unstarted(session, NOW)) == [first, second]
        assert list(await approvals.unstarted(session, late)) == [first]
