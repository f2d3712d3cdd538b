"""Real processes, really killed: a decision that is stored is taken up, whatever dies in the next instant."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio

from demo.actors import Actor
from demo.check import Sources, check
from demo.places import Ports
from demo.preparing import wait_for_temporal
from demo.stack import Stack, running
from demo.waiting import until

pytestmark = [pytest.mark.journey, pytest.mark.asyncio(loop_scope="module")]

CREDIT = {
    "customer": "cus_ExampleLogistics",
    "amount": "700.00",
    "currency": "USD",
    "reason": "goodwill",
    "note": "The outage of May.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(tmp_path_factory.mktemp("dying") / "data", Ports.free()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def people(stack: Stack) -> AsyncIterator[tuple[Actor, Actor]]:
    """Who asks, and who decides."""
    found = [await Actor.sign_in(stack.console_url, role) for role in ("billing_admin", "controller")]
    yield found[0], found[1]
    for actor in found:
        await actor.close()


async def waiting(asker: Actor, request_id: str) -> str:
    approval_id: str = (await asker.request({**CREDIT, "request_id": request_id}))["approval_id"]
    await in_state(asker, approval_id, "waiting")
    return approval_id


async def in_state(asker: Actor, approval_id: str, state: str) -> None:
    async def look() -> bool:
        shown = await asker.show(approval_id)
        return bool(shown["state"] == state)

    await until(f"{approval_id} to be {state}", look)


def rows(stack: Stack, query: str, approval_id: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{(stack.data / 'plixo.db').as_uri()}?mode=ro", uri=True, timeout=10)) as books:
        return books.execute(query, (approval_id,)).fetchall()


async def applied_once(stack: Stack, approval_id: str) -> None:
    """One decision, one effect, and nothing that the independent checker minds."""
    statuses = rows(stack, "select status from decisions where approval_id = ?", approval_id)
    assert statuses == [("recorded",)]
    address, keys = stack.settings.temporal_address, stack.settings.public_keys
    sources = Sources(str(stack.data / "plixo.db"), stack.standin_url, address, "default", stack.data / "mailbox", keys)
    report = await check(sources)
    assert report.findings == []
    async with httpx.AsyncClient(base_url=stack.standin_url) as client:
        ledger = (await client.get("/_ledger")).json()
    assert sum((row["metadata"] or {}).get("plixo_approval") == approval_id for row in ledger) == 1


async def test_the_same_decision_posted_a_hundred_times_at_once_is_one(
    stack: Stack, people: tuple[Actor, Actor]
) -> None:
    asker, decider = people
    approval_id = await waiting(asker, "a-hundred-times")
    posted = await asyncio.gather(*(decider.decide(approval_id, "approve") for _ in range(100)))
    await in_state(asker, approval_id, "executed")
    assert {answer.status_code for answer in posted} <= {200, 202, 409, 429}
    assert {answer.json().get("answer") for answer in posted if answer.status_code < 300} <= {
        "accepted",
        "already_received",
        "kept",
    }
    await applied_once(stack, approval_id)


async def test_a_decision_is_taken_up_although_server_worker_and_console_died_when_it_was_stored(
    stack: Stack, people: tuple[Actor, Actor]
) -> None:
    asker, decider = people
    approval_id = await waiting(asker, "everything-dies")
    await stack.worker.kill()
    posting = asyncio.create_task(decider.decide(approval_id, "approve"))

    async def stored() -> bool:
        return bool(rows(stack, "select 1 from decisions where approval_id = ?", approval_id))

    await until("the decision to be stored", stored, every=0.005)
    for part in (stack.web, stack.temporal):
        await part.kill()
    with suppress(httpx.HTTPError):
        await posting
    assert rows(stack, "select status from decisions where approval_id = ?", approval_id) == [("submitted",)]

    await stack.temporal.start()
    await wait_for_temporal(stack.temporal, stack.settings.temporal_address)
    await asyncio.gather(stack.restart(stack.web), stack.restart(stack.worker))
    again = await Actor.sign_in(stack.console_url, "billing_admin")
    await in_state(again, approval_id, "executed")
    await again.close()
    await applied_once(stack, approval_id)
