"""Mails leave once: written once for their key, held by one relay at a time."""

import asyncio
from datetime import timedelta

import pytest

from plixo.ports import Letter
from plixo.store import outbox
from plixo.store.models import OutboxRow
from tests.support.rows import NOW, Rows

LEASE = timedelta(minutes=2)


async def post(rows: Rows, *keys: str, template: str = "asked") -> None:
    async with rows.ledger.begin() as tx:
        for number, key in enumerate(keys):
            await tx.post(Letter(key, "x@plixo.example", template, {}), NOW + timedelta(seconds=number))


async def lease(rows: Rows, after: timedelta = timedelta(0), limit: int = 20, hold: float = 0) -> list[str]:
    async with rows.ledger.begin() as tx:
        found = await outbox.lease(tx.session, NOW + after, LEASE, limit)
        await asyncio.sleep(hold)
    return [letter.key for letter in found]


async def row(rows: Rows, key: str) -> OutboxRow:
    async with rows.ledger.read() as session:
        return await session.get_one(OutboxRow, key)


async def test_a_mail_of_the_same_key_stays_as_it_is(either_rows: Rows) -> None:
    await post(either_rows, "a", template="asked")
    await post(either_rows, "a", template="reminder")
    assert (await row(either_rows, "a")).template == "asked"


async def test_a_mail_is_leased_to_one_relay_at_a_time(either_rows: Rows) -> None:
    await post(either_rows, "a", "b")
    assert await lease(either_rows) == ["a", "b"]
    assert await lease(either_rows, LEASE) == []
    assert await lease(either_rows, LEASE + timedelta(seconds=1)) == ["a", "b"]
    assert (await row(either_rows, "a")).attempts == 2


async def test_relays_at_once_never_lease_the_same_mail(either_rows: Rows) -> None:
    keys = [f"k{number:02}" for number in range(30)]
    await post(either_rows, *keys)
    taken = await asyncio.gather(*(lease(either_rows, limit=6, hold=0.02) for _ in range(8)))
    leased = [key for one in taken for key in one]
    assert len(leased) == len(set(leased))
    leased += await lease(either_rows, limit=30)
    assert sorted(leased) == keys


@pytest.mark.postgres
async def test_a_relay_does_not_wait_for_another_that_is_leasing(postgres_rows: Rows) -> None:
    await post(postgres_rows, "a", "b", "c")
    async with postgres_rows.ledger.begin() as tx:
        await outbox.lease(tx.session, NOW, LEASE, 2)
        assert await asyncio.wait_for(lease(postgres_rows), 2) == ["c"]


async def test_a_mail_that_left_is_never_leased_again(either_rows: Rows) -> None:
    await post(either_rows, "a")
    await lease(either_rows)
    async with either_rows.ledger.begin() as tx:
        assert await outbox.unsent(tx.session) == 1
        await outbox.sent(tx.session, "a", NOW)
        assert await outbox.unsent(tx.session) == 0
    assert await lease(either_rows, timedelta(days=365)) == []


async def test_a_mail_that_failed_comes_back_later_each_time_and_at_most_an_hour_later(rows: Rows) -> None:
    await post(rows, "a")
    waits = []
    at = timedelta(0)
    for _ in range(15):
        assert await lease(rows, at) == ["a"]
        async with rows.ledger.begin() as tx:
            await outbox.failed(tx.session, "a", "x" * 10_000, NOW + at)
        kept = await row(rows, "a")
        assert kept.leased_until is not None
        waits.append((kept.leased_until - NOW - at).total_seconds())
        at = kept.leased_until - NOW + timedelta(seconds=1)
    assert waits[:4] == [2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == 3600
    assert len(kept.problem) == 500


async def test_the_oldest_mails_leave_first(rows: Rows) -> None:
    await post(rows, "z", "a", "m")
    assert await lease(rows, limit=2) == ["z", "a"]


async def test_mails_about_many_leave_after_all_others_however_old_they_are(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        for key, bulk, at in (("a", True, 0), ("b", True, 1), ("c", False, 2), ("d", False, 3)):
            await tx.post(Letter(key, "x@plixo.example", "asked", {}, bulk), NOW + timedelta(seconds=at))
    assert await lease(either_rows, limit=3) == ["c", "d", "a"]
