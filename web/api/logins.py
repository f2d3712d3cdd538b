"""Signing the command line in: a code is shown there and confirmed here (as in RFC 8628)."""

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from plixo.domain.people import Group
from plixo.domain.refusals import NotAllowed, NotFound, Refused
from plixo.store import logins, people
from plixo.store.logins import Login
from web import identity
from web.api import views
from web.api.models import DeviceIn, LoginOut, RoleIn, TokenOut
from web.api.routing import PREFIX, failures
from web.identity import StaffPart
from web.limiting import LOGINS, POLLS, Limiter
from web.middleware import LOOPBACK
from web.tokens import new_token, new_user_code, token_hash

LIFETIME: Final = timedelta(minutes=10)
INTERVAL: Final = 2
"""Seconds that the command line waits between two questions."""

login_routes = APIRouter(prefix=PREFIX, tags=["login"], responses=failures(400, 413, 422, 429, 503))
dev_routes = APIRouter(prefix=PREFIX, tags=["dev"], responses=failures(400, 403, 404, 413, 422, 503))


@login_routes.post("/logins", status_code=201)
async def begin(request: Request, staff: StaffPart) -> LoginOut:
    """Begin a login; somebody signed in to the console confirms its code."""
    _limiter(request).check(LOGINS, request.client.host if request.client else "")
    device_code, user_code = new_token(), new_user_code()
    now = staff.desk.clock()
    async with staff.desk.ledger.begin() as tx:
        await logins.add(tx.session, Login(token_hash(device_code), user_code, now + LIFETIME), now)
    return LoginOut(
        device_code=device_code,
        user_code=user_code,
        verify_url=f"{staff.settings.base_url.rstrip('/')}/cli/confirm?code={user_code}",
        expires_in=int(LIFETIME.total_seconds()),
        interval=INTERVAL,
    )


@login_routes.post("/logins/token", responses=failures(404, 428))
async def fetch(request: Request, staff: StaffPart, device: DeviceIn) -> TokenOut:
    """The token, once the code was confirmed; it is handed out this one time."""
    hashed = token_hash(device.device_code)
    _limiter(request).check(POLLS, hashed)
    async with staff.desk.ledger.begin() as tx:
        login = await logins.take(tx.session, hashed, staff.desk.clock())
    if login is None:
        raise NotFound.one("device_code", "login_unknown", "That login has ended; begin another with `plixo login`.")
    if login.person_id is None or login.authenticated_at is None:
        raise HTTPException(428, f"Nobody has confirmed {login.user_code} yet.")
    token = await identity.sign_in(staff, login.person_id, "cli", login.authenticated_at)
    return await _token_out(staff, token, login.person_id)


@dev_routes.post("/dev/token")
async def dev_token(request: Request, staff: StaffPart, wanted: RoleIn) -> TokenOut:
    """Be the first person of a group; in dev and on this machine alone."""
    if request.client is None or request.client.host not in LOOPBACK:
        raise NotAllowed.one("", "not_loopback", "The dev sign-in works on this machine alone.")
    if wanted.role not in set(Group):
        raise Refused.one("role", "role_unknown", f"Choose one of these roles: {', '.join(Group)}.")
    async with staff.desk.ledger.read() as session:
        members = await people.members(session, {Group(wanted.role)})
    if not members:
        raise NotFound.one("role", "role_empty", f"Nobody is in {Group(wanted.role).label}.")
    token = await identity.sign_in(staff, members[0].person_id, "cli", staff.desk.clock())
    return await _token_out(staff, token, members[0].person_id)


async def _token_out(staff: StaffPart, token: str, person_id: str) -> TokenOut:
    async with staff.desk.ledger.read() as session:
        person = (await people.by_ids(session, [person_id]))[person_id]
    return TokenOut(token=token, person=views.person(person))


def _limiter(request: Request) -> Limiter:
    limiter: Limiter = request.app.state.limiter
    return limiter
