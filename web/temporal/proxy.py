"""Temporal UI at `/temporal`: for signed-in staff who may see every request, on the console's own address."""

import logging
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from plixo.domain.duties import may_operate, may_see_all
from plixo.domain.refusals import NotAllowed
from plixo.temporal.ui import TemporalUi
from starters.operating import note_operation
from web.console.navigation import need
from web.identity import PageVisit, Visit, local_path
from web.temporal.answering import handed_on
from web.temporal.asking import ROOT, Asked, headers_for

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)

ONLY_OPERATORS: Final = "Only operators change anything in Temporal."


@router.get(f"{ROOT}/login")
async def login(visit: PageVisit, returnUrl: str = "") -> Response:  # noqa: N803 - Temporal UI's own name
    """Where its pages send whoever is no longer signed in; by now they are again."""
    _open_to(visit)
    return RedirectResponse(_below(returnUrl), 303)


@router.get(ROOT)
@router.get(f"{ROOT}/{{rest:path}}")
async def look(visit: PageVisit) -> Response:
    """A page, a script or an answer of Temporal UI."""
    return await _hand_on(visit, Asked.of(visit.request))


@router.api_route(f"{ROOT}/api/v1/{{rest:path}}", methods=["POST", "PUT", "PATCH", "DELETE"])
async def call(visit: PageVisit) -> Response:
    """A call of its pages: a query for everybody, anything else for operators, who leave their name."""
    asked = Asked.of(visit.request)
    _open_to(visit)
    if asked.writes:
        await _note(visit, asked)
    return await _hand_on(visit, asked)


def _below(address: str) -> str:
    """Where an address of Temporal UI is on this console; its own start for any other."""
    try:
        back = urlsplit(address)
    except ValueError:
        return ROOT
    place = local_path(f"{back.path}?{back.query}" if back.query else back.path, ROOT)
    return place if place.startswith(f"{ROOT}/") else ROOT


def _open_to(visit: Visit) -> TemporalUi:
    """Temporal UI, for those who may look at it.

    Raises:
        NotFound: They may not, or there is none.
    """
    found = visit.staff.temporal_ui
    need(allowed=found is not None and may_see_all(visit.person))
    assert found is not None
    return found


async def _note(visit: Visit, asked: Asked) -> None:
    """Keep who it was before it happens: in the request's own history, where it is about one, and in the log.

    Raises:
        NotAllowed: They are no operator.
    """
    allowed = may_operate(visit.person)
    words = "request %s: %s asks Temporal for %s %s" if allowed else "request %s: %s may not ask Temporal for %s %s"
    log.warning(words, visit.request.state.request_id, visit.person.person_id, asked.method, asked.path)
    approval_ids = asked.approval_ids(await visit.request.body())
    await note_operation(visit.desk, visit.person, approval_ids, asked.what, allowed=allowed)
    if not allowed:
        raise NotAllowed.one("person", "not_operator", ONLY_OPERATORS)


async def _hand_on(visit: Visit, asked: Asked) -> Response:
    ui = _open_to(visit)
    told, body = headers_for(visit.request.headers), await visit.request.body()
    answer = await ui.ask(visit.person.person_id, asked.method, asked.target, told, body)
    try:
        return await handed_on(asked.path, answer, may_write=may_operate(visit.person))
    except BaseException:
        await answer.aclose()
        raise
