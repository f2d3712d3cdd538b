"""Calling Stripe from an activity: which failures are answers, and how long to wait after the others."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, NoReturn, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from plixo.domain.payments import (
    CallConflict,
    CallRefused,
    LookUpUnfinished,
    OutcomeUnknown,
    PaymentsError,
    RateLimited,
)

A = TypeVar("A")
R = TypeVar("R")

KEY_TROUBLE: Final = frozenset({"authentication_error", "permission_error"})
"""Stripe does not know our API key, or it may not do this: the operator's to mend, no reason to give up a request."""

QUICK_TRIES: Final = 8
QUICK_SECONDS: Final = (1, 2, 4, 8, 15)
LADDER_SECONDS: Final = (5 * 60, 60 * 60, 24 * 60 * 60)
"""After about a minute of quick tries: five minutes, an hour, then daily, as Kill Bill does for unknown outcomes."""


async def ask(call: Callable[[A], Awaitable[R]], argument: A) -> R:
    """Call Stripe; a failure that may pass goes to Temporal with the wait that suits it.

    Raises:
        CallRefused: Stripe answered no.
        ApplicationError: Try again later.
    """
    try:
        return await call(argument)
    except CallRefused:
        raise
    except PaymentsError as failure:
        _try_again(failure)


def hold_for_the_key(refusal: CallRefused) -> None:
    """A refusal of our API key is the operator's to mend: come back later, and give up nothing.

    Raises:
        ApplicationError: It is one.
    """
    if refusal.code in KEY_TROUBLE:
        wait = timedelta(seconds=LADDER_SECONDS[0])
        raise ApplicationError(str(refusal), type=refusal.code, next_retry_delay=wait) from refusal


def _try_again(failure: PaymentsError) -> NoReturn:
    """Hand a passing failure to Temporal, with the wait that suits it.

    Raises:
        ApplicationError: Always.
    """
    times = _one_unknown_more() if isinstance(failure, OutcomeUnknown) else activity.info().attempt
    wait = retry_delay(failure, times)
    raise ApplicationError(str(failure), type=type(failure).__name__, next_retry_delay=wait) from failure


def _one_unknown_more() -> int:
    """How many outcomes are unknown by now; the next try is told by this one's last heartbeat.

    Counted apart from the tries: a storm of 429s or an hour without a connection says nothing of the write, and must
    not have the first lost answer wait until tomorrow.
    """
    known = activity.info().heartbeat_details
    times = int(known[0]) + 1 if known else 1
    activity.heartbeat(times)
    return times


def retry_delay(failure: PaymentsError, times: int) -> timedelta:
    """How long to wait before the next try.

    Args:
        failure: Why this one failed; Stripe's own word on when to come back wins.
        times: How many outcomes are unknown by now, where this one is; otherwise which try it was, counted from 1.
    """
    if isinstance(failure, RateLimited) and failure.retry_after is not None:
        return timedelta(seconds=max(failure.retry_after, 1))
    if isinstance(failure, OutcomeUnknown) and times > QUICK_TRIES:
        return timedelta(seconds=LADDER_SECONDS[min(times - QUICK_TRIES, len(LADDER_SECONDS)) - 1])
    if isinstance(failure, (CallConflict, LookUpUnfinished)):
        return timedelta(seconds=1)
    return timedelta(seconds=QUICK_SECONDS[min(times, len(QUICK_SECONDS)) - 1])
