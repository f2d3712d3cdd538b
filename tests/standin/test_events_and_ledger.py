import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import stripe


def test_every_change_is_an_event_that_says_who_caused_it(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    note = stripe_client.v1.credit_notes.create({"invoice": invoice.id, "amount": 10_000}, {"idempotency_key": "evt-1"})
    paid, updated, again, created = stripe_client.v1.events.list({"limit": 4}).data
    assert created.type == "credit_note.created"
    assert created.data.object["id"] == note.id
    assert created.request.idempotency_key == "evt-1"
    assert created.request.id == note.last_response.headers["request-id"]
    assert {paid.type, updated.type, again.type} == {"invoice.paid", "invoice.updated"}
    assert again.data.previous_attributes["amount_remaining"] == 10_000
    assert again.data.object["amount_remaining"] == 0
    assert stripe_client.v1.events.retrieve(created.id).type == "credit_note.created"


def test_a_note_on_a_paid_invoice_does_not_pay_it_again(
    standin: Any, stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000, status="paid")
    standin.advance(60)
    stripe_client.v1.credit_notes.create({"invoice": invoice.id, "amount": 500, "credit_amount": 500})
    assert stripe_client.v1.invoices.retrieve(invoice.id).status_transitions.paid_at == (
        invoice.status_transitions.paid_at
    )
    newest = [each.type for each in stripe_client.v1.events.list({"limit": 3}).data]
    assert newest == ["invoice.updated", "credit_note.created", "customer.updated"]


def test_events_are_listed_by_type(stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(10_000, status="void")
    found = stripe_client.v1.events.list({"type": "invoice.voided", "limit": 1}).data
    assert found[0].data.object["id"] == invoice.id


def test_a_refused_call_causes_no_event_and_no_row(
    standin: Any, stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    events = stripe_client.v1.events.list({"limit": 1}).data[0].id
    rows = len(standin.ledger())
    standin.post("/v1/credit_notes", {"invoice": invoice.id, "amount": "10001"})
    assert stripe_client.v1.events.list({"limit": 1}).data[0].id == events
    assert len(standin.ledger()) == rows


def test_the_ledger_has_a_row_for_every_write_and_none_for_reads(
    standin: Any, stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    after = standin.ledger()[-1]["seq"]
    stripe_client.v1.invoices.retrieve(invoice.id)
    stripe_client.v1.credit_notes.preview({"invoice": invoice.id, "amount": 1})
    note = stripe_client.v1.credit_notes.create({"invoice": invoice.id, "amount": 1}, {"idempotency_key": "row"})
    stripe_client.v1.credit_notes.void_credit_note(note.id)
    created, voided = standin.ledger(after)
    assert created == {
        "seq": after + 1, "at": note.created, "method": "POST", "path": "/v1/credit_notes", "idempotency_key": "row",
        "request_id": note.last_response.headers["request-id"], "status": 200, "object": "credit_note", "id": note.id,
        "amount": 1, "currency": "usd", "customer": invoice.customer, "invoice": invoice.id, "metadata": {},
        "replayed": False,
    }  # fmt: skip
    assert voided["path"] == f"/v1/credit_notes/{note.id}/void"


@pytest.mark.parametrize("statement", ["DELETE FROM ledger", "UPDATE ledger SET amount = 1"])
def test_nobody_changes_the_ledger_not_even_in_the_file(standin: Any, customer: str, statement: str) -> None:
    assert standin.ledger()[-1]["id"] == customer
    with (
        closing(sqlite3.connect(standin.settings.database)) as file,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        file.execute(statement)


def test_the_ledger_is_read_from_a_place_on(standin: Any, stripe_client: stripe.StripeClient) -> None:
    stripe_client.v1.customers.create({"name": "A"})
    last = standin.ledger()[-1]["seq"]
    assert standin.ledger(last) == []
    assert standin.http.get("/_ledger", params={"after": "x"}).status_code == 400


def test_the_clock_moves_forward_only(standin: Any, stripe_client: stripe.StripeClient) -> None:
    now = standin.http.get("/_clock").json()["now"]
    standin.advance(86_400)
    assert stripe_client.v1.customers.create({"name": "A"}).created >= now + 86_400
    for bad in ({"advance_seconds": -1}, {"advance_seconds": "1"}, {"advance_seconds": True}, {}, {"seconds": 1}):
        assert standin.http.post("/_clock", json=bad).status_code == 400
