"""The console's part in the audit log: it signs the checkpoints that were asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from plixo.bootstrap import Staff, open_checkpoint_desk
from plixo.loops import until_stopped
from starters.checkpoints import meet_wishes

PAUSE_SECONDS: Final = 2.0
"""How long to rest between two looks for wishes."""


@asynccontextmanager
async def signing_checkpoints(staff: Staff) -> AsyncIterator[None]:
    """Meet every wish for a checkpoint for as long as the block lasts.

    Raises:
        KeyFileError: The audit key cannot be used.
    """
    desk = open_checkpoint_desk(staff.settings, staff.desk.ledger)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as loops:
        loops.create_task(until_stopped("checkpoint", partial(meet_wishes, desk), PAUSE_SECONDS, stopping))
        try:
            yield
        finally:
            stopping.set()
