import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from starters.cli import tokens
from starters.cli.main import run
from starters.cli.world import WORLD, World

ADDRESS = "http://127.0.0.1:8321"


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class FakeApi:
    """Answers as the API would, and remembers what it was asked."""

    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def on(self, method: str, path: str, answer: Any, status: int = 200) -> None:
        self.answers[method, f"/api/v1/{path}"] = (status, answer)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, answer = self.answers.get((request.method, request.url.path), (404, {}))
        if callable(answer):
            status, answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(status, text=answer) if isinstance(answer, str) else httpx.Response(status, json=answer)

    def bodies(self, path: str) -> list[Any]:
        return [json.loads(one.content) for one in self.asked if one.url.path == f"/api/v1/{path}"]


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith(("PLIXO_", "STRIPE_", "TEMPORAL_", "COLUMNS", "FORCE_COLOR")) or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "data"))


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API that somebody is signed in at."""
    fake = FakeApi()
    before = WORLD.set(World(httpx.MockTransport(fake.handle), fake.slept.append))
    tokens.keep(ADDRESS, "token-of-ada")
    yield fake
    WORLD.reset(before)


@pytest.fixture
def plixo(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command in this process."""

    def ran(*words: str) -> Ran:
        capfd.readouterr()
        code = run(words)
        caught = capfd.readouterr()
        return Ran(code, caught.out, caught.err)

    return ran
