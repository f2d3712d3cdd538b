from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.rows import Rows, fresh_sqlite, open_rows


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    """A migrated SQLite with the seed's people."""
    async with open_rows(await fresh_sqlite(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def postgres_rows(postgres_url: str) -> AsyncIterator[Rows]:
    """A migrated PostgreSQL with the seed's people."""
    async with open_rows(postgres_url) as opened:
        yield opened
