"""Who works here, who is away and who stands in; and saying that one is away oneself."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from plixo.directory.calendars import calendar_in_words
from plixo.domain.people import Group
from plixo.domain.refusals import Refused
from plixo.store import people
from starters.absences import TypedAbsence, come_back, go_away, lasting
from web.console.handing import away_lines
from web.console.navigation import need
from web.failures import status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

SAID = {
    "away": "It is entered. Whoever stands in is written to when it begins, and finds in their inbox what waits.",
    "back": "Welcome back: from now on nobody decides in that place any more.",
}
"""What the page may be told to say after a form was sent."""


@router.get("/settings/people")
async def show_people(visit: PageVisit) -> Response:
    """Who works here, and who is away until when."""
    need(allowed=bool(visit.person.groups))
    everybody, away = await _read(visit)
    context = {"people": list(everybody.values()), "away": away, "calendar": calendar_in_words}
    return page(visit, "console/people.html", context)


@router.get("/settings/absence")
async def show_absence(visit: PageVisit) -> Response:
    """My absence, and a form for the next one."""
    return await _shown(visit, {}, said=SAID.get(visit.request.query_params.get("said", ""), ""))


@router.post("/settings/absence")
async def enter(visit: PageVisit, sent: Fields) -> Response:
    """Say that somebody is away."""
    typed = TypedAbsence(*(sent.get(name, "") for name in ("from", "until", "delegate", "person")))
    try:
        await go_away(visit.desk, visit.person, typed)
    except Refused as refusal:
        return await _shown(visit, sent, refusal)
    return RedirectResponse("/settings/absence?said=away", 303)


@router.post("/settings/absence/return")
async def end(visit: PageVisit, sent: Fields) -> Response:
    """Say that somebody is back."""
    try:
        await come_back(visit.desk, visit.person, sent.get("person", ""))
    except Refused as refusal:
        return await _shown(visit, {}, refusal)
    return RedirectResponse("/settings/absence?said=back", 303)


async def _read(visit: Visit) -> tuple[dict[str, Any], dict[str, Any]]:
    async with visit.desk.ledger.read() as session:
        everybody = {one.person_id: one for one in await people.everybody(session) if one.active}
        away = away_lines(await lasting(session, visit.now), everybody, visit)
    return everybody, away


async def _shown(visit: Visit, typed: Mapping[str, str], refusal: Refused | None = None, said: str = "") -> Response:
    everybody, away = await _read(visit)
    me = visit.person
    able = [one for one in everybody.values() if one.groups - {Group.SUPPORT} and one.person_id != me.person_id]
    context = {
        "typed": typed,
        "problems": refusal.problems if refusal else (),
        "said": said,
        "mine": away.get(me.person_id),
        "others": [line for person_id, line in away.items() if person_id != me.person_id],
        "colleagues": sorted(able, key=lambda one: one.name),
        "administers": me.belongs_to(Group.ADMINISTRATOR),
        "everybody": sorted(everybody.values(), key=lambda one: one.name),
    }
    return page(visit, "console/absence.html", context, status_of(refusal) if refusal else 200)
