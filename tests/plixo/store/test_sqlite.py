import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from plixo.store import sqlite
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'some.db'}")
    async with opened.begin() as connection:
        await connection.execute(text("create table said (word text)"))
    yield opened
    await opened.dispose()


@pytest.fixture
def other(engine: AsyncEngine) -> sqlite3.Connection:
    """Another process, as far as SQLite can tell."""
    return sqlite3.connect(engine.url.database or "", isolation_level=None)


async def say(engine: AsyncEngine, word: str, *, holding: asyncio.Event | None = None) -> None:
    async with SqlLedger(engine).begin() as tx:
        await tx.session.execute(text("insert into said values (:word)"), {"word": word})
        if holding:
            await holding.wait()


async def said(engine: AsyncEngine) -> list[str]:
    async with SqlLedger(engine).read() as session:
        return list((await session.execute(text("select word from said order by rowid"))).scalars())


async def some_steps() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_writers_of_one_process_take_turns_in_the_order_they_came(engine: AsyncEngine) -> None:
    let_go = asyncio.Event()
    async with asyncio.TaskGroup() as writers:
        writers.create_task(say(engine, "first", holding=let_go))
        await some_steps()
        for word in ("second", "third", "fourth"):
            writers.create_task(say(engine, word))
            await some_steps()
        assert await said(engine) == []
        let_go.set()
    assert await said(engine) == ["first", "second", "third", "fourth"]


async def test_waiting_for_another_process_holds_up_nobody_who_reads(
    engine: AsyncEngine, other: sqlite3.Connection
) -> None:
    other.execute("begin immediate")
    other.execute("insert into said values ('theirs')")
    writing = asyncio.create_task(say(engine, "ours"))
    await some_steps()
    assert await said(engine) == []
    assert not writing.done()
    other.execute("commit")
    await asyncio.wait_for(writing, 10)
    assert await said(engine) == ["theirs", "ours"]


async def test_a_writer_that_is_cancelled_while_it_waits_leaves_its_turn(
    engine: AsyncEngine, other: sqlite3.Connection
) -> None:
    other.execute("begin immediate")
    tired = asyncio.create_task(say(engine, "tired"))
    patient = asyncio.create_task(say(engine, "patient"))
    await some_steps()
    tired.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tired
    other.execute("rollback")
    await asyncio.wait_for(patient, 10)
    assert await said(engine) == ["patient"]


async def test_a_writer_that_fails_leaves_its_turn_and_nothing_else(engine: AsyncEngine) -> None:
    async def fail() -> None:
        async with SqlLedger(engine).begin() as tx:
            await tx.session.execute(text("insert into said values ('half')"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await asyncio.wait_for(say(engine, "whole"), 10)
    assert await said(engine) == ["whole"]


@pytest.mark.parametrize("by", ["another process", "this process"])
async def test_a_writer_gives_up_when_the_others_take_too_long(
    engine: AsyncEngine, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    let_go = asyncio.Event()
    first = asyncio.create_task(say(engine, "first", holding=let_go)) if by == "this process" else None
    await some_steps()
    if first is None:
        other.execute("begin immediate")
    with pytest.raises(OperationalError, match="database is locked"):
        await say(engine, "late")
    let_go.set()
    if first:
        await first
    else:
        other.execute("rollback")
    await say(engine, "later")
    assert "late" not in await said(engine)
