"""Connecting to the database: SQLite on one machine, PostgreSQL otherwise."""

from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from plixo.store.sqlite import TAKE_THE_LOCK, opener

LOCK_TIMEOUT: Final = "10s"
"""How long PostgreSQL lets a statement wait for a lock: whoever asked tries again, and others get the connection."""
PARALLEL: Final = 0
"""How many helpers PostgreSQL starts for a statement: ours take a few milliseconds, and starting helpers takes more."""
IDLE_TIMEOUT: Final = "60s"
"""How long PostgreSQL keeps a transaction, and its locks, for a process that says nothing: it may have been stopped."""


def open_engine(url: str) -> AsyncEngine:
    """An engine for the address, with the habits each database needs.

    Its errors name the statement and never the values: notes and names have no place in a log.

    Args:
        url: With its driver: `sqlite+aiosqlite:///…` or `postgresql+psycopg://…`.
    """
    if not url.startswith("sqlite"):
        limits = {"options": _limits(make_url(url))}
        return create_async_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=10, hide_parameters=True, connect_args=limits
        )
    opening = {"async_creator_fn": opener(make_url(url).database or ":memory:")}
    # Kept open: a new connection reads the schema again, and prepares each statement again.
    engine = create_async_engine(url, hide_parameters=True, connect_args=opening, pool_size=20, max_overflow=10)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _limits(url: URL) -> str:
    """Ours first: what the address itself sets comes later, and holds."""
    ours = f"-c lock_timeout={LOCK_TIMEOUT} -c idle_in_transaction_session_timeout={IDLE_TIMEOUT}"
    ours += f" -c max_parallel_workers_per_gather={PARALLEL}"
    return " ".join([ours, *url.normalized_query.get("options", ())])


def _set_pragmas(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 - the driver's own type
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads and then writes must not find its snapshot stale."""
    reading = connection.get_execution_options().get("plixo_read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else TAKE_THE_LOCK)
