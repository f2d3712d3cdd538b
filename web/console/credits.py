"""Asking for a credit: the form, what it would mean, and doing it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from activities.clocks import moments_of
from plixo.domain.credit import MAX_MEMO, CreditForm
from plixo.domain.payments import PaymentsError
from plixo.domain.people import REQUESTERS
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Conflict, NotAllowed, Problem, Refused
from plixo.domain.texts import MAX_NOTE
from plixo.ports import Customer, Invoice
from starters.credits import Preview, preview_credit, request_credit
from web.console.inbox_view import plain_text
from web.console.navigation import need
from web.failures import STRIPE_AWAY, status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.lists import NEWEST, reach
from web.rendering import page
from web.tokens import new_token

router = APIRouter(include_in_schema=False)

NAMES: Final = tuple(field.name for field in fields(CreditForm))


@dataclass(frozen=True)
class Choices:
    """What can be chosen in the form.

    Attributes:
        customers: Those that the search finds, and the chosen one.
        invoices: The chosen customer's.
        chosen: The chosen invoice.
        unreachable: Stripe could not be asked.
    """

    customers: Sequence[Customer] = ()
    invoices: Sequence[Invoice] = ()
    chosen: Invoice | None = None
    unreachable: bool = False


async def requester(visit: PageVisit) -> Visit:
    """Who may ask for credits.

    Raises:
        NotFound: For everybody else the page is not there.
    """
    need(allowed=visit.person.belongs_to(*REQUESTERS))
    return visit


async def typed(sent: Fields) -> CreditForm:
    """What was typed, field by field; a field that is missing is empty."""
    return CreditForm(**{name: sent.get(name, "") for name in NAMES})


Requester = Annotated[Visit, Depends(requester)]
Typed = Annotated[CreditForm, Depends(typed)]


@router.get("/credits/new")
async def new(visit: Requester) -> Response:
    """An empty form, or one with what the address says filled in."""
    asked = visit.request.query_params
    form = CreditForm(**{name: asked.get(name, "") for name in NAMES})
    form = replace(form, request_id=f"web-{new_token()}", note="", memo="", reason=asked.get("reason", ""))
    choices = await _choices(visit, form)
    if choices.chosen:
        form = replace(form, currency=choices.chosen.currency)
    return _form_page(visit, replace(form, currency=form.currency or visit.desk.policy.base_currency), choices)


@router.post("/credits/new")
async def change(visit: Requester, form: Typed) -> Response:
    """The form again, with what was typed: after another customer was chosen, or to change something."""
    return _form_page(visit, form, await _choices(visit, form))


@router.post("/credits/check")
async def check(visit: Requester, form: Typed) -> Response:
    """What asking would mean: who decides, why, by when, and what Stripe is sent."""
    try:
        seen = await preview_credit(visit.desk, visit.person, form)
    except (Refused, PaymentsError) as failure:
        return await _wrong(visit, form, failure)
    due, expire = _by_when(visit, seen)
    context = {"form": form, "names": NAMES, "seen": seen, "due": due, "expire": expire}
    return page(visit, "console/credit_check.html", context)


@router.post("/credits")
async def ask(visit: Requester, form: Typed, sent: Fields) -> Response:
    """Ask for it. Posted twice it is one request: the form carries its id from the first moment."""
    try:
        asked = await request_credit(visit.desk, visit.person, form, seen=sent.get("previewed", ""))
    except (Refused, PaymentsError) as failure:
        return await _wrong(visit, form, failure)
    said = "changed" if asked.changed else "asked" if asked.created else "known"
    return RedirectResponse(f"/approvals/{asked.record.approval.approval_id}?said={said}", 303)


def _by_when(visit: Visit, seen: Preview) -> tuple[datetime | None, datetime | None]:
    """When the first answer is due, and when it comes back if nobody gives one; None for never."""
    if not seen.path.stages:
        return None, None
    asked = {one.seat: one.able for one in seen.seatings[0]}
    moments = moments_of(seen.path.stages[0], asked, visit.desk.calendars, visit.now)
    due, expire = (datetime.fromtimestamp(at, UTC) if at else None for at in (moments.due, moments.expire))
    return due, expire


async def _wrong(visit: Visit, form: CreditForm, failure: Refused | PaymentsError) -> Response:
    """The form with what was typed, and what is wrong with it."""
    if isinstance(failure, NotAllowed):
        raise failure
    if isinstance(failure, Refused):
        problems, status = failure.problems, status_of(failure)
    else:
        problems, status = (Problem("", "stripe_unavailable", f"{STRIPE_AWAY} What you typed is kept."),), 503
    if isinstance(failure, Conflict) or any(problem.field == "request_id" for problem in problems):
        # The id was a request's already, or is none: nobody can mend a hidden field, so the form gets another.
        form = replace(form, request_id=f"web-{new_token()}")
    return _form_page(visit, form, await _choices(visit, form), problems, status)


def _form_page(
    visit: Visit,
    form: CreditForm,
    choices: Choices,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> Response:
    context = {
        "form": form,
        "choices": choices,
        "problems": problems,
        "reasons": tuple(Reason),
        "max_note": MAX_NOTE,
        "max_memo": MAX_MEMO,
        "q": plain_text(visit.request.query_params.get("q", "")),
    }
    return page(visit, "console/credit_new.html", context, status)


async def _choices(visit: Visit, form: CreditForm) -> Choices:
    """What Stripe has to choose from; while it cannot be asked, the form still keeps what was chosen."""
    wanted = plain_text(visit.request.query_params.get("q", "")).lower()
    customer = form.customer.strip()
    try:
        listed = await visit.desk.payments.customers(reach(wanted))
        mine = await visit.desk.payments.customer(customer)
        invoices = await visit.desk.payments.invoices(customer) if mine else ()
    except PaymentsError:
        return Choices(unreachable=True)
    kept = [one for one in listed if one != mine and wanted in f"{one.name} {one.email}".lower()]
    chosen = next((one for one in invoices if one.invoice_id == form.invoice.strip()), None)
    return Choices([mine, *kept[:NEWEST]] if mine else kept[:NEWEST], invoices, chosen)
