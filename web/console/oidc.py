"""Signing in by the organisation's identity provider: on the way there, and back."""

import logging
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from plixo.bootstrap import Staff
from plixo.config import Settings
from plixo.domain.people import Person
from plixo.domain.refusals import NotFound
from plixo.oidc.failures import NotProven
from plixo.oidc.id_token import Proof
from plixo.oidc.provider import CALLBACK, Provider, known_error
from plixo.oidc.trip import Trip
from plixo.store import attempts, people
from plixo.store.attempts import Attempt
from web import failures, identity
from web.console.signin import enter
from web.failures import Failed
from web.forms import Fields
from web.identity import StaffPart, local_path
from web.limiting import LOGINS
from web.rendering import bare_page
from web.tokens import new_token, token_hash

LIFETIME: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""
LONGEST_PAGE: Final = 2000
"""Characters of an address to come back to; every one of ours is shorter."""

NOT_SIGNED_IN: Final = "That sign-in did not work. Start again from the sign-in page."
UNKNOWN: Final = "Plixo does not know you yet; ask an administrator."

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


@router.post("/sign-in/oidc")
async def leave(request: Request, staff: StaffPart, sent: Fields) -> Response:
    """Send the browser to the provider, with a secret that its answer must match."""
    provider = _configured(staff.provider)
    request.app.state.limiter.check(LOGINS, request.client.host if request.client else "")
    secret, now, fresh = new_token(), staff.desk.clock(), sent.get("fresh") == "yes"
    async with staff.desk.ledger.read() as session:
        policy = (await staff.desk.up_to_date(session)).policy
    longest = timedelta(minutes=policy.fresh_sign_in_minutes) if fresh else identity.LIFETIME
    place = await provider.way_in(Trip.of(secret), max_age=int(longest.total_seconds()), ask_again=fresh)
    next_page = local_path(sent.get("next", ""))
    if len(next_page) > LONGEST_PAGE:
        next_page = local_path("")
    async with staff.desk.ledger.begin() as tx:
        await attempts.add(tx.session, Attempt(token_hash(secret), next_page, now + LIFETIME), now)
    # A redirect of a form would be held against `form-action 'self'`, at every hop the provider itself makes.
    page = bare_page(request, "console/sign_in_leaving.html", {"place": place})
    _set_cookie(page, staff.settings, secret)
    return page


@router.get(CALLBACK)
async def come_back(request: Request, staff: StaffPart) -> Response:
    """Take the provider's answer, once, from the browser that asked for it."""
    provider = _configured(staff.provider)
    secret = request.cookies.get(cookie_name(staff.settings), "")
    try:
        attempt = await _attempt(staff, secret, request.query_params.get("state", ""))
        proof = await provider.redeem(_code(request, staff.settings), Trip.of(secret))
    except NotProven as error:
        log.warning("request %s: sign-in refused: %s", request.state.request_id, error)
        return failures.answer(request, Failed(400, "sign_in_failed", NOT_SIGNED_IN))
    person = await _person(staff, proof)
    if person is None:
        log.warning("request %s: sign-in refused: nobody active of that address", request.state.request_id)
        return failures.answer(request, Failed(403, "person_unknown", UNKNOWN))
    # A provider that does not say when leaves a sign-in that is fresh enough for nothing.
    proved_at = proof.authenticated_at or staff.desk.clock() - identity.LIFETIME
    answer = await enter(request, staff, person.person_id, proved_at, attempt.next_page)
    answer.delete_cookie(cookie_name(staff.settings), path="/", secure=identity.secure(staff.settings), httponly=True)
    return answer


def cookie_name(settings: Settings) -> str:
    """The cookie of a sign-in under way, bound to this host wherever a browser takes that."""
    return "__Host-plixo-attempt" if identity.secure(settings) else "plixo-attempt-dev"


def _configured(provider: Provider | None) -> Provider:
    if provider is None:
        raise NotFound.one("", "not_found", "There is nothing at this address.")
    return provider


def _set_cookie(page: Response, settings: Settings, secret: str) -> None:
    # Lax, not strict: the provider's answer is a visit that comes from another site.
    page.set_cookie(
        cookie_name(settings),
        secret,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=identity.secure(settings),
        httponly=True,
        samesite="lax",
    )


async def _attempt(staff: Staff, secret: str, state: str) -> Attempt:
    if not secret or not Trip.of(secret).began_with(state):
        raise NotProven("no sign-in of that state is under way in this browser")
    async with staff.desk.ledger.begin() as tx:
        attempt = await attempts.take(tx.session, token_hash(secret), staff.desk.clock())
    if attempt is None:
        raise NotProven("the sign-in has ended already")
    return attempt


def _code(request: Request, settings: Settings) -> str:
    said = request.query_params
    if said.get("iss", settings.oidc_issuer) != settings.oidc_issuer:
        raise NotProven("the answer is another provider's")
    if not said.get("code"):
        raise NotProven(f"the provider sent no code: {known_error(said.get('error'))}")
    return said["code"]


async def _person(staff: Staff, proof: Proof) -> Person | None:
    """Who of the directory that is; where the provider speaks of groups, they are in those and in no others."""
    async with staff.desk.ledger.begin() as tx:
        person = await people.by_email(tx.session, proof.email)
        if person is None or not person.active:
            return None
        if proof.groups is not None and proof.groups != person.groups:
            await people.set_groups(tx.session, person.person_id, proof.groups)
            before, after = (", ".join(sorted(groups)) or "none" for groups in (person.groups, proof.groups))
            log.warning("groups of %s set by the identity provider: %s (were: %s)", person.person_id, after, before)
    return person
