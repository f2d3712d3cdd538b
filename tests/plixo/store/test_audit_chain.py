"""One chain a request, whole whatever happens at once."""

import asyncio
from dataclasses import replace

import pytest

from plixo.ports import AuditEntry
from plixo.store import audit
from tests.support.rows import NOW, Rows


async def append(rows: Rows, approval_id: str, number: int) -> None:
    async with rows.ledger.begin() as tx:
        await tx.approval(approval_id)
        await asyncio.sleep(0.01)
        await tx.audit(AuditEntry(approval_id, "noted", "system", {"number": number}), NOW)


async def test_steps_of_one_request_at_once_follow_each_other(either_rows: Rows) -> None:
    approval_id = await either_rows.ask()
    await asyncio.gather(*(append(either_rows, approval_id, number) for number in range(12)))
    chain = await either_rows.trail(approval_id)
    assert [line.seq for line in chain] == list(range(1, 13))
    assert sorted(line.detail["number"] for line in chain) == list(range(12))


@pytest.mark.postgres
async def test_requests_do_not_wait_for_each_other(postgres_rows: Rows) -> None:
    first, second = await postgres_rows.ask(), await postgres_rows.ask()
    async with postgres_rows.ledger.begin() as tx:
        await tx.approval(first)
        await tx.audit(AuditEntry(first, "noted", "system"), NOW)
        await asyncio.wait_for(append(postgres_rows, second, 1), 2)
    assert await postgres_rows.events(first) == await postgres_rows.events(second) == ["noted"]


async def test_a_step_whose_transaction_fails_leaves_no_gap(either_rows: Rows) -> None:
    approval_id = await either_rows.ask()
    await append(either_rows, approval_id, 1)
    with pytest.raises(RuntimeError):  # noqa: PT012 - what fails is the transaction
        async with either_rows.ledger.begin() as tx:
            await tx.audit(AuditEntry(approval_id, "lost", "system"), NOW)
            raise RuntimeError
    await append(either_rows, approval_id, 2)
    assert [line.seq for line in await either_rows.trail(approval_id)] == [1, 2]


async def test_what_an_entry_says_comes_back_as_it_was_hashed(either_rows: Rows) -> None:
    approval_id = await either_rows.ask()
    detail = {"why": 'Größe "1/2"\n\u2028 \U0001f600', "n": 10**15, "list": [1, None, True], "empty": {}}
    async with either_rows.ledger.begin() as tx:
        await tx.audit(AuditEntry(approval_id, "noted", "p-é", detail), NOW)
    (line,) = await either_rows.trail(approval_id)
    assert (line.detail, line.at, line.prev) == (detail, "2026-08-03T14:00:00.000+00:00", audit.GENESIS)


async def test_a_float_cannot_be_audited_since_it_has_no_exact_spelling(rows: Rows) -> None:
    approval_id = await rows.ask()
    with pytest.raises(TypeError):
        async with rows.ledger.begin() as tx:
            await tx.audit(AuditEntry(approval_id, "noted", "system", {"rate": 1.1}), NOW)


async def test_a_chain_that_was_changed_cut_or_reordered_names_its_first_bad_entry(rows: Rows) -> None:
    approval_id = await rows.ask()
    for number in range(4):
        await append(rows, approval_id, number)
    chain = await rows.trail(approval_id)
    changed = [*chain[:2], replace(chain[2], actor="p-other"), chain[3]]
    rehashed = [*chain[:2], replace(changed[2], hash=changed[2].expected_hash()), chain[3]]
    assert audit.first_break(changed) == f"{approval_id}: entry 3 was changed"
    assert audit.first_break(rehashed) == f"{approval_id}: entry 4 does not follow the one before it"
    assert "entry 2 is missing" in str(audit.first_break([chain[0], *chain[2:]]))
    assert "entry 1 is missing" in str(audit.first_break(chain[1:]))
    assert "out of place" in str(audit.first_break([chain[1], chain[0], *chain[2:]]))
