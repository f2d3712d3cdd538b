"""Asking for credits."""

from fastapi import Response

from plixo.domain.credit import CreditForm
from plixo.store import people
from starters.credits import preview_credit, request_credit
from web.api.models import AskedOut, CreditIn, PreviewOut
from web.api.routing import failures, router
from web.api.views import Shower
from web.identity import ApiCall, Visit

credit_routes = router("credits")


@credit_routes.post("/credits/preview")
async def preview(call: ApiCall, credit: CreditIn) -> PreviewOut:
    """Who would have to approve this credit, why, and what Stripe would be sent; nothing is kept."""
    seen = await preview_credit(call.desk, call.person, _form(credit))
    return (await shower(call)).preview(seen)


@credit_routes.post(
    "/credits",
    status_code=201,
    responses={**failures(409), 200: {"model": AskedOut, "description": "It was asked for before."}},
)
async def ask(call: ApiCall, credit: CreditIn, response: Response) -> AskedOut:
    """Ask for a credit; asked again with the same request id, it is the same one."""
    asked = await request_credit(call.desk, call.person, _form(credit))
    response.status_code = 201 if asked.created else 200
    shown = (await shower(call)).approval(asked.record)
    return AskedOut(**shown.model_dump(), created=asked.created, started=asked.started)


async def shower(call: Visit) -> Shower:
    """Shows requests with everybody's name."""
    async with call.desk.ledger.read() as session:
        names = {person.person_id: person.name for person in await people.everybody(session)}
    return Shower(names, call.staff.settings.base_url)


def _form(credit: CreditIn) -> CreditForm:
    return CreditForm(**credit.model_dump())
