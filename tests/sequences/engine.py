"""The rules on the house in memory."""

import asyncio

from tests.sequences.house import Engine, House
from tests.sequences.machine import Sequences

_loops: list[asyncio.AbstractEventLoop] = []


class EngineSequences(Sequences):
    """Everything in memory; one loop serves all sequences."""

    def open(self) -> tuple[asyncio.AbstractEventLoop, House]:
        if not _loops:
            _loops.append(asyncio.new_event_loop())
        return _loops[0], Engine()
