"""Signing in and out. In dev one picks a person; everywhere one comes by the identity provider."""

from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from plixo.bootstrap import Staff
from plixo.domain.refusals import NotAllowed, NotFound
from plixo.store import people
from web import identity
from web.forms import Fields
from web.identity import StaffPart, local_path
from web.middleware import LOOPBACK
from web.rendering import bare_page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def front() -> Response:
    """The inbox is the front page."""
    return RedirectResponse("/approvals", 303)


@router.get("/sign-in")
async def sign_in_page(request: Request, staff: StaffPart, next: str = "", fresh: str = "") -> Response:  # noqa: A002 - its name in the address
    """Go to the identity provider, choose who to be (dev), or read that no sign-in is configured."""
    known = []
    if staff.settings.dev:
        async with staff.desk.ledger.read() as session:
            known = [person for person in await people.everybody(session) if person.active]
    context = {"people": known, "next": local_path(next), "fresh": fresh == "yes", "organisation": bool(staff.provider)}
    return bare_page(request, "console/sign_in.html", context)


@router.post("/sign-in")
async def sign_in(request: Request, staff: StaffPart, sent: Fields) -> Response:
    """Sign in as somebody of the directory, in dev and on this machine alone."""
    if not staff.settings.dev:
        raise NotFound.one("", "not_found", "There is nothing at this address.")
    if request.client is None or request.client.host not in LOOPBACK:
        raise NotAllowed.one("", "not_loopback", "The dev sign-in works on this machine alone.")
    person = sent.get("person", "")
    async with staff.desk.ledger.read() as session:
        found = (await people.by_ids(session, [person])).get(person) if person.isprintable() else None
    if found is None or not found.active:
        raise NotFound.one("person", "person_unknown", "Nobody of that name works here; choose one of the list.")
    return await enter(request, staff, found.person_id, staff.desk.clock(), sent.get("next", ""))


async def enter(request: Request, staff: Staff, person_id: str, proved_at: datetime, next_page: str) -> Response:
    """Begin a sign-in in this browser and go on.

    Args:
        request: The browser's.
        staff: The staff side.
        person_id: Who it is.
        proved_at: When they proved it.
        next_page: Where they want to go; only a page of this console is gone to.
    """
    await _forget_the_old(request, staff)
    token = await identity.sign_in(staff, person_id, "console", proved_at)
    answer = RedirectResponse(local_path(next_page), 303)
    identity.set_cookie(answer, staff.settings, token)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, staff: StaffPart) -> Response:
    """End this browser's sign-in."""
    await _forget_the_old(request, staff)
    answer = RedirectResponse("/sign-in", 303)
    identity.clear_cookie(answer, staff.settings)
    return answer


async def _forget_the_old(request: Request, staff: StaffPart) -> None:
    """A sign-in always gets a new token; the one before it ends."""
    token = request.cookies.get(identity.cookie_name(staff.settings))
    if token:
        await identity.sign_out(staff, token)
