"""Databases for tests: SQLite in a folder, PostgreSQL where one answers."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

SERVER = os.environ.get("PLIXO_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, dropped afterwards.

    Skips where PostgreSQL is wanted and none answers; in CI that is a failure.
    """
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'plixo.db'}"
        return
    name = f"plixo_test_{uuid.uuid4().hex[:12]}"
    with _server() as server:
        server.execute(f'create database "{name}"')
    try:
        yield SERVER.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0] + f"/{name}"
    finally:
        with _server() as server:
            server.execute(f'drop database "{name}" with (force)')


def _server() -> psycopg.Connection:
    try:
        return psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        if os.environ.get("CI"):
            pytest.fail(f"no PostgreSQL answers at {SERVER}, and CI never skips", pytrace=False)
        pytest.skip(f"no PostgreSQL answers at {SERVER}")
