"""How fast Stripe is called: a token bucket that makes callers wait their turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class TokenBucket:
    """Lets calls through at a steady rate, first come first served.

    Args:
        per_second: Calls a second in the long run.
        burst: Calls that may go at once after a pause; in no second do more than `per_second + burst` go.
        clock: Monotonic seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        per_second: float,
        burst: int = 5,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("The rate must be above zero and the burst at least one call.")
        self._gap = 1 / per_second
        self._lead = (burst - 1) * self._gap
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    async def take(self, at_most: float) -> float | None:
        """Wait for a turn.

        Args:
            at_most: Seconds the caller can wait; when the queue is longer, no turn is taken.

        Returns:
            None once it is the caller's turn, or how many seconds the queue is long when that is too long.
        """
        now = self._clock()
        start = max(self._next, now)
        wait = max(0.0, start - self._lead - now)
        if wait > at_most:
            return wait
        self._next = start + self._gap
        if wait:
            await self._sleep(wait)
        return None
