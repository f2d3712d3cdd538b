from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.rows import Rows, fresh_sqlite, open_rows


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    """An empty ledger on SQLite, with the seed's people."""
    async with open_rows(await fresh_sqlite(tmp_path)) as opened:
        yield opened
