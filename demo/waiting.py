"""Waiting for something to become true, with an end to one's patience."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 45.0
T = TypeVar("T")


class NeverHappened(Exception):
    """What was waited for did not come."""


async def until(
    what: str, look: Callable[[], Awaitable[T | None]], *, every: float = 0.05, patience: float = PATIENCE_SECONDS
) -> T:
    """Look again and again until there is something to see.

    Args:
        what: In words, for who waited in vain.
        look: Answers None, or something false, while there is nothing.
        every: Seconds between two looks.
        patience: Seconds to wait in all.

    Raises:
        NeverHappened: It did not come in time.
    """
    try:
        async with asyncio.timeout(patience):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(every)
    except TimeoutError as error:
        raise NeverHappened(f"waited {patience:.0f} s for {what}") from error
