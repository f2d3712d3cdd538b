"""Customers and invoices as Stripe has them, with what was asked for on them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from plixo.domain.duties import may_see_all
from plixo.domain.effects import CREDITABLE
from plixo.domain.people import REQUESTERS
from plixo.domain.refusals import NotFound
from plixo.ports import Customer, Invoice
from plixo.store import inbox
from plixo.store.inbox import Search
from web.console import year
from web.console.inbox_view import plain_text
from web.console.navigation import need
from web.identity import PageVisit, Visit
from web.lists import NEWEST, or_by_id, reach
from web.rendering import page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class InvoiceLine:
    """An invoice in a list.

    Attributes:
        invoice: As Stripe has it.
        customer: Its customer's name, or id where the name is not at hand; empty where the list is one customer's.
    """

    invoice: Invoice
    customer: str


async def reader(visit: PageVisit) -> Visit:
    """Anybody with a group.

    Raises:
        NotFound: For somebody without one.
    """
    need(allowed=bool(visit.person.groups))
    return visit


Reader = Annotated[Visit, Depends(reader)]


@router.get("/customers")
async def customers(visit: Reader) -> Response:
    """The newest customers, or those that a search finds among them; it says how far it looked."""
    q = plain_text(visit.request.query_params.get("q", ""))
    listed = await visit.desk.payments.customers(reach(q))
    found = [one for one in listed if _mentions(q, one.name, one.email, one.customer_id)]
    context = {
        "q": q,
        "customers": (await or_by_id(found, visit.desk.payments, q))[:NEWEST],
        "looked": len(listed),
        "older": len(listed) >= reach(q),
    }
    return page(visit, "console/customers.html", context)


@router.get("/customers/{customer_id}")
async def customer(visit: Reader, customer_id: str) -> Response:
    """One customer: invoices, requests, the year."""
    found = await _customer(visit, customer_id)
    invoices = await visit.desk.payments.invoices(found.customer_id)
    async with visit.desk.ledger.read() as session:
        asked, total = await inbox.find(session, visit.person, Search(customer_id=found.customer_id), visit.now)
        applied = await inbox.applied_since(session, found.customer_id, year.since(visit.now))
    currency = (found.currency or visit.desk.policy.base_currency).upper()
    context = {
        "customer": found,
        "lines": [InvoiceLine(invoice, "") for invoice in invoices],
        "asked": asked,
        "total": total,
        "chart": year.year(applied, currency, visit.now) if may_see_all(visit.person) else None,
        "may_ask": visit.person.belongs_to(*REQUESTERS),
    }
    return page(visit, "console/customer.html", context)


@router.get("/invoices")
async def invoices(visit: Reader) -> Response:
    """The newest invoices, or those that a search finds among them."""
    q = plain_text(visit.request.query_params.get("q", ""))
    names = {one.customer_id: one.name for one in await visit.desk.payments.customers(reach(q))}
    listed = await visit.desk.payments.invoices(limit=reach(q))
    lines = [InvoiceLine(one, names.get(one.customer_id, one.customer_id)) for one in listed]
    found = [line for line in lines if _mentions(q, line.customer, line.invoice.number, line.invoice.invoice_id)]
    return page(visit, "console/invoices.html", {"q": q, "lines": found[:NEWEST]})


@router.get("/invoices/{invoice_id}")
async def invoice(visit: Reader, invoice_id: str) -> Response:
    """One invoice, what can still be credited on it, and what was asked."""
    found = await visit.desk.payments.invoice(invoice_id)
    if found is None:
        raise NotFound.one("invoice", "invoice_unknown", "Stripe has no such invoice.")
    async with visit.desk.ledger.read() as session:
        asked, _total = await inbox.find(session, visit.person, Search(target_id=found.invoice_id), visit.now)
    creditable = found.status in CREDITABLE and found.creditable_minor > 0
    context = {
        "invoice": found,
        "customer": await _customer(visit, found.customer_id),
        "asked": asked,
        "may_ask": creditable and visit.person.belongs_to(*REQUESTERS),
    }
    return page(visit, "console/invoice.html", context)


async def _customer(visit: Visit, customer_id: str) -> Customer:
    found = await visit.desk.payments.customer(customer_id)
    if found is None:
        raise NotFound.one("customer", "customer_unknown", "Stripe has no such customer.")
    return found


def _mentions(wanted: str, *texts: str) -> bool:
    return any(wanted.lower() in text.lower() for text in texts)
