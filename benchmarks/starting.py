"""How soon one can begin: the command line's help, and the whole stack."""

import asyncio
import time
from asyncio.subprocess import DEVNULL, PIPE
from typing import Final

from benchmarks.figures import Figure
from benchmarks.house import folder
from benchmarks.sides import Failed
from demo.places import binary

TRIES: Final = 5
READY_SECONDS: Final = 120.0


async def measure_help() -> list[Figure]:
    """`plixo --help`, the best of some tries."""
    taken = [await _help() for _ in range(TRIES)]
    return [Figure("help", "s", "`plixo --help`, best of five", min(taken), aim="under 0.5", met=min(taken) < 0.5)]  # noqa: PLR2004 - the aim


async def measure_ready() -> list[Figure]:
    """`plixo up` in an empty folder, until it says where everything is."""
    with folder() as data:
        began = time.monotonic()
        command = (str(binary("plixo")), "up", "--data", str(data), "--port", "0", "--json")
        up = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL, stdin=DEVNULL)
        try:
            said = await asyncio.wait_for(up.stdout.readline() if up.stdout else _nothing(), READY_SECONDS)
            taken = time.monotonic() - began
        finally:
            up.terminate()
            await up.wait()
    if not said:
        raise Failed("`plixo up` did not start")
    met = taken < 10  # noqa: PLR2004 - the aim
    return [
        Figure("ready", "s", "`plixo up` in an empty folder, until all parts answer", taken, aim="under 10", met=met)
    ]


async def _help() -> float:
    began = time.monotonic()
    asked = await asyncio.create_subprocess_exec(str(binary("plixo")), "--help", stdout=DEVNULL)
    await asked.wait()
    return time.monotonic() - began


async def _nothing() -> bytes:
    return b""
