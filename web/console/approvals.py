"""The inbox, a request's page, and deciding on it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.duties import may_see_all
from plixo.domain.refusals import Conflict, Refused
from plixo.store import inbox, people
from starters.decisions import Saying, decide
from web.console.deciding import tickable
from web.console.inbox_view import MOST_COUNTED, Listing, chosen
from web.console.request_view import view, visible
from web.failures import status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

SAID = {
    "asked": "Asked for. Whoever decides has been written to.",
    "changed": "Asked for. Who decides is not what you were shown when you checked it; the history says what changed.",
    "known": "That was asked for already; here it is. It was not asked for twice.",
    "accepted": "Your decision is recorded.",
    "document": "The document is added; whoever may see the request can read it.",
    "document-known": "That document was here already; it was not added twice.",
    "kept": "Your decision is signed and kept; it is taken up as soon as the workflow can be reached.",
}
"""What a page may be told to say after a form was sent; nothing else is ever repeated from an address."""


@router.get("/approvals")
async def show_inbox(visit: PageVisit) -> Response:
    """What waits, and everything else this person may see."""
    async with visit.desk.ledger.read() as session:
        counts = await inbox.counts(session, visit.person, visit.now, most=MOST_COUNTED)
        search = chosen(visit.request.query_params, counts)
        found, total = await inbox.find(session, visit.person, search, visit.now, most=MOST_COUNTED, counted=counts)
        stuck = await inbox.needing_attention(session, visit.person)
        requesters = await people.by_ids(session, {record.approval.requester_id for record in found})
    names = {person_id: person.name for person_id, person in requesters.items()}
    may = frozenset(one.approval.approval_id for one in found if tickable(visit.person, one))
    listing = Listing(search, found, total, names, counts, may, visit.request.query_params.get("ticked") == "all")
    context = {"listing": listing, "stuck": stuck, "sees_all": may_see_all(visit.person)}
    return page(visit, "console/inbox.html", context)


@router.get("/approvals/{approval_id}")
async def show(visit: PageVisit, approval_id: str) -> Response:
    """One request; mails link here."""
    said = SAID.get(visit.request.query_params.get("said", ""), "")
    return await shown(visit, approval_id, {"said": said})


@router.post("/approvals/{approval_id}/decisions")
async def decide_on(visit: PageVisit, approval_id: str, sent: Fields) -> Response:
    """Approve or reject."""
    record = await visible(visit, approval_id)
    verdict, comment, digest, amount = (sent.get(name, "") for name in ("verdict", "comment", "digest", "amount"))
    try:
        if verdict not in {Verdict.APPROVE, Verdict.REJECT}:
            raise Refused.one("verdict", "verdict_missing", "Choose: approve or reject.")
        # What is signed is what was shown: a page that shows something else decides nothing.
        if digest and digest != record.approval.digest:
            raise Conflict.one("decision", "decision_out_of_date", "The request has changed since; read it again.")
        said = await _say(visit, approval_id, Verdict(verdict), comment, amount)
    except Refused as refusal:
        typed = {"comment": comment, "amount": amount} if sent.get("part") else {"comment": comment}
        return await shown(visit, approval_id, {"refusal": refusal, **typed})
    return RedirectResponse(f"/approvals/{approval_id}?said={said}", 303)


@router.post("/approvals/{approval_id}/withdrawal")
async def withdraw(visit: PageVisit, approval_id: str, sent: Fields) -> Response:
    """Take one's own request back."""
    await visible(visit, approval_id)
    comment = sent.get("comment", "")
    try:
        said = await _say(visit, approval_id, Verdict.WITHDRAW, comment)
    except Refused as refusal:
        return await shown(visit, approval_id, {"refusal": refusal, "comment": comment})
    return RedirectResponse(f"/approvals/{approval_id}?said={said}", 303)


async def _say(visit: Visit, approval_id: str, verdict: Verdict, comment: str, amount: str = "") -> str:
    """Decide, and give the word that the page says about it."""
    answer = await decide(visit.desk, approval_id, Saying(visit.person, verdict, comment, visit.signed_in_at, amount))
    if answer.answer in {"conflict", "refused"}:
        raise Conflict.one("decision", f"decision_{answer.answer}", answer.why)
    return "kept" if answer.answer == "kept" else "accepted"


async def shown(visit: Visit, approval_id: str, more: Mapping[str, Any]) -> Response:
    """The page of a request, with what is to be said on it."""
    record = await visible(visit, approval_id)
    refusal: Refused | None = more.get("refusal")
    context = {
        "view": await view(visit, record),
        "record": record,
        "said": more.get("said", ""),
        "problems": refusal.problems if refusal else (),
        "comment": more.get("comment", ""),
        "amount": more.get("amount"),
        "moving": record.approval.state in {State.ROUTING, State.APPROVED, State.EXECUTING},
    }
    return page(visit, "console/approval.html", context, status_of(refusal) if refusal else 200)
