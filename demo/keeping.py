"""Keeping the parts running: one that ends by itself is started again, unless it ends again and again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Never

from demo.parts import Part
from demo.places import CannotStart

DEATHS: Final = 3
WITHIN_SECONDS: Final = 60.0


@dataclass
class Keeper:
    """Watches one part.

    Attributes:
        part: What is to keep running.
        say: Tells a person one line.
        clock: Seconds that only grow.
    """

    part: Part
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _deaths: list[float] = field(default_factory=list)

    async def keep(self) -> Never:
        """Start it again whenever it ends.

        Raises:
            CannotStart: It ended too often in too short a time; the message says where its log is.
        """
        while True:
            await self.part.wait()
            self._count()
            self.say(f"The {self.part.name} stopped: {self.part.ending} (its log: {self.part.log}). Starting it again.")
            await self.part.start()
            await self._ready_again()

    def _count(self) -> None:
        now = self.clock()
        self._deaths = [moment for moment in self._deaths if now - moment < WITHIN_SECONDS] + [now]
        if len(self._deaths) >= DEATHS:
            times = f"{DEATHS} times within {WITHIN_SECONDS:.0f} s"
            raise CannotStart(f"The {self.part.name} stopped {times}: {self.part.ending} (its log: {self.part.log})")

    async def _ready_again(self) -> None:
        if not self.part.ready:
            return
        try:
            await self.part.wait_until_ready()
        except CannotStart:
            return  # it ended once more, which the next turn counts, or it is slow and its log tells why
        self.say(f"The {self.part.name} runs again.")


async def keep_running(parts: Sequence[Part], say: Callable[[str], None]) -> Never:
    """Keep all of them running until cancelled.

    Raises:
        CannotStart: One of them ended too often.
    """
    keepers = [asyncio.ensure_future(Keeper(part, say).keep()) for part in parts]
    try:
        await asyncio.gather(*keepers)
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
    raise AssertionError("a keeper keeps until it fails")
