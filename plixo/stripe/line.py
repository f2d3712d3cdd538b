"""The line to Stripe: every call goes within the rate and the deadline, and every failure comes back sorted."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import stripe

from plixo.domain.payments import CallConflict, CallRefused, OutcomeUnknown, PaymentsError, RateLimited, Unavailable
from plixo.stripe.errors import lost, sort
from plixo.stripe.rate import TokenBucket

T = TypeVar("T")

OnResult = Callable[[str, str], None]
"""Told of every call that was tried: the operation, such as `invoices.retrieve`, and its result. Must not raise."""

AT_ONCE: Final = 10
"""Calls of one line at a time: enough for the whole rate at half a second each. Whoever makes more keeps as many
connections, and the HTTP client looks at each of them twice a call."""

OK: Final = "ok"
RESULTS: Final[dict[type[PaymentsError], str]] = {
    CallRefused: "refused",
    RateLimited: "rate_limited",
    CallConflict: "conflict",
    Unavailable: "unavailable",
    OutcomeUnknown: "outcome_unknown",
}
"""The result's word for each kind of failure; a refusal, too, is an answer."""


class Line:
    """Makes calls.

    Args:
        secret: The API key, taken out of every message should Stripe repeat it.
        deadline: Seconds a call may take in all, and seconds it may wait for its turn.
        bucket: The rate; None for no limit.
        on_result: Told of every call that was tried.
        clock: Wall time in seconds; it goes on while the process is suspended, as no timeout does.
    """

    def __init__(
        self,
        secret: str,
        deadline: float,
        bucket: TokenBucket | None,
        on_result: OnResult | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._deadline = deadline
        self._bucket = bucket
        self._free = asyncio.Semaphore(AT_ONCE)
        self._on_result = on_result or (lambda _operation, _result: None)
        self._clock = clock

    async def read(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that changes nothing: what is lost on the way is `Unavailable`."""
        return await self._try(operation, call, writes=False)

    async def write(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that may change something: what is lost on the way is `OutcomeUnknown`."""
        return await self._try(operation, call, writes=True)

    async def _try(self, operation: str, call: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        began = self._clock()
        async with self._turn():
            return await self._tried(operation, call, began, writes=writes)

    async def _tried(self, operation: str, call: Callable[[], Awaitable[T]], began: float, *, writes: bool) -> T:
        if writes and not 0 <= self._clock() - began <= 2 * self._deadline:
            raise Unavailable("This try was stalled; nothing was sent.")
        try:
            answer = await self._call(call, writes=writes)
        except PaymentsError as failure:
            self._on_result(operation, RESULTS[type(failure)])
            raise
        self._on_result(operation, OK)
        return answer

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline):
                too_long = await self._bucket.take(self._deadline) if self._bucket else None
                if too_long is None:
                    await self._free.acquire()
        except TimeoutError:
            too_long = self._deadline
        if too_long is not None:
            raise RateLimited(f"Calls to Stripe queue for {too_long:.0f} s here; nothing was sent.", too_long)
        try:
            yield
        finally:
            self._free.release()

    async def _call(self, call: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        try:
            async with asyncio.timeout(self._deadline):
                return await call()
        except stripe.StripeError as error:
            # Without its cause: that one's text is Stripe's, repeats what it was sent, and would travel along.
            raise self._silenced(sort(error, writes=writes)) from None
        except TimeoutError:
            raise lost(f"Stripe gave no answer within {self._deadline:g} s.", writes=writes) from None
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            raise lost(f"Stripe's answer is not understood ({error!r}).", writes=writes) from error

    def _silenced(self, failure: PaymentsError) -> PaymentsError:
        failure.args = tuple(str(part).replace(self._secret, "…") for part in failure.args)
        return failure
