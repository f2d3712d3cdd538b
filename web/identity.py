"""Who is there: sign-ins behind cookies for pages, and behind bearer tokens for the API."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from plixo.bootstrap import Staff
from plixo.config import Settings
from plixo.domain.people import Person
from plixo.store import people, sessions
from plixo.store.sessions import SignIn
from starters.desk import Desk
from web.tokens import new_token, token_hash

LIFETIME: Final = timedelta(hours=12)
"""How long a sign-in lasts: a working day, used or not."""


class SignInNeeded(Exception):
    """A page was asked for by nobody in particular."""


class TokenNeeded(Exception):
    """The API was called without a token that counts."""


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is signed in.

    Attributes:
        request: What they ask for.
        staff: What this application runs on.
        person: Who they are, as the directory has them now.
        sign_in: How they came in.
        desk: What starters need, with the policy that holds now.
    """

    request: Request
    staff: Staff
    person: Person
    sign_in: SignIn
    desk: Desk

    @property
    def signed_in_at(self) -> datetime:
        """When they proved who they are."""
        return self.sign_in.authenticated_at

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self.staff.desk.clock()


def staff_of(request: Request) -> Staff:
    """What this application runs on."""
    staff: Staff = request.app.state.staff
    return staff


StaffPart = Annotated[Staff, Depends(staff_of)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


async def page_visit(request: Request, staff: StaffPart) -> Visit:
    """Who opens this page, by their cookie.

    Raises:
        SignInNeeded: Nobody who is signed in.
    """
    visit = await _visit(request, staff, request.cookies.get(cookie_name(staff.settings), ""), "console")
    if visit is None:
        raise SignInNeeded
    return visit


async def api_call(request: Request, staff: StaffPart, bearer: Bearer) -> Visit:
    """Who calls, by their bearer token; a cookie counts for nothing here, so no page can call on a visitor's behalf.

    Raises:
        TokenNeeded: There is no token, or it has ended.
    """
    visit = await _visit(request, staff, bearer.credentials if bearer else "", "cli")
    if visit is None:
        raise TokenNeeded
    return visit


PageVisit = Annotated[Visit, Depends(page_visit)]
ApiCall = Annotated[Visit, Depends(api_call)]


async def _visit(request: Request, staff: Staff, token: str, kind: str) -> Visit | None:
    if not token:
        return None
    async with staff.desk.ledger.read() as session:
        sign_in = await sessions.load(session, token_hash(token), kind, staff.desk.clock())
        person = (await people.by_ids(session, [sign_in.person_id])).get(sign_in.person_id) if sign_in else None
        desk = await staff.desk.up_to_date(session)
    return Visit(request, staff, person, sign_in, desk) if sign_in and person and person.active else None


async def sign_in(staff: Staff, person_id: str, kind: str, authenticated_at: datetime) -> str:
    """Begin a sign-in.

    Args:
        staff: The staff side.
        person_id: Whose.
        kind: `console` or `cli`.
        authenticated_at: When they proved who they are.

    Returns:
        The token: its holder is that person from now on.
    """
    token, now = new_token(), staff.desk.clock()
    begun = SignIn(token_hash(token), person_id, kind, authenticated_at, now + LIFETIME)
    async with staff.desk.ledger.begin() as tx:
        await sessions.add(tx.session, begun, now)
    return token


async def sign_out(staff: Staff, token: str) -> None:
    """End a sign-in; its token is worth nothing from now on."""
    async with staff.desk.ledger.begin() as tx:
        await sessions.end(tx.session, token_hash(token))


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds a cookie to this host and to HTTPS, which a browser does not take over plain loopback."""
    return "__Host-plixo" if secure(settings) else "plixo-dev"


def set_cookie(response: Response, settings: Settings, token: str) -> None:
    """Hand the token to the browser, out of reach of scripts and of other sites' posts."""
    response.set_cookie(cookie_name(settings), token, path="/", secure=secure(settings), httponly=True, samesite="lax")


def clear_cookie(response: Response, settings: Settings) -> None:
    """Take the token back."""
    response.delete_cookie(cookie_name(settings), path="/", secure=secure(settings), httponly=True, samesite="lax")


def secure(settings: Settings) -> bool:
    """Whether cookies are for HTTPS alone: everywhere but on a development machine's plain loopback."""
    return not settings.dev or settings.base_url.lower().startswith("https://")


def local_path(text: str, otherwise: str = "/approvals") -> str:
    """A path on this console to go on to; anything that could lead elsewhere becomes `otherwise`."""
    plain = text.strip()
    shaped = plain.startswith("/") and plain.isascii() and plain.isprintable() and "\\" not in plain
    if not shaped or plain.startswith("//"):
        return otherwise
    parts = urlsplit(plain)
    if parts.scheme or parts.netloc or parts.path.startswith(("/sign-", "//")):
        return otherwise
    return plain
