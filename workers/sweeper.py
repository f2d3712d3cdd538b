"""The sweeper: sends again what Temporal has not taken, so that no request and no decision is lost.

Requests and decisions are stored before Temporal is told. Whatever died in between, here they are found and sent again;
so are decisions that were recorded while Temporal, dying, forgot that they were.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio.client import Client

from plixo.ports import Clock
from plixo.store import approvals, decisions
from plixo.store.ledger import SqlLedger
from starters.decisions import confirm, send
from starters.workflows import ensure_started

GRACE: Final = timedelta(seconds=10)
"""How long the console may take to tell Temporal itself."""

PAUSE_SECONDS: Final = 5.0
"""How long to rest between two sweeps."""


log = logging.getLogger(__name__)


async def sweep_once(ledger: SqlLedger, temporal: Client, clock: Clock) -> int:
    """Start requests that wait for their workflow and send decisions that were not taken up; how many were sent.

    It ends where Temporal cannot be reached: each further call would wait in vain, and a worker that is asked to stop
    would wait for all of them.
    """
    before = clock() - GRACE
    async with ledger.read() as session:
        requests = await approvals.unstarted(session, before)
        records = [await approvals.load(session, found, lock=False) for found in requests]
        waiting = await decisions.untaken(session, before)
        unconfirmed = await decisions.unconfirmed(session, before)
    sends: list[Callable[[], Awaitable[bool]]] = []
    sends += [partial(ensure_started, temporal, record) for record in records if record]
    sends += [partial(send, ledger, temporal, stored.decision, clock) for stored in waiting]
    sends += [partial(confirm, ledger, temporal, stored.decision, clock) for stored in unconfirmed]
    for number, one in enumerate(sends):
        if not await _alone(one):
            return number
    return len(sends)


async def _alone(one: Callable[[], Awaitable[bool]]) -> bool:
    """What fails stops itself alone: it would be the oldest at every sweep, and hold up all others for good.

    Returns:
        Whether Temporal could be reached.
    """
    try:
        return await one()
    except Exception:  # whatever it is, the next sweep tries again
        log.exception("one request or decision could not be sent; the others go on")
        return True
