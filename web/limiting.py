"""How often somebody may try, counted per code or person, so that nobody can lock others out; and the lane for many."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

POLLS: Final = RateLimitItemPerMinute(60, namespace="polls")
"""Questions after one login: the interval we ask for, twice over and more."""

GUESSES: Final = RateLimitItemPerMinute(10, namespace="guesses")
"""Codes that one person may try to confirm."""

LOGINS: Final = RateLimitItemPerMinute(60, namespace="logins")
"""Logins that one address may begin."""

CODINGS: Final = RateLimitItemPerMinute(600, namespace="codings")
"""Calls of the codec by one person: far above what the pages of Temporal UI make while somebody reads them."""

UPLOADS: Final = RateLimitItemPerMinute(60, namespace="uploads")
"""Documents that one person may send."""

UPLOADS_AT_ONCE: Final = 3
"""How many documents one person may be sending: each is held in memory until it is there as a whole."""


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


@dataclass(frozen=True)
class Uploads:
    """Counts what each person is sending right now, so that a slow or greedy one is in nobody else's way."""

    under_way: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def one(self, person_id: str) -> Iterator[None]:
        """Count one more of this person's for as long as the block lasts.

        Raises:
            HTTPException: 429, when they send too many already.
        """
        if self.under_way[person_id] >= UPLOADS_AT_ONCE:
            words = f"You are sending {UPLOADS_AT_ONCE} documents already; wait until one has arrived."
            raise HTTPException(429, words, {"Retry-After": "5"})
        self.under_way[person_id] += 1
        try:
            yield
        finally:
            self.under_way[person_id] -= 1
            if not self.under_way[person_id]:
                del self.under_way[person_id]


BULK_WAITING: Final = 64
"""How many calls that are each one of many may wait for their turn; more are told to come back."""

COURTESY_SECONDS: Final = 0.5
"""How long a turn waits at most while others are being served: they go first, but an import comes to its end."""


@dataclass
class Lane:
    """Where the calls of imports stand in line, whoever makes them and however many at a time; all others go first.

    Attributes:
        at_once: How many are served at a time.
        waiting: How many may wait for that.
    """

    at_once: int
    waiting: int = BULK_WAITING
    _inside: int = 0
    _others: int = 0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """As many turns as there are, and nobody else there."""
        self._turns = asyncio.Semaphore(self.at_once)
        self._quiet.set()

    def came(self, number: int = 1) -> None:
        """Somebody who is not one of many is being served now; with -1, no longer."""
        self._others += number
        (self._quiet.clear if self._others else self._quiet.set)()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as the block lasts.

        Raises:
            HTTPException: 429, when too many wait already.
        """
        if self._inside >= self.at_once + self.waiting:
            raise HTTPException(429, "Too many at once; wait a moment and try again.", {"Retry-After": "1"})
        self._inside += 1
        try:
            async with self._turns:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._quiet.wait(), COURTESY_SECONDS)
                yield
        finally:
            self._inside -= 1


@asynccontextmanager
async def lane(request: Request, *, bulk: bool) -> AsyncIterator[None]:
    """A turn in the lane for one of many; whoever comes alone goes straight on."""
    if not bulk:
        yield
        return
    many: Lane = request.app.state.lane
    many.came(-1)  # until now it was taken for somebody else
    try:
        async with many.turn():
            yield
    finally:
        many.came()


@dataclass(frozen=True)
class Counted:
    """Tells the lane of everybody who is being served."""

    app: ASGIApp
    lane: Lane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.lane.came()
        try:
            await self.app(scope, receive, send)
        finally:
            self.lane.came(-1)
