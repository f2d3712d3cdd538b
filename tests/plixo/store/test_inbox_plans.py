"""However many requests there are: what the inbox asks of them is answered from indexes, on both databases."""

import re
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event, text

from benchmarks.inbox_rows import fill
from plixo.store import inbox
from plixo.store.inbox import Search, Sort, Tab
from tests.support.rows import BOTH, Rows

READ = re.compile(r"(SCAN|SEARCH|Seq Scan on|Scan using \w+ on) approvals")
MOST = 100
LONG = 3000
ORDERS = [(tab, Sort.DUE if tab in {Tab.MINE, Tab.GROUPS, Tab.OVERDUE} else Sort.NEWEST) for tab in Tab]


async def asked_of_requests(rows: Rows, role: str) -> list[tuple[str, Any]]:
    """Every statement on requests that opening each part of the inbox comes to."""
    heard: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if " approvals" in statement:
            heard.append((statement, parameters))

    event.listen(rows.ledger.engine.sync_engine, "before_cursor_execute", hear)
    async with rows.ledger.read() as session:
        await inbox.needing_attention(session, rows.people[role])
        await inbox.counts(session, rows.people[role], rows.clock(), most=MOST)
        for tab, sort in ORDERS:
            await inbox.find(session, rows.people[role], Search(tab, sort=sort), rows.clock(), most=MOST)
    event.remove(rows.ledger.engine.sync_engine, "before_cursor_execute", hear)
    return heard


async def plan(rows: Rows, statement: str, parameters: Any) -> str:
    explain = "explain query plan" if rows.url.startswith("sqlite") else "explain"
    async with rows.ledger.engine.connect() as connection:
        found = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in found)


def unbounded(told: str) -> list[str]:
    """Reads of requests without an index that do not stop at the first so many either."""
    lines = told.splitlines()
    return [
        line
        for before, line in pairwise(["", *lines])
        if READ.search(line) and "index" not in line.lower() and "Limit" not in before
    ]


@pytest.mark.parametrize("role", ["controller", "cfo", "finance", "support"])
async def test_no_part_of_the_inbox_reads_the_whole_table(either_rows: Rows, role: str) -> None:
    await fill(either_rows.url, LONG)
    asked = await asked_of_requests(either_rows, role)
    assert len(asked) > len(Tab)
    for statement, parameters in asked:
        told = await plan(either_rows, statement, parameters)
        assert unbounded(told) == [], f"{statement}\n{told}"


async def test_whom_a_request_waits_for_is_said_by_the_database_itself(either_rows: Rows) -> None:
    approval_id = await either_rows.waiting(stages=BOTH)

    async def waits_on() -> list[str]:
        async with either_rows.ledger.read() as session:
            query = text("select waits_on from approvals where approval_id = :id")
            return [*(await session.execute(query, {"id": approval_id})).scalars()]

    assert await waits_on() == ["controller,legal"]
    await either_rows.decide(approval_id, "legal")
    assert await waits_on() == ["controller"]
    await either_rows.decide(approval_id, "controller")
    assert await waits_on() == ["[]"]
