"""The stand-in's own clock: the machine's, moved forward on request."""

import time

from standin.database import Database


class Clock:
    """Seconds since the epoch, plus an offset that survives restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        row = database.connection.execute("SELECT offset_seconds FROM clock").fetchone()
        self._offset: int = row["offset_seconds"]

    def now(self) -> int:
        """Unix time in whole seconds, as Stripe stamps its objects."""
        return int(time.time()) + self._offset

    def advance(self, seconds: int) -> int:
        """Moves the clock forward and returns the new time."""
        self._offset += seconds
        self._database.connection.execute("UPDATE clock SET offset_seconds = ?", (self._offset,))
        return self.now()
