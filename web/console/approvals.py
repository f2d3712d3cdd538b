"""The inbox, a request's page, and deciding on it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.duties import may_see_all
from plixo.domain.refusals import Conflict, Problem, Refused
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

_OWN_WORDS: Final = frozenset({Verdict.ASK, Verdict.RETURN, Verdict.ANSWER})
"""What has a form of its own, for its words."""

_BY_FORM: Final = _OWN_WORDS | {Verdict.APPROVE, Verdict.REJECT}

SAID = {
    "asked": "Asked for. Whoever decides has been written to.",
    "changed": "Asked for. Who decides is not what you were shown when you checked it; the history says what changed.",
    "known": "That was asked for already; here it is. It was not asked for twice.",
    "accepted": "Your decision is recorded.",
    "document": "The document is added; whoever may see the request can read it.",
    "document-known": "That document was here already; it was not added twice.",
    "ask": "Asked. The clock stands still until it is answered.",
    "return": "Returned. Who asked for it can change it, or withdraw it.",
    "answer": "Answered. It waits for a decision again, and the clock goes on.",
    "amend": "Changed. The history says what was decided before and is kept, and who is asked now.",
    "handed": "It is handed on. Whoever decides by now has been written to.",
    "nudged": "They were nudged; in their quiet hours it waits until the morning.",
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
    """Approve, reject, ask or return; or, as who asked for it, answer."""
    record = await visible(visit, approval_id)
    verdict, comment, digest, amount = (sent.get(name, "") for name in ("verdict", "comment", "digest", "amount"))
    try:
        if verdict not in _BY_FORM:
            raise Refused.one("verdict", "verdict_missing", "Choose: approve, reject, ask or return.")
        # What is signed is what was shown: a page that shows something else decides nothing.
        if digest and digest != record.approval.digest:
            raise Conflict.one("decision", "decision_out_of_date", "The request has changed since; read it again.")
        seen = _round(sent.get("round", ""))
        said = await _say(visit, approval_id, Verdict(verdict), comment, amount, seen=seen)
    except Refused as refusal:
        typed = {"comment": comment, "amount": amount} if sent.get("part") else {"comment": comment}
        typed |= {"verdict": verdict} if verdict in _OWN_WORDS else {}
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


@router.post("/approvals/{approval_id}/delegation")
async def delegate(visit: PageVisit, approval_id: str, sent: Fields) -> Response:
    """Hand one's part to a colleague."""
    return await _handed(visit, approval_id, Verdict.DELEGATE, sent)


@router.post("/approvals/{approval_id}/reassignment")
async def reassign(visit: PageVisit, approval_id: str, sent: Fields) -> Response:
    """Give a part to somebody where those who are asked cannot decide."""
    return await _handed(visit, approval_id, Verdict.REASSIGN, sent)


@router.post("/approvals/{approval_id}/nudge")
async def nudge(visit: PageVisit, approval_id: str, sent: Fields) -> Response:
    """Write to whoever still has to decide."""
    return await _handed(visit, approval_id, Verdict.NUDGE, sent)


async def _handed(visit: Visit, approval_id: str, verdict: Verdict, sent: Mapping[str, str]) -> Response:
    await visible(visit, approval_id)
    comment, to, group = (sent.get(name, "") for name in ("comment", "to", "group"))
    try:
        said = await _say(visit, approval_id, verdict, comment, to=to, group=group)
    except Refused as refusal:
        return await shown(visit, approval_id, {"refusal": refusal, "comment": comment})
    words = {"accepted": {Verdict.NUDGE: "nudged"}.get(verdict, "handed")}.get(said, said)
    return RedirectResponse(f"/approvals/{approval_id}?said={words}", 303)


def _at_their_fields(problems: Sequence[Problem], verdict: str) -> Sequence[Problem]:
    """What is wrong with a comment, at the form that it was typed into."""
    return [replace(one, field=verdict) if verdict and one.field == "comment" else one for one in problems]


def _round(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - digits enough


async def _say(
    visit: Visit,
    approval_id: str,
    verdict: Verdict,
    comment: str,
    amount: str = "",
    *,
    seen: int | None = None,
    to: str = "",
    group: str = "",
) -> str:
    """Decide, and give the word that the page says about it."""
    saying = Saying(visit.person, verdict, comment, visit.signed_in_at, amount, round=seen, to=to, group=group)
    answer = await decide(visit.desk, approval_id, saying)
    if answer.answer in {"conflict", "refused"}:
        raise Conflict.one("decision", f"decision_{answer.answer}", answer.why)
    return "kept" if answer.answer == "kept" else verdict.value if verdict in _OWN_WORDS else "accepted"


async def shown(visit: Visit, approval_id: str, more: Mapping[str, Any]) -> Response:
    """The page of a request, with what is to be said on it."""
    record = await visible(visit, approval_id)
    refusal: Refused | None = more.get("refusal")
    context = {
        "view": await view(visit, record),
        "record": record,
        "said": more.get("said", ""),
        "problems": _at_their_fields(refusal.problems, more.get("verdict", "")) if refusal else (),
        "comment": more.get("comment", ""),
        "amount": more.get("amount"),
        "verdict": more.get("verdict", ""),
        "moving": record.approval.state in {State.ROUTING, State.APPROVED, State.EXECUTING},
    }
    return page(visit, "console/approval.html", context, status_of(refusal) if refusal else 200)
