"""Confirming a login of the command line: whoever is signed in here says that it is theirs."""

from fastapi import APIRouter
from starlette.responses import Response

from plixo.domain.refusals import NotFound, Refused
from plixo.store import logins
from web.failures import status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.limiting import GUESSES, Limiter
from web.rendering import page
from web.tokens import parse_user_code

router = APIRouter(include_in_schema=False, prefix="/cli/confirm")


@router.get("")
async def ask(visit: PageVisit, code: str = "") -> Response:
    """Compare the code, then confirm it."""
    return _page(visit, parse_user_code(code))


@router.post("")
async def confirm(visit: PageVisit, sent: Fields) -> Response:
    """Sign the command line in as the reader."""
    limiter: Limiter = visit.request.app.state.limiter
    limiter.check(GUESSES, visit.person.person_id)
    plain = parse_user_code(sent.get("code", ""))
    async with visit.desk.ledger.begin() as tx:
        done = await logins.confirm(tx.session, plain, visit.person.person_id, visit.signed_in_at, visit.now)
    if done:
        return page(visit, "console/cli_confirmed.html", {})
    wanted = "No command line waits under that code. Compare it, or run `plixo login` again for a new one."
    return _page(visit, plain, NotFound.one("code", "code_unknown", wanted))


def _page(visit: Visit, code: str, refusal: Refused | None = None) -> Response:
    context = {"code": code, "problems": refusal.problems if refusal else ()}
    return page(visit, "console/cli_confirm.html", context, status_of(refusal) if refusal else 200)
