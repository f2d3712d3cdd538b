"""How often somebody may try. Counted per code or person, so that nobody can lock others out."""

from dataclasses import dataclass, field
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.exceptions import HTTPException

POLLS: Final = RateLimitItemPerMinute(60, namespace="polls")
"""Questions after one login: the interval we ask for, twice over and more."""

GUESSES: Final = RateLimitItemPerMinute(10, namespace="guesses")
"""Codes that one person may try to confirm."""

LOGINS: Final = RateLimitItemPerMinute(60, namespace="logins")
"""Logins that one address may begin."""

CODINGS: Final = RateLimitItemPerMinute(600, namespace="codings")
"""Calls of the codec by one person: far above what the pages of Temporal UI make while somebody reads them."""


@dataclass(frozen=True)
class Limiter:
    """Counts tries in this process's memory; they are about minutes, so a restart may forget them."""

    strategy: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))

    def check(self, limit: RateLimitItem, *who: str) -> None:
        """Count a try.

        Raises:
            HTTPException: 429, when there were too many.
        """
        if not self.strategy.hit(limit, *who):
            wait = {"Retry-After": str(limit.get_expiry())}
            raise HTTPException(429, "That was tried too often; wait a minute and try again.", wait)
