from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plixo.store.migrate import upgrade
from tests.support.desk import Office, open_office
from tests.support.rows import fresh_sqlite


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """The staff side on SQLite."""
    async with open_office(await fresh_sqlite(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def either_office(database_url: str) -> AsyncIterator[Office]:
    """The staff side on each database."""
    await upgrade(database_url)
    async with open_office(database_url) as opened:
        yield opened
