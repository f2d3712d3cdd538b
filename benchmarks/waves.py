"""Driving one side: a wave of requests, so many at a time; decisions are sent once all of them wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from temporalio.client import Client

from benchmarks.sides import Failed, Side
from demo.waiting import until

LOOK_SECONDS: Final = 0.02
"""How often the driver looks whether all wait; the same for both sides."""

PATIENCE_SECONDS: Final = 300.0
Rest = Callable[[], Awaitable[object]]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Wave:
    """What one wave took, in seconds.

    Attributes:
        asking: From the first request until all of them wait.
        deciding: From the first decision until the last request is executed.
        decisions: Each decision, from asking for it to having its answer.
    """

    asking: float
    deciding: float
    decisions: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.asking + self.deciding


async def ride(temporal: Client, side: Side, size: int, at_once: int, rest: Rest | None = None) -> Wave:
    """One wave.

    Args:
        temporal: To see what waits.
        side: What is measured.
        size: Requests in all.
        at_once: How many of them at a time.
        rest: Awaited, and not counted, between the last request and the first decision.
    """
    await at_rest(temporal, side, 0)
    began = time.monotonic()
    ids = await stand(temporal, side, size, at_once)
    asking = time.monotonic() - began
    if rest:
        await rest()
    began = time.monotonic()
    decisions = await _each(ids, at_once, lambda one: _through(side, one))
    return Wave(asking, time.monotonic() - began, tuple(decisions))


async def at_rest(temporal: Client, side: Side, already: int) -> None:
    """Wait until visibility, which lags, shows as many waiting requests as there are, and none that has ended."""

    async def shown() -> bool:
        return await standing(temporal, side) == already

    await until(f"{already} requests to be shown", shown, every=LOOK_SECONDS)


async def stand(temporal: Client, side: Side, size: int, at_once: int, already: int = 0) -> Sequence[str]:
    """Make requests and wait until all of them wait, besides those that did already."""
    ids = await _each(range(size), at_once, lambda _number: side.ask())

    async def all_wait() -> bool:
        return await standing(temporal, side) >= already + size

    await until("all of them to wait", all_wait, every=LOOK_SECONDS)
    return ids


async def standing(temporal: Client, side: Side) -> int:
    """How many wait for a decision now."""
    return (await temporal.count_workflows(side.waiting)).count


async def _through(side: Side, workflow_id: str) -> float:
    began = time.monotonic()
    await side.decide(workflow_id)
    answered = time.monotonic()
    await side.ended(workflow_id)
    return answered - began


async def _each(given: Sequence[T], at_once: int, do: Callable[[T], Awaitable[R]]) -> list[R]:
    """All of them, in lanes side by side."""
    waiting = list(enumerate(given))[::-1]
    done: dict[int, R] = {}

    async def lane() -> None:
        while waiting:
            number, one = waiting.pop()
            done[number] = await do(one)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as lanes:
        for _ in range(min(at_once, len(given))):
            lanes.create_task(lane())
    if len(done) != len(given):
        raise Failed("not every request came through")
    return [done[number] for number in range(len(given))]
