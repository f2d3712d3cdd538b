"""Everything else there is to read."""

from typing import Annotated

from fastapi import Query

from plixo.domain.credit import parse_stripe_id
from plixo.domain.refusals import Refused
from plixo.store import outbox, people
from web import health
from web.api import views
from web.api.models import Customers, Invoices, People, PersonOut, StatusOut
from web.api.routing import router
from web.console.inbox_view import LONGEST_TEXT
from web.identity import ApiCall
from web.lists import NEWEST, or_by_id, reach

reading_routes = router("reading")


@reading_routes.get("/customers")
async def customers(call: ApiCall, q: Annotated[str, Query(max_length=LONGEST_TEXT)] = "") -> Customers:
    """The newest customers whose name or id holds the words, or the one with that whole id, however old."""
    wanted = q.strip().lower()
    found = await call.desk.payments.customers(reach(wanted))
    kept = [one for one in found if wanted in f"{one.name} {one.customer_id}".lower()]
    shown = await or_by_id(kept[:NEWEST], call.desk.payments, q.strip())
    return Customers(customers=[views.customer(one) for one in shown])


@reading_routes.get("/invoices")
async def invoices(call: ApiCall, customer: Annotated[str, Query(max_length=LONGEST_TEXT)] = "") -> Invoices:
    """The newest invoices, of one customer or of all."""
    wanted = parse_stripe_id(customer, "customer", "cus_") if customer.strip() else ""
    if wanted and await call.desk.payments.customer(wanted) is None:
        raise Refused.one("customer", "customer_unknown", f"Stripe has no customer {wanted}.")
    found = await call.desk.payments.invoices(wanted or None)
    return Invoices(invoices=[views.invoice(one) for one in found])


@reading_routes.get("/people")
async def everybody(call: ApiCall) -> People:
    """Who works here, and what they are here for."""
    async with call.desk.ledger.read() as session:
        return People(people=[views.person(one) for one in await people.everybody(session)])


@reading_routes.get("/me")
async def me(call: ApiCall) -> PersonOut:
    """Who you are."""
    return views.person(call.person)


@reading_routes.get("/status")
async def status(call: ApiCall) -> StatusOut:
    """Whether Plixo can do its work."""
    parts = await health.check(call.staff)
    async with call.desk.ledger.read() as session:
        unsent = await outbox.unsent(session)
    return StatusOut(
        ok=all(word == health.OK for word in parts.values()),
        env=call.staff.settings.env,
        parts=parts,
        policy=call.desk.policy.reference,
        unsent_mails=unsent,
    )
