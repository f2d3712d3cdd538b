"""Loops that must outlive every passing failure: the database restarting, the relay away, Temporal away."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def until_stopped(
    name: str,
    step: Callable[[], Awaitable[int]],
    pause_seconds: float,
    stopping: asyncio.Event,
) -> None:
    """Take the step again and again until stopped, without a pause as long as it found something to do.

    Stopping is asked for, not forced: a step that is under way is finished, and a cancellation that a driver swallows
    cannot keep the process alive.

    Args:
        name: For the log.
        step: Answers how much it did.
        pause_seconds: How long to rest when there was nothing, and after a failure.
        stopping: Set when it is time to end.
    """
    while not stopping.is_set():
        try:
            done = await step()
        except Exception:  # a loop that dies of a surprise would lose mails and decisions in silence
            log.exception("the %s failed; it goes on", name)
            done = 0
        if not done:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause_seconds)
