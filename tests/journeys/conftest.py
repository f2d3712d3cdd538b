import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.played import Played, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One demo for all tests that look at what it left; it found an older folder's content."""
    data = tmp_path_factory.mktemp("demo") / "data"
    (data / "mailbox" / "new").mkdir(parents=True)
    (data / "mailbox" / "new" / "1.old").write_text("an older mail")
    (data / "plixo.db").write_text("an older database")
    return play(data)


@pytest.fixture
def copied(played: Played, tmp_path: Path) -> Iterator[Path]:
    """The finished demo's folder, to be spoilt."""
    copy = tmp_path / "copied"
    shutil.copytree(played.data, copy, ignore=shutil.ignore_patterns("kept", "logs", ".lock"))
    yield copy
    shutil.rmtree(copy)
