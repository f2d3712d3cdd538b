"""What went wrong, in the house's words: a page for people, one JSON shape for programs, and no more than needed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from plixo.domain.payments import PaymentsError
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Problem, Refused
from plixo.oidc.failures import ProviderAway
from plixo.store.away import DATABASE_AWAY, is_full
from plixo.temporal.ui import TemporalUiAway, TooManyAtOnce
from web.identity import SignInNeeded, TokenNeeded
from web.rendering import bare_page
from web.temporal.asking import ASSETS, CALLS

STRIPE_AWAY: Final = "Stripe cannot be reached right now; nothing was changed. Try again in a minute."
DATABASE_AWAY_WORDS: Final = "The database cannot be reached right now; nothing was changed. Try again in a minute."
DATABASE_FULL: Final = "The database has no room left; nothing was changed. Tell an operator, then try again."
PROVIDER_AWAY: Final = (
    "Your organisation's sign-in cannot be reached right now; nothing was changed. Try again in a minute."
)
SIGN_IN: Final = "Sign in first: send a token of `plixo login` as `Authorization: Bearer …`."
SIGN_IN_AT_THE_CONSOLE: Final = "Sign in at the console first."
TEMPORAL_UI_AWAY: Final = "Temporal UI cannot be reached right now. Try again in a minute."
TEMPORAL_UI_BUSY: Final = (
    "You have too many pages of Temporal UI open that still load or wait for news. Close some and try again."
)
RETRY_AFTER: Final = {"Retry-After": "30"}


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failed:
    """An answer that is not what was asked for.

    Attributes:
        status: HTTP's.
        code: A stable word for programs.
        message: One sentence for people.
        problems: The fields it concerns.
        headers: What HTTP wants said with it.
    """

    status: int
    code: str
    message: str
    problems: Sequence[Problem] = ()
    headers: dict[str, str] = field(default_factory=dict)


def install(app: FastAPI) -> None:
    """Have the application answer with this module whatever is raised in it."""
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    app.add_exception_handler(ProviderAway, _without_provider)
    app.add_exception_handler(TemporalUiAway, _without_temporal_ui)
    app.add_exception_handler(TooManyAtOnce, _too_many_pages)
    for kind in (Refused, PaymentsError, *DATABASE_AWAY, TokenNeeded, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _failed)


def status_of(refusal: Refused) -> int:
    """HTTP's word for a refusal."""
    if isinstance(refusal, NotFound):
        return 404
    if isinstance(refusal, Conflict):
        return 409
    return 403 if isinstance(refusal, NotAllowed) else 422


async def failure(request: Request, status: int, message: str) -> Response:
    """The answer for what was refused before anything ran."""
    return answer(request, Failed(status, _code(status), message))


def answer(request: Request, failed: Failed) -> Response:
    """The failure as this request's reader wants it."""
    request_id = request.state.request_id
    if _asked_by_a_program(request):
        fields = [{"field": one.field, "code": one.code, "message": one.message} for one in failed.problems]
        error = {"code": failed.code, "message": failed.message, "fields": fields, "request_id": request_id}
        return JSONResponse({"error": error}, failed.status, headers=failed.headers)
    context = {"failed": failed, "title": _TITLES.get(failed.status, "That did not work")}
    return bare_page(request, "console/failure.html", context, failed.status, failed.headers)


def _asked_by_a_program(request: Request) -> bool:
    """Whether the answer goes to a program: one that has a token, or a page of Temporal UI that loads what it needs."""
    return str(request.scope["path"]).startswith(("/api/", "/codec/", CALLS, ASSETS))


async def _failed(request: Request, error: Exception) -> Response:
    return answer(request, describe(error))


def describe(error: Exception) -> Failed:
    """What an exception means for whoever asked."""
    if isinstance(error, Refused):
        return Failed(status_of(error), error.code, str(error), error.problems)
    if isinstance(error, PaymentsError):
        return Failed(503, "stripe_unavailable", STRIPE_AWAY, headers=RETRY_AFTER)
    if isinstance(error, DATABASE_AWAY):
        code, words = ("full", DATABASE_FULL) if is_full(error) else ("unavailable", DATABASE_AWAY_WORDS)
        return Failed(503, f"database_{code}", words, headers=RETRY_AFTER)
    if isinstance(error, TokenNeeded):
        return Failed(401, "unauthenticated", SIGN_IN, headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, RequestValidationError):
        return _misshapen(error)
    if isinstance(error, HTTPException):
        words = _WORDS.get(error.status_code, error.detail)
        return Failed(error.status_code, _code(error.status_code), words, headers=dict(error.headers or {}))
    raise error


def _misshapen(error: RequestValidationError) -> Failed:
    """Pydantic's findings as problems of fields."""
    problems = []
    for found in error.errors():
        place = [str(part) for part in found["loc"][1:]] or ["body"]
        problems.append(Problem(".".join(place), found["type"], f"{found['msg']}."))
    return Failed(422, "misshapen", "; ".join(problem.message for problem in problems), problems)


async def _to_sign_in(request: Request, _error: Exception) -> Response:
    """To the sign-in page and, after it, back to where they wanted to go."""
    if _asked_by_a_program(request):
        return answer(request, Failed(401, "unauthenticated", SIGN_IN_AT_THE_CONSOLE))
    place = f"/sign-in?next={quote(_wanted(request), safe='/')}"
    if "hx-request" in request.headers:
        # htmx would follow a redirect by itself and look for its fragment in the sign-in page.
        return Response(status_code=204, headers={"HX-Redirect": place})
    return RedirectResponse(place, 303)


async def _without_provider(request: Request, error: Exception) -> Response:
    log.warning("request %s: nobody can sign in: %s", request.state.request_id, error)
    return answer(request, Failed(503, "sign_in_unavailable", PROVIDER_AWAY, headers=RETRY_AFTER))


async def _without_temporal_ui(request: Request, error: Exception) -> Response:
    log.warning("request %s: %s", request.state.request_id, error)
    return answer(request, Failed(503, "temporal_ui_unavailable", TEMPORAL_UI_AWAY, headers=RETRY_AFTER))


async def _too_many_pages(request: Request, error: Exception) -> Response:
    log.warning("request %s: %s", request.state.request_id, error)
    return answer(request, Failed(503, "temporal_ui_busy", TEMPORAL_UI_BUSY, headers=RETRY_AFTER))


def _wanted(request: Request) -> str:
    """Where they go on to: the page they asked for, or the one with the form they sent; its words are gone by then."""
    if request.method == "GET":
        # As it came: a workflow's id in an address of Temporal UI holds a slash that must not become one of the path.
        path = request.scope["raw_path"].decode("ascii", "replace")
        return f"{path}?{request.url.query}" if request.url.query else path
    path = request.url.path
    if path.startswith("/credits"):
        return "/credits/new"
    return path.rpartition("/")[0] if path.startswith("/approvals/") else path


def _code(status: int) -> str:
    return _CODES.get(status, "failed")


_WORDS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take that kind of request.",
}
_CODES: Final = {
    400: "body_unreadable",
    403: "cross_site",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_long",
    421: "wrong_address",
    428: "not_confirmed",
    429: "too_many_tries",
    500: "internal",
}
"""Codes of what is refused before a rule of the house had a say; rules bring their own."""
_TITLES: Final = {
    403: "Not for you",
    404: "Nothing here",
    409: "That no longer fits",
    413: "Too much at once",
    421: "Wrong address",
    422: "That cannot be done like this",
    429: "Too many tries",
    500: "Something went wrong",
    503: "Not right now",
}
