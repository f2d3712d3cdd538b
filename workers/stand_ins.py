"""Looks who is away by now, and tells whoever stands in, once.

Nothing waits for this: from the moment an absence begins, whoever stands in may decide and finds it in their inbox.
"""

import logging
from dataclasses import dataclass
from typing import Final

from activities.absences import letter_key, stands_in, tell_stand_in
from plixo.domain.absence import Absence
from plixo.ports import Clock, Record
from plixo.store import inbox, outbox, people
from plixo.store.absences import lasting
from plixo.store.inbox import Search, Sort, Tab
from plixo.store.ledger import SqlLedger

PAUSE_SECONDS: Final = 10.0
"""How long to rest between two looks."""

MOST_LISTED: Final = 200
"""How many requests that wait for somebody are looked through for whoever stands in."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StandIns:
    """Looks again and again; who was told is known from the outbox.

    Attributes:
        ledger: The database.
        clock: What time it is.
    """

    ledger: SqlLedger
    clock: Clock

    async def look(self) -> int:
        """Tell those who stand in by now and were not told yet; how many."""
        now = self.clock()
        async with self.ledger.read() as session:
            found = [one.absence for one in await lasting(session, now)]
            begun = [(one, stands_in(one, found, now)) for one in found if one.covers(now)]
            known = await outbox.known(session, [letter_key(one, reader_id) for one, reader_id in begun])
        new = [(one, reader_id) for one, reader_id in begun if reader_id and letter_key(one, reader_id) not in known]
        return sum([await self._tell(one, reader_id) for one, reader_id in new])

    async def _tell(self, absence: Absence, reader_id: str) -> bool:
        """What fails stops itself alone; a later look tries again."""
        try:
            waiting = await self._waiting(absence)
            now = self.clock()
            async with self.ledger.begin() as tx:
                letter = await tell_stand_in(tx, absence, reader_id, waiting, now)
                return letter is not None and await tx.post(letter, now)
        except Exception:
            log.exception("somebody who stands in could not be told; the others are")
            return False

    async def _waiting(self, absence: Absence) -> list[Record]:
        """What waits for who is away, the first due first."""
        now = self.clock()
        async with self.ledger.read() as session:
            person = (await people.by_ids(session, [absence.person_id])).get(absence.person_id)
            if person is None:
                return []
            search = Search(Tab.MINE, sort=Sort.DUE, size=MOST_LISTED)
            found, _total = await inbox.find(session, person, search, now)
        return list(found)
