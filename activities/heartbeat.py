"""Telling Temporal that a long call still lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio import activity

EVERY_SECONDS: Final = 5.0


@asynccontextmanager
async def signs_of_life() -> AsyncIterator[None]:
    """Heartbeat for as long as the block lasts, from its fifth second on: a short call costs no action more."""
    beating = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        activity.heartbeat(*activity.info().heartbeat_details)  # what earlier tries left is kept, not blotted out
