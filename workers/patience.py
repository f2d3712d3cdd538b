"""Trying again less and less often: what is not taken for hours must not be sent every few seconds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

FIRST: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(minutes=10)


@dataclass
class Patience:
    """Remembers what was sent and when; a process that starts anew sends everything at once.

    Attributes:
        sent_at: By key, how often and when last.
    """

    sent_at: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def due(self, keys: Collection[str], now: datetime) -> Iterator[str]:
        """Those of the keys whose turn it is, in their order; what is not among them any more is forgotten."""
        known = set(keys)
        self.sent_at = {key: sent for key, sent in self.sent_at.items() if key in known}
        return (key for key in keys if self._is_due(key, now))

    def sent(self, key: str, now: datetime) -> None:
        """It was sent just now."""
        times, _ = self.sent_at.get(key, (0, now))
        self.sent_at[key] = (times + 1, now)

    def _is_due(self, key: str, now: datetime) -> bool:
        if key not in self.sent_at:
            return True
        times, last = self.sent_at[key]
        doubled: timedelta = FIRST * 2 ** min(times - 1, 10)
        return not last <= now < last + min(doubled, LONGEST)  # a clock that was set back keeps nothing waiting
