from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.databases import database
from tests.support.house import House, open_house

settings.register_profile("unhurried", deadline=None)  # a busy machine is no finding
settings.load_profile("unhurried")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with database(request.param, tmp_path) as url:
        yield url


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
