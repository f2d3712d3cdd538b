"""Many requests that wait: what they hold of the worker's memory, and the first decision after a restart."""

import time
from typing import Final

from benchmarks.figures import Figure
from benchmarks.house import House
from benchmarks.meters import MIB, memory_bytes
from benchmarks.sides import Side
from benchmarks.waves import at_rest, ride, stand

AT_ONCE: Final = 50
CHUNK: Final = 500


async def measure_standing(house: House, size: int) -> list[Figure]:
    """So many open requests of the product, with the shipped cache size.

    Args:
        house: Everything.
        size: How many stay open.
    """
    await ride(house.temporal, house.credit, 20, 10)
    await at_rest(house.temporal, house.credit, 0)
    before = memory_bytes(house.stack.worker.pid)
    began = time.monotonic()
    ids = await _stand(house, house.credit, size)
    taken = time.monotonic() - began
    held = memory_bytes(house.stack.worker.pid)
    await house.mails_left()
    again = await _after_restart(house, ids[0])
    cached = min(size, house.stack.settings.max_cached_workflows)
    words = f"the worker's resident memory while {size:,} requests wait"
    mib = held / MIB
    return [
        Figure("open_memory", "MiB", words, mib, aim="under 500", met=mib < 500),  # noqa: PLR2004 - the aim
        Figure("open_memory_each", "KiB", "of it, for each request that is cached", (held - before) / cached / 1024),
        Figure("open_rate", "requests/s", "asking for them, 50 at a time", size / taken),
        Figure("after_restart", "s", _FIRST, again, aim="under 1", met=again < 1),
    ]


_FIRST: Final = "the first decision once a restarted worker says that it is ready"


async def _stand(house: House, side: Side, size: int) -> list[str]:
    ids: list[str] = []
    while len(ids) < size:
        ids += await stand(house.temporal, side, min(CHUNK, size - len(ids)), AT_ONCE, len(ids))
    return ids


async def _after_restart(house: House, workflow_id: str) -> float:
    await house.stack.worker.stop()
    await house.stack.restart(house.stack.worker)
    began = time.monotonic()
    await house.credit.decide(workflow_id)
    return time.monotonic() - began
