"""The sweeper: sends again what Temporal has not taken, so that no request and no decision is lost.

Requests and decisions are stored before Temporal is told. Whatever died in between, here they are found and sent again.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Final

from temporalio.client import Client

from plixo.ports import Clock
from plixo.store import approvals, decisions
from plixo.store.ledger import SqlLedger
from starters.decisions import send
from starters.workflows import ensure_started
from workers.patience import Patience

GRACE: Final = timedelta(seconds=10)
"""How long the console may take to tell Temporal itself."""

PAUSE_SECONDS: Final = 5.0
"""How long to rest between two sweeps."""


AT_ONCE: Final = 100
"""How many are sent in one sweep: a worker that is asked to stop waits for them."""

log = logging.getLogger(__name__)


@dataclass
class Sweeper:
    """Sweeps again and again, and asks less and less often for what is not taken.

    Attributes:
        ledger: The database.
        temporal: Where workflows run.
        clock: What time it is.
        patience: What was sent before.
    """

    ledger: SqlLedger
    temporal: Client
    clock: Clock
    patience: Patience = field(default_factory=Patience)

    async def sweep(self) -> int:
        """Start requests that wait for their workflow and send decisions that were not taken up; how many were sent.

        It ends where Temporal cannot be reached: each further call would wait in vain, and a worker that is asked to
        stop would wait for all of them.
        """
        now = self.clock()
        async with self.ledger.read() as session:
            requests = await approvals.unstarted(session, now - GRACE)
            waiting = await decisions.untaken(session, now - GRACE)
        sends = dict.fromkeys(requests, self._start) | dict.fromkeys(waiting, self._send)
        number = 0
        for key in islice(self.patience.due(sends, now), AT_ONCE):
            if not await _alone(partial(sends[key], key)):
                break
            self.patience.sent(key, now)
            number += 1
        return number

    async def _start(self, approval_id: str) -> bool:
        async with self.ledger.read() as session:
            record = await approvals.load(session, approval_id, lock=False)
        return record is None or await ensure_started(self.temporal, record, again=True)

    async def _send(self, decision_id: str) -> bool:
        async with self.ledger.read() as session:
            stored = await decisions.load(session, decision_id)
        return stored is None or await send(self.ledger, self.temporal, stored.decision, self.clock)


async def _alone(one: Callable[[], Awaitable[bool]]) -> bool:
    """What fails stops itself alone: it would be the oldest at every sweep, and hold up all others for good.

    Returns:
        Whether Temporal could be reached.
    """
    try:
        return await one()
    except Exception:  # whatever it is, a later sweep tries again
        log.exception("one request or decision could not be sent; the others go on")
        return True
