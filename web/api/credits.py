"""Asking for credits."""

from fastapi import Response

from plixo.domain.credit import CreditForm
from plixo.ports import Record
from plixo.store import approvals, people
from starters.credits import preview_credit, request_credit
from web.api.models import AskedOut, CreditIn, KnownIn, KnownOut, KnownRequest, PreviewOut
from web.api.routing import failures, router
from web.api.views import Shower
from web.console.words import standing
from web.identity import ApiCall, Visit
from web.limiting import lane

credit_routes = router("credits")


@credit_routes.post("/credits/preview", responses=failures(429))
async def preview(call: ApiCall, credit: CreditIn) -> PreviewOut:
    """Who would have to approve this credit, why, and what Stripe would be sent; nothing is kept."""
    async with lane(call.request, bulk=credit.bulk):
        seen = await preview_credit(call.desk, call.person, _form(credit))
        return (await shower(call)).preview(seen)


@credit_routes.post("/credits/known", responses=failures(429))
async def known(call: ApiCall, asked: KnownIn) -> KnownOut:
    """Which of your own request ids were used already, and what became of them."""
    async with lane(call.request, bulk=True), call.desk.ledger.read() as session:
        found = await approvals.by_request_ids(session, call.person.person_id, asked.request_ids)
    return KnownOut(known=[_known(record) for record in found])


@credit_routes.post(
    "/credits",
    status_code=201,
    responses={**failures(409, 429), 200: {"model": AskedOut, "description": "It was asked for before."}},
)
async def ask(call: ApiCall, credit: CreditIn, response: Response) -> AskedOut:
    """Ask for a credit; asked again with the same request id, it is the same one."""
    async with lane(call.request, bulk=credit.bulk):
        form, seen = _form(credit), credit.previewed
        asked = await request_credit(call.desk, call.person, form, bulk=credit.bulk, seen=seen)
        shown = (await shower(call)).approval(asked.record)
    response.status_code = 201 if asked.created else 200
    return AskedOut(**shown.model_dump(), created=asked.created, started=asked.started, changed=asked.changed)


async def shower(call: Visit) -> Shower:
    """Shows requests with everybody's name."""
    async with call.desk.ledger.read() as session:
        names = {person.person_id: person.name for person in await people.everybody(session)}
    return Shower(names, call.staff.settings.base_url)


def _form(credit: CreditIn) -> CreditForm:
    return CreditForm(**credit.model_dump(exclude={"bulk", "previewed"}))


def _known(record: Record) -> KnownRequest:
    approval = record.approval
    return KnownRequest(
        request_id=record.request_id,
        approval_id=approval.approval_id,
        state=approval.state.value,
        state_text=standing(record).label,
        path=list(approval.path.describe()),
    )
