import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from plixo.bootstrap import Staff, open_trust, prepare_database, published_policy
from plixo.config import Settings
from plixo.signing.keys import load_or_create_signing_key, load_public_keys
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from plixo.stripe.gateway import StripeGateway
from starters.desk import Desk
from tests.support.rows import RoundTheClock
from tests.web import browsing, serving
from tests.web import house as parts
from web.app import create_app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def running_books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    database = tmp_path_factory.mktemp("books") / "books.sqlite"
    command = [sys.executable, "-m", "standin", "--port", "0", "--db", str(database), "--seed", "demo"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = re.search(r"http://\S+", process.stdout.readline())
        assert ready, "the stand-in did not start"
        yield parts.Books(ready[0])
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def books(running_books: Any) -> Iterator[Any]:
    running_books.heal()
    yield running_books
    running_books.heal()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as a fresh start leaves it: migrated, seeded, with a policy and keys."""
    data = tmp_path_factory.mktemp("prepared")
    settings = Settings(env="dev", data=data, base_url=parts.BASE)
    asyncio.run(prepare_database(settings))
    load_or_create_signing_key(settings.signing_key, settings.public_keys)
    return data


@pytest.fixture
def settings(prepared: Path, tmp_path: Path, books: Any) -> Settings:
    data = tmp_path / "data"
    shutil.copytree(prepared, data)
    return Settings(env="dev", data=data, base_url=parts.BASE, stripe_base_url=books.url)


@pytest.fixture
async def house(settings: Settings, books: Any) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        yield await open_house(settings, books, stack)


async def open_house(settings: Settings, books: Any, stack: AsyncExitStack) -> Any:
    """The staff side on these settings; also used where a test serves it to a real browser."""
    engine = open_engine(settings.database)
    stack.push_async_callback(engine.dispose)
    ledger, clock = SqlLedger(engine), parts.MovableClock()
    verifier = StaffVerifier(load_public_keys(settings.public_keys))
    reading = StripeGateway.open(
        api_key="rk_test_plixo_standin", base_url=books.url, read_only=True, calls_per_second=None, timeout=5
    )
    writing = StripeGateway.open(api_key=books.key, base_url=books.url, calls_per_second=None, timeout=5)
    await stack.enter_async_context(reading)
    await stack.enter_async_context(writing)
    approvals = ApprovalActivities(ledger, verifier, clock, RoundTheClock())
    temporal = parts.PlayedTemporal(approvals, EffectActivities(ledger, writing, verifier, clock))
    signer = StaffSigner(load_or_create_signing_key(settings.signing_key, settings.public_keys))
    trust = open_trust(settings)
    desk = Desk(ledger, reading, await published_policy(ledger, trust), signer, temporal, clock, trust)
    staff = Staff(settings, desk, verifier)
    app = create_app(staff)
    return parts.House(app, staff, clock, temporal, books, parts.Clients(app, stack))


@pytest.fixture(scope="module")
def served(prepared: Path, running_books: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application behind a real port."""
    data = tmp_path_factory.mktemp("served") / "data"
    shutil.copytree(prepared, data)
    settings = Settings(env="dev", data=data, base_url=parts.BASE, stripe_base_url=running_books.url)
    running_books.heal()
    with serving.served(lambda stack: open_house(settings, running_books, stack)) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        assert os.environ.get("CI") != "true", "CI has to have Chromium"
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watch(chromium: Browser, served: Any) -> Iterator[Any]:
    """Opens windows for the test."""
    with browsing.windows(chromium, served.url) as opened:
        yield opened
