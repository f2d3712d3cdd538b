import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from plixo.store.migrate import upgrade
from plixo.store.models import Base
from tests.support.databases import database
from tests.support.house import House, open_house
from tests.support.rows import Rows, fresh_sqlite, open_rows

settings.register_profile("unhurried", deadline=None)  # a busy machine is no finding
settings.load_profile("unhurried")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with database(request.param, tmp_path) as url:
        yield url


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
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The whole house on SQLite."""
    with database("sqlite", tmp_path) as url:
        async with open_house(tmp_path, url) as opened:
            yield opened


@pytest.fixture
async def either_house(tmp_path: Path, database_url: str) -> AsyncIterator[House]:
    """The whole house, once on each database."""
    async with open_house(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def idle_house(tmp_path: Path) -> AsyncIterator[House]:
    """The whole house with nobody at work: a test opens the workers itself."""
    with database("sqlite", tmp_path) as url:
        async with open_house(tmp_path, url, workers=False) as opened:
            yield opened


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, a file stays together with its fixtures; the journeys share ports, so they take turns."""
    for item in items:
        file = item.path.relative_to(item.config.rootpath)
        group = "journeys" if "journeys" in file.parts else str(file)
        item.add_marker(pytest.mark.xdist_group(group))
