"""What all of the API's routes have in common: the prefix, and which failures they may answer with."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter

from web.api.models import Failure

PREFIX: Final = "/api/v1"

_WORDS: Final = {
    400: "The body cannot be read.",
    401: "No token, or one that has ended.",
    403: "You may not do this.",
    404: "There is no such thing, or you may not know of it.",
    409: "It no longer fits what stands.",
    413: "The body is too long.",
    422: "Something in it is wrong; the fields say what.",
    428: "Not confirmed yet; ask again.",
    429: "Too many tries.",
    503: "Stripe or the database cannot be reached right now.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These failures, for the API's description."""
    told: Mapping[int, str] = _WORDS
    return {status: {"model": Failure, "description": told[status]} for status in statuses}


def router(tag: str) -> APIRouter:
    """A router for calls that need a token."""
    return APIRouter(prefix=PREFIX, tags=[tag], responses=failures(400, 401, 403, 404, 413, 422, 503))
