from collections.abc import Callable
from typing import Any

import pytest
import stripe


def test_entries_add_up_to_the_balance(stripe_client: stripe.StripeClient, customer: str, standin: Any) -> None:
    entries = stripe_client.v1.customers.balance_transactions
    first = entries.create(
        customer, {"amount": -1_000, "currency": "USD", "description": "Goodwill", "metadata": {"plixo_effect": "e"}}
    )
    second = entries.create(customer, {"amount": 300, "currency": "usd"})
    assert (first.type, first.currency, first.ending_balance) == ("adjustment", "usd", -1_000)
    assert (first.description, first.metadata["plixo_effect"]) == ("Goodwill", "e")
    assert second.ending_balance == -700
    assert [each.id for each in entries.list(customer).data] == [second.id, first.id]
    assert entries.retrieve(customer, first.id).amount == -1_000
    now = stripe_client.v1.customers.retrieve(customer, {"expand": ["invoice_credit_balance"]})
    assert (now.balance, now.currency, now.invoice_credit_balance["usd"]) == (-700, "usd", -700)
    row = standin.ledger()[-2]
    assert (row["object"], row["id"], row["amount"], row["customer"], row["metadata"]) == (
        "customer_balance_transaction", first.id, -1_000, customer, {"plixo_effect": "e"},
    )  # fmt: skip


def test_each_currency_has_a_balance_of_its_own(stripe_client: stripe.StripeClient, customer: str) -> None:
    entries = stripe_client.v1.customers.balance_transactions
    entries.create(customer, {"amount": -1_000, "currency": "usd"})
    assert entries.create(customer, {"amount": -5_000, "currency": "jpy"}).ending_balance == -5_000
    now = stripe_client.v1.customers.retrieve(customer, {"expand": ["invoice_credit_balance"]})
    assert (now.balance, now.currency) == (-1_000, "usd")
    assert now.invoice_credit_balance.to_dict() == {"usd": -1_000, "jpy": -5_000}


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"amount": 0, "currency": "usd"}, "amount"),
        ({"amount": 10**8, "currency": "usd"}, "amount"),
        ({"amount": -(10**18), "currency": "usd"}, "amount"),
        ({"amount": "1.5", "currency": "usd"}, "amount"),
        ({"amount": "NaN", "currency": "usd"}, "amount"),
        ({"amount": -1_005, "currency": "kwd"}, "amount"),
        ({"amount": -1_000, "currency": "xyz"}, "currency"),
        ({"amount": -1_000}, "currency"),
        ({"currency": "usd"}, "amount"),
        ({"amount": -1_000, "currency": "usd", "note": "x"}, "note"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_name(
    stripe_client: stripe.StripeClient, customer: str, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.customers.balance_transactions.create(customer, params)
    assert (refusal.value.http_status, refusal.value.param) == (400, param)
    assert stripe_client.v1.customers.balance_transactions.list(customer).data == []


def test_an_entry_of_another_customer_is_not_shown(stripe_client: stripe.StripeClient, customer: str) -> None:
    entries = stripe_client.v1.customers.balance_transactions
    entry = entries.create(customer, {"amount": -1, "currency": "usd"})
    other = stripe_client.v1.customers.create({"name": "Example Foods"}).id
    assert entries.list(other).data == []
    with pytest.raises(stripe.InvalidRequestError):
        entries.retrieve(other, entry.id)


def test_the_balance_pays_the_next_invoice(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    entries = stripe_client.v1.customers.balance_transactions
    entries.create(customer, {"amount": -1_000, "currency": "usd"})
    small, large = bill(400), bill(900)
    assert (small.status, small.amount_due, small.starting_balance, small.ending_balance) == ("paid", 0, -1_000, -600)
    assert (large.status, large.amount_due, large.starting_balance, large.ending_balance) == ("open", 300, -600, 0)
    used = entries.list(customer, {"invoice": large.id}).data
    assert [(entry.type, entry.amount) for entry in used] == [("applied_to_invoice", 600)]
    assert stripe_client.v1.customers.retrieve(customer).balance == 0


def test_a_debt_is_added_to_the_next_invoice(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    stripe_client.v1.customers.balance_transactions.create(customer, {"amount": 250, "currency": "usd"})
    invoice = bill(1_000)
    assert (invoice.total, invoice.amount_due, invoice.ending_balance) == (1_000, 1_250, 0)


def test_a_balance_in_another_currency_stays(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    stripe_client.v1.customers.balance_transactions.create(customer, {"amount": -1_000, "currency": "eur"})
    assert bill(400, currency="usd").amount_due == 400


def test_a_voided_invoice_gives_the_balance_back(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    entries = stripe_client.v1.customers.balance_transactions
    entries.create(customer, {"amount": -1_000, "currency": "usd"})
    invoice = bill(1_500, status="void")
    kinds = [(entry.type, entry.amount) for entry in entries.list(customer, {"invoice": invoice.id}).data]
    assert kinds == [("unapplied_from_invoice", -1_000), ("applied_to_invoice", 1_000)]
    assert stripe_client.v1.customers.retrieve(customer).balance == -1_000
