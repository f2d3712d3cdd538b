"""Giving every open request its workflow again, after Temporal or the database was restored or replaced.

What counts are the rows: a new run takes its request up wherever they say that it stands, and does nothing twice.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from temporalio.client import Client

from plixo.store import approvals, unended
from plixo.store.ledger import SqlLedger
from starters.workflows import START_SECONDS, reaching, start

AT_ONCE: Final = 20
"""How many starts are under way at a time."""


async def resume(ledger: SqlLedger, temporal: Client, told: Callable[[int], None] = lambda _number: None) -> int:
    """See to it that every request which has not ended has a workflow that runs; one that runs is left alone.

    Args:
        ledger: The database.
        temporal: Where workflows run.
        told: Hears how many were seen to, now and then.

    Returns:
        How many open requests there are.

    Raises:
        TemporalAway: It cannot be reached; what was seen to until then stays so.
    """
    number, last = 0, ""
    while True:
        async with ledger.read() as session:
            found = await unended.page(session, last)
        if not found:
            return number
        for first in range(0, len(found), AT_ONCE):
            some = found[first : first + AT_ONCE]
            await asyncio.gather(*(_resume(ledger, temporal, approval_id) for approval_id in some))
            number += len(some)
            told(number)
        last = found[-1]


async def _resume(ledger: SqlLedger, temporal: Client, approval_id: str) -> None:
    async with ledger.read() as session:
        record = await approvals.load(session, approval_id, lock=False)
    if record:
        async with reaching(START_SECONDS):
            await start(temporal, record, again=True)
