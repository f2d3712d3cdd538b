"""The inbox over many requests: filled into a fresh database, and asked through the real application."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg

from benchmarks.figures import Figure, percentile
from benchmarks.house import folder
from benchmarks.inbox_rows import fill
from plixo.bootstrap import open_staff, prepare_database
from plixo.config import Settings
from web.app import create_app

SERVER: Final = os.environ.get("PLIXO_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
BASE: Final = "http://127.0.0.1:8321"
AIM_MS: Final = 50
ROUNDS: Final = 20

_NOWHERE: Final[dict[str, Any]] = {
    "base_url": BASE,
    "stripe_base_url": BASE,
    "temporal_address": "127.0.0.1:9",
    "STRIPE_API_KEY": "sk_test_nowhere",
}
"""The inbox asks nobody but the database."""

READERS: Final = ("p-controller", "p-legal", "p-cfo", "p-finance", "p-billing-admin", "p-support")
PLACES: Final = (
    "",
    "?tab=mine",
    "?tab=mine&page=2",
    "?tab=groups",
    "?tab=groups&sort=newest",
    "?tab=overdue",
    "?tab=done",
    "?tab=all",
    "?tab=all&page=4",
    "?tab=all&state=needs_attention",
)
"""What people open all day; looking for words goes through every request, and is measured apart."""


@dataclass(frozen=True)
class Opened:
    """How long one page took.

    Attributes:
        reader: Who opened it.
        place: Its address behind `/approvals`.
        milliseconds: From the request to the last byte.
    """

    reader: str
    place: str
    milliseconds: float


async def measure_inbox(size: int) -> list[Figure]:
    """The inbox on each database that is at hand.

    Args:
        size: How many requests are in the table.
    """
    with folder() as data:
        found = await _on("sqlite", Settings(env="dev", data=data, **_NOWHERE), size)
    name = f"plixo_bench_{uuid4().hex[:12]}"
    try:
        with psycopg.connect(SERVER, autocommit=True, connect_timeout=3) as server:
            server.execute(f'create database "{name}"'.encode())
    except psycopg.OperationalError:
        return found  # there is none here; the figures say which databases were measured
    try:
        with folder() as data:
            url = f"{SERVER.rpartition('/')[0]}/{name}"
            named: dict[str, Any] = {**_NOWHERE, "DATABASE_URL": url}
            settings = Settings(env="dev", data=data, **named)
            return found + await _on("postgresql", settings, size)
    finally:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f'drop database "{name}" with (force)'.encode())


async def _on(kind: str, settings: Settings, size: int) -> list[Figure]:
    await prepare_database(settings)
    await fill(settings.database, size)
    async with _readers(settings) as readers:
        await _opened(readers, 1, PLACES)
        usual = await _opened(readers, ROUNDS, PLACES)
        words = await _opened(readers, 2, ("?tab=all&q=Example+17",))
    slowest = max(usual, key=lambda one: _p95(usual, one.reader, one.place))
    told = f"{slowest.reader} at /approvals{slowest.place}"
    p95 = percentile([one.milliseconds for one in usual], 95)
    return [
        Figure(f"inbox_p50_{kind}", "ms", f"the inbox with {size:,} requests, {kind}", _middle(usual)),
        Figure(f"inbox_p95_{kind}", "ms", "the same, 95th percentile", p95, aim=f"under {AIM_MS}", met=p95 < AIM_MS),
        Figure(f"inbox_worst_{kind}", "ms", f"its slowest page: {told}", _p95(usual, slowest.reader, slowest.place)),
        Figure(f"inbox_words_{kind}", "ms", "looking for words in all of them", _middle(words)),
    ]


@asynccontextmanager
async def _readers(settings: Settings) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Signed-in browsers, by person."""
    async with open_staff(settings) as staff:
        app = create_app(staff)
        found = {}
        for person in READERS:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
            found[person] = httpx.AsyncClient(transport=transport, base_url=BASE)
            await found[person].post("/sign-in", data={"person": person})
        yield found
        for client in found.values():
            await client.aclose()


async def _opened(readers: dict[str, httpx.AsyncClient], rounds: int, places: Sequence[str]) -> list[Opened]:
    found = []
    for _ in range(rounds):
        for person, client in readers.items():
            for place in places:
                began = time.perf_counter()
                answer = await client.get(f"/approvals{place}")
                found.append(Opened(person, place, (time.perf_counter() - began) * 1000))
                answer.raise_for_status()
    return found


def _p95(found: Sequence[Opened], reader: str, place: str) -> float:
    return percentile([one.milliseconds for one in found if (one.reader, one.place) == (reader, place)], 95)


def _middle(found: Sequence[Opened]) -> float:
    return percentile([one.milliseconds for one in found], 50)
