"""Moments go in with their zone and come out in UTC, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from plixo.store import approvals, inbox, outbox
from tests.support.rows import CUSTOMER, NOW, Rows


@pytest.mark.parametrize("hours", [-11, 0, 5, 14])
async def test_a_moment_of_any_zone_is_the_same_moment_in_utc(either_rows: Rows, hours: int) -> None:
    at = NOW.replace(microsecond=123_456).astimezone(timezone(timedelta(hours=hours)))
    found = (await either_rows.record(await either_rows.ask(created_at=at))).created_at
    assert found == at
    assert found.utcoffset() == timedelta(0)


async def test_a_moment_without_a_zone_is_refused(rows: Rows) -> None:
    with pytest.raises(ValueError, match="a moment needs its zone"):
        await rows.ask(created_at=datetime(2026, 8, 3))  # noqa: DTZ001 - it is what is refused


async def test_moments_of_other_zones_are_compared_as_moments(either_rows: Rows) -> None:
    """As text, on SQLite, they would sort by their local time."""
    early = datetime(2026, 8, 3, 1, tzinfo=timezone(timedelta(hours=2)))
    late = datetime(2026, 8, 2, 23, 30, tzinfo=UTC)
    first, second = await either_rows.ask(created_at=early), await either_rows.ask(created_at=late)
    async with either_rows.ledger.read() as session:
        assert list(await approvals.unstarted(session, NOW)) == [first, second]
        assert list(await approvals.unstarted(session, late)) == [first]


@pytest.mark.postgres
@pytest.mark.parametrize("moment", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC"])
async def test_a_row_with_a_moment_that_no_calendar_has_is_passed_over_by_name_and_the_others_are_listed(
    postgres_rows: Rows, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may write to the database may write one there, and PostgreSQL keeps it."""
    sound, bad = await postgres_rows.waiting(), await postgres_rows.waiting()
    operator = postgres_rows.people["operator"]
    async with postgres_rows.ledger.begin() as tx:
        await tx.session.execute(text(f"update approvals set due_at = '{moment}' where approval_id = '{bad}'"))
    async with postgres_rows.ledger.read() as session:
        found, total = await inbox.find(session, operator, inbox.Search(), NOW)
        pending = await inbox.pending_for(session, operator, CUSTOMER)
        asked = await approvals.by_request_ids(session, "p-billing-admin", ["r-1", "r-2"])
    assert [[one.approval.approval_id for one in listed] for listed in (found, pending, asked)] == [[sound]] * 3
    assert total == 2
    passed_over = f"{bad} is passed over: its row was changed until it cannot be read"
    assert [record.message for record in caplog.records] == [passed_over] * 3


@pytest.mark.postgres
async def test_a_mail_with_a_moment_that_no_calendar_has_holds_up_none(postgres_rows: Rows) -> None:
    await postgres_rows.waiting()
    letters = {row.key for row in await postgres_rows.letters()}
    async with postgres_rows.ledger.begin() as tx:
        forged = "insert into outbox select key || '-2', recipient, template, context, '-infinity', null, 0, null, ''"
        await tx.session.execute(text(f"{forged}, false from outbox limit 1"))
        leased = {letter.key for letter in await outbox.lease(tx.session, NOW, timedelta(minutes=1))}
    assert leased > letters
    assert len(leased) == len(letters) + 1
