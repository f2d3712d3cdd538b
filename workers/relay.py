"""The outbox relay: mails leave from here, outside Temporal, so that a mail costs no action."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from plixo.mail.post_office import PostOffice, Round
from plixo.ports import Clock, Letter
from plixo.store import outbox
from plixo.store.ledger import SqlLedger

LEASE: Final = timedelta(minutes=2)
"""How long a relay may hold a mail; one that died lets go of it then."""

SEND_SECONDS: Final = 60.0
"""How long one mail may take to leave; well within the lease, or two relays would send it."""

PAUSE_SECONDS: Final = 0.5
"""How long mails may gather before the next look."""

log = logging.getLogger(__name__)


async def relay_once(ledger: SqlLedger, post_office: PostOffice, clock: Clock) -> int:
    """Send the mails that are due now; how many were tried.

    Where the relay is slow, the rest of them is left to whoever leases it next.
    """
    now = clock()
    async with ledger.begin() as tx:
        letters = await outbox.lease(tx.session, now, LEASE)
    tried = 0
    async with post_office.round() as carried:
        for letter in letters:
            if clock() > now + LEASE - timedelta(seconds=SEND_SECONDS):
                break
            await _send(ledger, carried, letter, clock)
            tried += 1
    return tried


async def relay_what_gathered(ledger: SqlLedger, post_office: PostOffice, clock: Clock) -> int:
    """As `relay_once`, but 0 unless there were as many as are taken at once.

    A rest follows, in which mails gather that then share a transaction and a connection.
    """
    tried = await relay_once(ledger, post_office, clock)
    return tried if tried >= outbox.AT_ONCE else 0


async def _send(ledger: SqlLedger, carried: Round, letter: Letter, clock: Clock) -> None:
    problem = ""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await carried.send(letter)
    except Exception as failure:  # noqa: BLE001 - a mail that cannot even be written stops itself alone
        problem = f"{type(failure).__name__}: {failure}"
        log.warning("mail %s has not left: %s", letter.key, type(failure).__name__)
    async with ledger.begin() as tx:
        if problem:
            await outbox.failed(tx.session, letter.key, problem, clock())
        else:
            await outbox.sent(tx.session, letter.key, clock())
