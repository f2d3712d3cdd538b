"""The sums that limits depend on: at the edges of their windows, and when two ask at once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from plixo.domain.approval import State
from plixo.domain.facts import Sums
from plixo.store import approvals, sums
from tests.support.rows import CUSTOMER, INVOICE, NOW, Rows

ADMIN = "p-billing-admin"


async def read(rows: Rows, now: datetime = NOW, requester: str = ADMIN, customer: str = CUSTOMER) -> Sums:
    async with rows.ledger.begin() as tx:
        return await sums.read(tx.session, requester, customer, now, 30)


async def test_the_window_includes_its_first_moment_and_nothing_before(either_rows: Rows) -> None:
    await either_rows.ask(10_000, (), created_at=NOW - timedelta(days=30))
    await either_rows.ask(7_000, (), created_at=NOW - timedelta(days=30, microseconds=1))
    found = await read(either_rows)
    assert (found.requester_automatic, found.customer_automatic, found.customer_all) == (10_000, 10_000, 10_000)


async def test_the_day_begins_at_midnight_utc(either_rows: Rows) -> None:
    midnight = NOW.replace(hour=0)
    await either_rows.ask(10_000, created_at=midnight)
    await either_rows.ask(7_000, created_at=midnight - timedelta(microseconds=1))
    found = await read(either_rows)
    assert (found.company_day, found.requester_day) == (10_000, 10_000)


async def test_what_people_decide_on_counts_for_the_customer_and_not_as_automatic(either_rows: Rows) -> None:
    await either_rows.ask(420_000)
    found = await read(either_rows)
    assert (found.customer_automatic, found.requester_automatic, found.customer_all) == (0, 0, 420_000)


async def test_each_sum_is_of_its_own_person_customer_or_everybody(either_rows: Rows) -> None:
    await either_rows.ask(10_000, ())
    await either_rows.ask(500, (), requester="p-controller")
    assert await read(either_rows) == Sums(10_000, 10_500, 10_500, 10_500, 10_000)
    assert await read(either_rows, customer="cus_Other") == Sums(10_000, 0, 0, 10_500, 10_000)


async def test_on_sqlite_no_sum_reads_the_requests_themselves(rows: Rows) -> None:
    """An import of ten thousand rows reads the sums at each of them."""
    seen: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, given: Any, *_rest: Any) -> None:
        seen.append((statement, given))

    event.listen(rows.ledger.engine.sync_engine, "before_cursor_execute", keep)
    await read(rows)
    statement, given = next(one for one in seen if "FROM approvals" in one[0])
    async with rows.ledger.read() as session:
        plan = (await (await session.connection()).exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)).all()
    steps = [step.detail for step in plan if "approvals" in step.detail]
    assert len(steps) == 2 * 5, "those that were made since, and those that were routed anew"
    assert [step for step in steps if "USING COVERING INDEX" not in step] == []


@pytest.mark.parametrize("verdict", ["reject", "withdraw"])
async def test_what_came_to_nothing_does_not_count(rows: Rows, verdict: str) -> None:
    approval_id = await rows.waiting()
    assert (await read(rows)).customer_all == 420_000
    await rows.decide(approval_id, "billing_admin" if verdict == "withdraw" else "controller", verdict)
    assert (await read(rows)).customer_all == 0


async def test_what_was_approved_counts(rows: Rows) -> None:
    assert await rows.state(await rows.approved()) is State.APPROVED
    assert (await read(rows)).customer_all == 420_000


async def test_two_at_once_cannot_both_slip_under_a_limit(either_rows: Rows) -> None:
    """As a starter does it: lock, sum, and keep only what still fits."""

    async def slip(number: int) -> bool:
        async with either_rows.ledger.begin() as tx:
            await sums.lock(tx.session, "company", CUSTOMER, f"p-{number}")
            before = await sums.read(tx.session, ADMIN, CUSTOMER, NOW, 30)
            await asyncio.sleep(0.02)
            if before.customer_all + 40_000 > 100_000:
                return False
            twin = await approvals.load(tx.session, template, lock=False)
            assert twin is not None
            fresh = f"CR-{number}"
            kept = replace(twin, approval=replace(twin.approval, approval_id=fresh), request_id=fresh, created_at=NOW)
            await approvals.insert(tx.session, kept)
            return True

    template = await either_rows.ask(40_000, created_at=NOW - timedelta(days=60))
    assert sum(await asyncio.gather(*(slip(number) for number in range(6)))) == 2
    assert (await read(either_rows)).customer_all == 80_000


async def test_locks_taken_in_any_order_never_wait_in_a_circle(either_rows: Rows) -> None:
    async def hold(*names: str) -> None:
        async with either_rows.ledger.begin() as tx:
            await sums.lock(tx.session, *names)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(asyncio.gather(*(hold("a", "b"), hold("b", "a")), *(hold("b", "c", "a") for _ in "123")), 10)


async def test_what_is_asked_of_an_invoice_and_not_applied_yet_is_spoken_for(rows: Rows) -> None:
    async def pending() -> int:
        async with rows.ledger.read() as session:
            return await approvals.pending_on(session, INVOICE, "USD")

    first = await rows.waiting(100_000)
    await rows.approved(20_000)
    await rows.ask(3_000)
    assert await pending() == 123_000
    await rows.decide(first, "controller", "reject")
    assert await pending() == 23_000
    async with rows.ledger.read() as session:
        assert await approvals.pending_on(session, INVOICE, "EUR") == 0
