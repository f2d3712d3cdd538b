"""SQLite on the event loop's own thread: a statement takes microseconds, handing it to another thread takes longer.

What can take long is waiting for another writer, and that is awaited here: the writers of this process take turns in
the order they came, and whoever has the turn tries again and again while another process writes.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Self

BUSY_SECONDS: Final = 15.0
"""How long a writer waits for the others before it gives up."""

STRAY_MILLISECONDS: Final = 1_000
"""How long SQLite itself waits where it is busy otherwise, as while it recovers; everybody waits with it."""

TAKE_THE_LOCK: Final = "BEGIN IMMEDIATE"
_SHORTEST: Final = 0.0005
_LONGEST: Final = 0.02
"""Seconds between two tries to write while another process does."""


def opener(path: str) -> Callable[..., Awaitable["LoopConnection"]]:
    """What SQLAlchemy's asynchronous SQLite dialect opens connections with, as its `async_creator_fn`.

    Args:
        path: The file; the connections to it take turns to write.
    """
    turns = asyncio.Lock()

    async def open_connection(*_given: object, **_options: object) -> LoopConnection:
        return LoopConnection(path, turns)

    return open_connection


class LoopConnection:
    """One connection, in the shape of aiosqlite's, which is what the dialect knows.

    Nothing in it waits but `begin_writing`. Transactions begin by statement alone, never by the driver.
    """

    def __init__(self, path: str, turns: asyncio.Lock) -> None:
        """Open it.

        Args:
            path: The file.
            turns: Held by whoever writes.
        """
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA busy_timeout={STRAY_MILLISECONDS}")
        self._turns = turns
        self._has_turn = False

    def cursor(self) -> "LoopCursor":
        """A new cursor."""
        return LoopCursor(self, self._connection.cursor())

    async def begin_writing(self) -> None:
        """Wait for the turn, then for other processes.

        Raises:
            sqlite3.OperationalError: The others took too long.
        """
        until = time.monotonic() + BUSY_SECONDS
        try:
            await self._wait_for_turn()
            await self._take_the_lock(until)
        except BaseException:
            self._end_turn()
            raise

    async def commit(self) -> None:
        """End the transaction, if there is one."""
        self._connection.commit()
        self._end_turn()

    async def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        try:
            self._connection.rollback()
        finally:
            self._end_turn()

    async def close(self) -> None:
        """Close it."""
        self.stop()

    def stop(self) -> None:
        """Close it at once; what was not committed is undone."""
        self._connection.close()
        self._end_turn()

    async def create_function(self, *given: Any, **options: Any) -> None:  # noqa: ANN401 - the driver's own
        """Give SQL a function; the dialect adds one for regular expressions."""
        self._connection.create_function(*given, **options)

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._turns.acquire()
                self._has_turn = True
        except TimeoutError as late:
            raise sqlite3.OperationalError("database is locked: the writers before this one took too long") from late

    async def _take_the_lock(self, until: float) -> None:
        pause = _SHORTEST
        while not self._locked(last=time.monotonic() > until):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    def _locked(self, *, last: bool) -> bool:
        """Try once, without waiting inside SQLite; at the last try its own complaint is raised."""
        self._connection.execute("PRAGMA busy_timeout=0")
        try:
            self._connection.execute(TAKE_THE_LOCK)
        except sqlite3.OperationalError as busy:
            if last or busy.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        else:
            return True
        finally:
            self._connection.execute(f"PRAGMA busy_timeout={STRAY_MILLISECONDS}")

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.release()


class LoopCursor:
    """One cursor, in the shape of aiosqlite's."""

    def __init__(self, connection: LoopConnection, cursor: sqlite3.Cursor) -> None:
        """Wrap the driver's.

        Args:
            connection: Whose it is.
            cursor: The driver's.
        """
        self._connection = connection
        self._cursor = cursor
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    @property
    def description(self) -> Any:  # noqa: ANN401 - the driver's own
        """What the rows hold."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The last new row."""
        return self._cursor.lastrowid

    async def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        """Run a statement; one that asks for the write lock waits for it."""
        if statement == TAKE_THE_LOCK:
            await self._connection.begin_writing()
        else:
            self._cursor.execute(statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each."""
        self._cursor.executemany(statement, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """Every row that is left."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Close it."""
        self._cursor.close()
