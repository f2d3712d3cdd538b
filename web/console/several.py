"""Deciding on several requests at once: what it would do, and doing it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from plixo.domain.refusals import Refused
from plixo.domain.several import Shown
from plixo.store import inbox
from starters.decisions import Saying
from starters.several import Outcome, decide_several
from web.console.several_view import check, parse_verdict
from web.failures import status_of
from web.forms import Fields, Rows
from web.identity import PageVisit, Visit, local_path
from web.rendering import page

router = APIRouter(include_in_schema=False)

HERE: Final = "/approvals/decisions"
INBOX: Final = "/approvals"


@router.get(HERE)
async def look(visit: PageVisit) -> Response:
    """What the verdict would do to the requests that the address names; nothing is kept."""
    asked = visit.request.query_params
    return await _check_page(visit, asked.get("verdict", ""), asked.getlist("id"), asked.get("back", ""))


@router.post(HERE)
async def confirm(visit: PageVisit, sent: Fields, rows: Rows) -> Response:
    """Decide on each as it was shown; posted twice, nothing is decided twice."""
    verdict, comment, back = (sent.get(name, "") for name in ("verdict", "comment", "back"))
    shown: Sequence[Shown] = ()
    try:
        shown = [Shown.parse(row) for row in rows]
        saying = Saying(visit.person, parse_verdict(verdict), comment, visit.signed_in_at)
        outcomes = await decide_several(visit.desk, saying, shown)
    except Refused as refusal:
        ids = [one.approval_id for one in shown]
        return await _check_page(visit, verdict, ids, back, {"refusal": refusal, "comment": comment})
    return await _told(visit, saying, outcomes, back)


async def _check_page(
    visit: Visit, verdict: str, ids: Sequence[str], back: str, more: Mapping[str, Any] | None = None
) -> Response:
    typed = more or {}
    refusal: Refused | None = typed.get("refusal")
    checked = None
    try:
        checked = await check(visit, parse_verdict(verdict), ids)
    except Refused as unreadable:
        refusal = refusal or unreadable
    context = {
        "checked": checked,
        "comment": typed.get("comment", ""),
        "problems": refusal.problems if refusal else (),
        "back": _inbox(back),
        "again": _address(verdict, ids, back),
    }
    return page(visit, "console/several_check.html", context, status_of(refusal) if refusal else 200)


async def _told(visit: Visit, saying: Saying, outcomes: Sequence[Outcome], back: str) -> Response:
    """What became of each; those that did not go through come first."""
    ids = [one.approval_id for one in outcomes]
    async with visit.desk.ledger.read() as session:
        records = await inbox.by_ids(session, visit.person, ids)
    context = {
        "verdict": saying.verdict,
        "outcomes": sorted(outcomes, key=lambda one: one.through),
        "records": records,
        "through": sum(one.through for one in outcomes),
        "back": _inbox(back),
    }
    return page(visit, "console/several_told.html", context)


def _inbox(back: str) -> str:
    """The part of the inbox that they came from."""
    place = local_path(back, INBOX)
    return place if place.startswith(f"{INBOX}?") else INBOX


def _address(verdict: str, ids: Sequence[str], back: str) -> str:
    """This page again, as after a fresh sign-in."""
    asked = [("verdict", verdict), *(("id", one) for one in ids), ("back", _inbox(back))]
    return f"{HERE}?{urlencode(asked)}"
