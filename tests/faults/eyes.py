"""Looking into the database from outside, while others write to it and while it is down."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg

Rows = Sequence[tuple[Any, ...]]


class Eyes:
    """Reads with plain SQL.

    Args:
        url: As the settings have it, with its driver.
    """

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        self._where = url.partition("///")[2] if self._sqlite else url.replace("postgresql+psycopg://", "postgresql://")

    async def rows(self, query: str) -> Rows:
        """What it answers; nothing while the database is away."""
        try:
            return await asyncio.to_thread(self._read, query)
        except (sqlite3.Error, psycopg.Error):
            return ()

    async def states(self) -> dict[str, str]:
        """Every request's state."""
        return dict(await self.rows("select approval_id, state from approvals"))

    async def intended(self) -> set[str]:
        """Requests whose effect is kept and not settled."""
        return {row[0] for row in await self.rows("select approval_id from effects where state = 'intended'")}

    async def submitted(self) -> set[str]:
        """Requests with a decision that is signed, and that no workflow has taken up."""
        return {row[0] for row in await self.rows("select approval_id from decisions where status = 'submitted'")}

    async def kept(self, request_id: str) -> bool:
        """Whether a request of that id is kept; the id is one of ours."""
        return bool(await self.rows(f"select 1 from approvals where request_id = '{request_id}'"))

    async def mails_left(self) -> bool:
        """Whether every mail has left."""
        return not await self.rows("select 1 from outbox where sent_at is null limit 1")

    async def can_write(self) -> bool:
        """Whether nobody holds SQLite's one lock; a process that stands still with it would stop everybody."""
        return not self._sqlite or await asyncio.to_thread(self._lock)

    def _lock(self) -> bool:
        with closing(sqlite3.connect(self._where, isolation_level=None, timeout=0.5)) as connection:
            try:
                connection.execute("begin immediate")
            except sqlite3.OperationalError:
                return False
            connection.execute("rollback")
            return True

    def _read(self, query: str) -> Rows:
        if self._sqlite:
            with closing(sqlite3.connect(f"file:{self._where}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self._where, connect_timeout=3) as connection:
            return connection.execute(query.encode()).fetchall()
