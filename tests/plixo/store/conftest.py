import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from plixo.store.migrate import upgrade
from plixo.store.models import Base
from tests.support.databases import database
from tests.support.rows import Rows, fresh_sqlite, open_rows


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    """A migrated SQLite with the seed's people."""
    async with open_rows(await fresh_sqlite(tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="session")
def migrated_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One migrated PostgreSQL for all tests that empty it first: making one takes seconds."""
    with database("postgres", tmp_path_factory.mktemp("postgres")) as url:
        asyncio.run(upgrade(url))
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            # Nothing here outlives the tests, so nothing has to reach the disk.
            connection.execute(f'alter database "{connection.info.dbname}" set synchronous_commit = off'.encode())
        yield url


@pytest.fixture
def postgres_url(migrated_postgres: str) -> str:
    """The migrated PostgreSQL, emptied with its guards off."""
    with psycopg.connect(migrated_postgres.replace("+psycopg", "")) as connection:
        connection.execute("set session_replication_role = replica")
        for table in Base.metadata.tables:
            connection.execute(f"delete from {table}".encode())
    return migrated_postgres


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A migrated PostgreSQL's address; nothing for SQLite, which is made where it is used."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def either_rows(migrated_url: str, tmp_path: Path) -> AsyncIterator[Rows]:
    """A migrated database of each kind with the seed's people."""
    async with open_rows(migrated_url or await fresh_sqlite(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def postgres_rows(postgres_url: str) -> AsyncIterator[Rows]:
    """A migrated PostgreSQL with the seed's people."""
    async with open_rows(postgres_url) as opened:
        yield opened
