"""Stripe's failures, sorted by what they say of the call: refused, not done, or not known."""

import math
from collections.abc import Mapping
from typing import Final

import httpx
import stripe

from plixo.domain.payments import CallConflict, CallRefused, OutcomeUnknown, PaymentsError, RateLimited, Unavailable

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""What HTTPX raises before a byte of the request has left."""

_BY_CLASS: Final[dict[type[stripe.StripeError], str]] = {
    stripe.IdempotencyError: "idempotency_error",
    stripe.AuthenticationError: "authentication_error",
    stripe.PermissionError: "permission_error",
}
"""Codes of refusals that Stripe tells by the kind of error, with no code of their own or with one of many."""

_LONGEST: Final = 500


def sort(error: stripe.StripeError, *, writes: bool) -> PaymentsError:
    """What a failed call means.

    Args:
        error: What the SDK raised.
        writes: Whether the call could have changed anything: what is lost on the way is unknown then, and merely
            unavailable otherwise.
    """
    if isinstance(error, stripe.APIConnectionError):
        return _broken(error, writes=writes)
    code, status = _code(error), error.http_status or 0
    if status == httpx.codes.CONFLICT or code == "lock_timeout":
        return CallConflict(_message(error))
    if status == httpx.codes.TOO_MANY_REQUESTS or isinstance(error, stripe.RateLimitError):
        return RateLimited(_message(error), _retry_after(error))
    if httpx.codes.is_client_error(status) and error.error is not None:
        return CallRefused(_message(error), code)
    return lost(_message(error), writes=writes)


def lost(message: str, *, writes: bool) -> PaymentsError:
    """No word, or none of Stripe's own, on what became of a call that was sent."""
    return OutcomeUnknown(message) if writes else Unavailable(message)


def _broken(error: stripe.APIConnectionError, *, writes: bool) -> PaymentsError:
    cause = error.__cause__
    name = type(cause).__name__ if cause else "no connection"
    if isinstance(cause, _NOT_SENT):
        return Unavailable(f"Stripe could not be reached ({name}).")
    return lost(f"The connection to Stripe broke before its answer was complete ({name}).", writes=writes)


def _code(error: stripe.StripeError) -> str:
    said = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    if not isinstance(said, dict):
        return ""
    return _BY_CLASS.get(type(error)) or str(said.get("code") or said.get("type") or "")


def _message(error: stripe.StripeError) -> str:
    """Stripe's own words; a page of HTML from something in between is not repeated."""
    said = str(error.user_message or "")
    if error.error is None or not said:
        return f"The answer was HTTP {error.http_status}, without Stripe's own error."
    asked = f" (Stripe's request {error.request_id})" if error.request_id else ""
    return said[:_LONGEST] + asked


def _retry_after(error: stripe.StripeError) -> float | None:
    """Seconds to wait, where the answer says so in seconds."""
    # Where the body is not JSON, the SDK hands the headers over in the body's place.
    places = (error.headers, error.json_body)
    said = next((text for place in places if isinstance(place, Mapping) and (text := place.get("retry-after"))), "")
    try:
        seconds = float(said)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
