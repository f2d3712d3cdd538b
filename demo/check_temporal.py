"""Fetching histories from a Temporal server: the only thing the checker asks of it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from demo.check_model import Row, UnreadableError

History = Sequence[Row]
"""The events of one run, in Temporal's own JSON."""

FetchHistories = Callable[[Collection[str]], Awaitable[Mapping[str, Sequence[History]]]]
"""Given the ids of workflows that should be there: every run of theirs, and of every other workflow found, by id."""

AT_ONCE: Final = 16
CONNECT_SECONDS: Final = 10


def histories_from(address: str, namespace: str) -> FetchHistories:
    """Reads from a server."""

    async def fetch(wanted: Collection[str]) -> dict[str, list[History]]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                client = await Client.connect(address, namespace=namespace)
            return await _fetch(client, wanted)
        except (RPCError, RuntimeError, TimeoutError, OSError) as broken:
            raise UnreadableError(f"Temporal's histories cannot be read: {broken!r}") from broken

    return fetch


async def _fetch(client: Client, wanted: Collection[str]) -> dict[str, list[History]]:
    """Listing may lag behind, so what should be there and is not listed is asked for by its id."""
    listed = [(found.id, found.run_id) async for found in client.list_workflows()]
    missing: list[tuple[str, str | None]] = [(name, None) for name in set(wanted) - {name for name, _ in listed}]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, run_id: str | None) -> tuple[str, History | None]:
        async with turn:
            return name, await _events(client, name, run_id)

    found: dict[str, list[History]] = defaultdict(list)
    for name, events in await asyncio.gather(*(one(name, run_id) for name, run_id in [*listed, *missing])):
        if events:
            found[name].append(events)
    return found


async def _events(client: Client, name: str, run_id: str | None) -> History | None:
    try:
        history = await client.get_workflow_handle(name, run_id=run_id).fetch_history()
    except RPCError as failure:
        if failure.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    events: list[Row] = json.loads(history.to_json())["events"]
    return events
