"""Changing a request: the form with what stands, what another would mean, and doing it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from plixo.domain.credit import MAX_MEMO
from plixo.domain.decision import Verdict
from plixo.domain.duties import check_requester
from plixo.domain.payments import PaymentsError
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Conflict, NotAllowed, Problem, Refused
from plixo.domain.texts import MAX_NOTE
from plixo.ports import Record
from starters.amending import AmendForm, amend, preview_amendment
from starters.decisions import Saying
from web.console.request_view import visible
from web.failures import STRIPE_AWAY, status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

NAMES: Final = ("amount", "reason", "note", "memo", "comment", "round")


async def typed(sent: Fields) -> Mapping[str, str]:
    """What was typed, field by field; a field that is missing is empty."""
    return {name: sent.get(name, "") for name in NAMES}


Typed = Annotated[Mapping[str, str], Depends(typed)]


@router.get("/approvals/{approval_id}/amendment")
async def show(visit: PageVisit, approval_id: str) -> Response:
    """The form, with what is asked for now."""
    record = await _own(visit, approval_id)
    change = record.change
    now = {"amount": str(change.amount.major), "reason": change.reason.value, "note": change.note, "memo": change.memo}
    return _form_page(visit, record, {**now, "comment": "", "round": str(record.approval.round)})


@router.post("/approvals/{approval_id}/amendment/form")
async def change(visit: PageVisit, approval_id: str, form: Typed) -> Response:
    """The form again, with what was typed."""
    return _form_page(visit, await _own(visit, approval_id), form)


@router.post("/approvals/{approval_id}/amendment/check")
async def check(visit: PageVisit, approval_id: str, form: Typed) -> Response:
    """What it would mean: what is another, what is kept, who decides then."""
    record = await _own(visit, approval_id)
    try:
        seen = await preview_amendment(visit.desk, approval_id, _saying(visit, form), _wanted(form))
    except (Refused, PaymentsError) as failure:
        return _wrong(visit, record, form, failure)
    context = {"record": record, "form": form, "names": NAMES, "seen": seen}
    return page(visit, "console/amendment_check.html", context)


@router.post("/approvals/{approval_id}/amendment")
async def ask(visit: PageVisit, approval_id: str, form: Typed, sent: Fields) -> Response:
    """Change it. Posted twice it is one change: the form carries the round that it was read in."""
    record = await _own(visit, approval_id)
    try:
        answer = await amend(visit.desk, approval_id, _saying(visit, form), _wanted(form, sent.get("previewed", "")))
        if answer.answer in {"conflict", "refused"}:
            raise Conflict.one("", f"decision_{answer.answer}", answer.why)
    except (Refused, PaymentsError) as failure:
        return _wrong(visit, record, form, failure)
    said = "kept" if answer.answer == "kept" else "amend"
    return RedirectResponse(f"/approvals/{approval_id}?said={said}", 303)


async def _own(visit: Visit, approval_id: str) -> Record:
    """The request, for who asked for it."""
    record = await visible(visit, approval_id)
    check_requester(record.approval, visit.person)
    return record


def _saying(visit: Visit, form: Mapping[str, str]) -> Saying:
    return Saying(visit.person, Verdict.AMEND, form["comment"], visit.signed_in_at)


def _wanted(form: Mapping[str, str], seen: str = "") -> AmendForm:
    round_ = form["round"]
    known = int(round_) if round_.isascii() and round_.isdecimal() and len(round_) < 10 else -1  # noqa: PLR2004 - digits enough
    return AmendForm(form["amount"], form["reason"], form["note"], form["memo"], known, seen)


def _wrong(visit: Visit, record: Record, form: Mapping[str, str], failure: Refused | PaymentsError) -> Response:
    """The form with what was typed, and what is wrong with it."""
    if isinstance(failure, NotAllowed):
        raise failure
    if isinstance(failure, Refused):
        return _form_page(visit, record, form, failure.problems, status_of(failure))
    problem = Problem("", "stripe_unavailable", f"{STRIPE_AWAY} What you typed is kept.")
    return _form_page(visit, record, form, (problem,), 503)


def _form_page(
    visit: Visit, record: Record, form: Mapping[str, str], problems: Sequence[Problem] = (), status: int = 200
) -> Response:
    context: dict[str, Any] = {
        "record": record,
        "form": form,
        "problems": problems,
        "reasons": tuple(Reason),
        "max_note": MAX_NOTE,
        "max_memo": MAX_MEMO,
    }
    return page(visit, "console/amendment_new.html", context, status)
