from collections.abc import Callable
from typing import Any

import pytest
import stripe


def test_a_draft_adds_up_as_items_come(bill: Callable[..., stripe.Invoice]) -> None:
    draft = bill(1_000, 2_500, rates=(8,), status="draft")
    assert (draft.status, draft.number) == ("draft", None)
    assert (draft.subtotal, draft.total_excluding_tax, draft.total) == (3_500, 3_500, 3_780)
    assert [line.amount for line in draft.lines.data] == [1_000, 2_500]
    assert draft.lines.data[0].parent.invoice_item_details.invoice_item.startswith("ii_")


def test_a_line_keeps_its_id_as_the_draft_grows(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    draft = bill(1_000, status="draft")
    stripe_client.v1.invoice_items.create(
        {"customer": customer, "invoice": draft.id, "amount": 5, "currency": "usd", "description": "More"}
    )
    assert stripe_client.v1.invoices.retrieve(draft.id).lines.data[0].id == draft.lines.data[0].id


@pytest.mark.parametrize(
    ("nets", "rates", "taxes"),
    [
        ((1_166_667,), (8,), [93_333]),
        ((333, 333, 334), (10,), [100]),
        ((5,), (10,), [1]),
        ((4,), (10,), [0]),
        ((1_999,), (8.25,), [165]),
        ((10_000,), (19, 2.5), [1_900, 250]),
        ((10_000, -2_000), (19,), [1_520]),
        ((10_000,), (0,), [0]),
    ],
)
def test_tax_is_taken_per_rate_on_the_whole_and_shared_among_the_lines(
    bill: Callable[..., stripe.Invoice], nets: tuple[int, ...], rates: tuple[float, ...], taxes: list[int]
) -> None:
    invoice = bill(*nets, rates=rates)
    assert [tax.amount for tax in invoice.total_taxes] == taxes
    assert invoice.total == sum(nets) + sum(taxes)
    assert sum(tax.amount for line in invoice.lines.data for tax in line.taxes) == sum(taxes)
    assert [tax.taxable_amount for tax in invoice.total_taxes] == [sum(nets)] * len(rates)


def test_an_items_own_tax_rate_goes_before_the_invoices(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    draft = bill(1_000, rates=(10,), status="draft")
    rate = stripe_client.v1.tax_rates.create({"display_name": "Low", "percentage": 5, "inclusive": False})
    stripe_client.v1.invoice_items.create(
        {"customer": customer, "invoice": draft.id, "amount": 1_000, "currency": "usd", "tax_rates": [rate.id]}
    )
    assert stripe_client.v1.invoices.retrieve(draft.id).total == 1_000 + 100 + 1_000 + 50


def test_finalizing_gives_a_number_and_opens(bill: Callable[..., stripe.Invoice]) -> None:
    first, second = bill(1_000), bill(1_000)
    assert (first.status, first.amount_due, first.amount_remaining) == ("open", 1_000, 1_000)
    prefix, number = first.number.rsplit("-", 1)
    assert second.number == f"{prefix}-{int(number) + 1:04d}"
    assert first.status_transitions.finalized_at


def test_a_chosen_number_is_kept_and_stays_unique(stripe_client: stripe.StripeClient, customer: str) -> None:
    v1 = stripe_client.v1.invoices
    v1.create({"customer": customer, "number": "INV-7001"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.create({"customer": customer, "number": "INV-7001"})
    assert refusal.value.param == "number"


def test_an_empty_draft_is_not_finalized(stripe_client: stripe.StripeClient, customer: str) -> None:
    draft = stripe_client.v1.invoices.create({"customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="Nothing to invoice"):
        stripe_client.v1.invoices.finalize_invoice(draft.id)


def test_a_finalized_invoice_takes_no_items_and_no_second_finalizing(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(1_000)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.invoice_items.create({"customer": customer, "invoice": invoice.id, "amount": 1})
    assert refusal.value.code == "invoice_not_editable"
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        stripe_client.v1.invoices.finalize_invoice(invoice.id)


def test_waiting_items_come_in_when_asked_for(stripe_client: stripe.StripeClient, customer: str) -> None:
    v1 = stripe_client.v1
    item = v1.invoice_items.create({"customer": customer, "amount": 700, "currency": "usd"})
    assert [each.id for each in v1.invoice_items.list({"customer": customer, "pending": True}).data] == [item.id]
    assert v1.invoices.create({"customer": customer}).total == 0
    taken = v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    assert taken.total == 700
    assert v1.invoice_items.retrieve(item.id).invoice == taken.id
    assert v1.invoice_items.list({"customer": customer, "pending": True}).data == []


def test_a_card_pays_what_remains(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(10_000, status="paid")
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 10_000, 0)
    with_payments = stripe_client.v1.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    (payment,) = with_payments.payments.data
    intent = stripe_client.v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert (intent.status, intent.amount_received, intent.customer) == ("succeeded", 10_000, customer)
    charge = stripe_client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount, charge.paid, charge.refunded, charge.payment_intent) == (10_000, True, False, intent.id)


def test_the_payments_of_an_invoice_are_shown_only_when_expanded(bill: Callable[..., stripe.Invoice]) -> None:
    assert "payments" not in bill(10_000, status="paid").to_dict()


def test_only_the_rest_is_paid_after_a_credit_note(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    stripe_client.v1.credit_notes.create({"invoice": invoice.id, "amount": 4_000})
    paid = stripe_client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.amount_paid, paid.amount_due) == ("paid", 6_000, 6_000)


def test_a_declined_card_leaves_the_invoice_open_and_the_attempt_noted(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(10_000)
    with pytest.raises(stripe.CardError) as declined:
        stripe_client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_chargeDeclined"})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    now = stripe_client.v1.invoices.retrieve(invoice.id)
    assert (now.status, now.attempted, now.attempt_count, now.amount_paid) == ("open", True, 1, 0)
    assert [charge.status for charge in stripe_client.v1.charges.list({"customer": customer}).data] == ["failed"]


def test_the_customers_default_card_pays(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(10_000)
    with pytest.raises(stripe.InvalidRequestError, match="no default payment method"):
        stripe_client.v1.invoices.pay(invoice.id)
    card = {"default_payment_method": "pm_card_visa"}
    stripe_client.v1.customers.update(customer, {"invoice_settings": card})
    assert stripe_client.v1.invoices.pay(invoice.id).status == "paid"


def test_paying_outside_stripe_charges_nothing(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(10_000)
    paid = stripe_client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid_off_stripe, paid.amount_remaining) == ("paid", 10_000, 0)
    assert stripe_client.v1.charges.list({"customer": customer}).data == []


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        ("draft", {"void_invoice", "mark_uncollectible"}),
        ("open", set()),
        ("uncollectible", {"mark_uncollectible"}),
        ("paid", {"pay", "void_invoice", "mark_uncollectible"}),
        ("void", {"pay", "void_invoice", "mark_uncollectible"}),
    ],
)
def test_an_invoice_goes_only_forward(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], status: str, refused: set[str]
) -> None:
    for step in ("pay", "void_invoice", "mark_uncollectible"):
        invoice = bill(1_000, status=status)
        params = {"payment_method": "pm_card_visa"} if step == "pay" else {}
        if step not in refused:
            assert getattr(stripe_client.v1.invoices, step)(invoice.id, params).status != status
            continue
        with pytest.raises(stripe.InvalidRequestError):
            getattr(stripe_client.v1.invoices, step)(invoice.id, params)
        assert stripe_client.v1.invoices.retrieve(invoice.id).status == status


def test_sending_by_hand_needs_that_way_of_collection(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="collection_method=send_invoice"):
        stripe_client.v1.invoices.send_invoice(bill(1_000).id)
    draft = stripe_client.v1.invoices.create(
        {"customer": customer, "collection_method": "send_invoice", "days_until_due": 30}
    )
    stripe_client.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "amount": 1, "currency": "usd"})
    sent = stripe_client.v1.invoices.send_invoice(draft.id)
    assert (sent.status, sent.due_date - sent.created) == ("open", 30 * 86_400)
    assert "invoice.sent" in [each.type for each in stripe_client.v1.events.list().data]


def test_a_due_date_needs_a_sent_invoice(stripe_client: stripe.StripeClient, customer: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.invoices.create({"customer": customer, "days_until_due": 30})
    assert refusal.value.param == "due_date"


def test_a_draft_can_change_and_a_finalized_invoice_only_in_words(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    v1 = stripe_client.v1.invoices
    draft = bill(1_000, status="draft")
    rate = stripe_client.v1.tax_rates.create({"display_name": "Tax", "percentage": 10, "inclusive": False})
    assert v1.update(draft.id, {"default_tax_rates": [rate.id]}).total == 1_100
    v1.finalize_invoice(draft.id)
    assert v1.update(draft.id, {"description": "For March", "metadata": {"a": "b"}}).description == "For March"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.update(draft.id, {"default_tax_rates": [rate.id]})
    assert refusal.value.code == "invoice_not_editable"


def test_invoices_are_listed_by_customer_and_status(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    open_one, paid_one = bill(1_000), bill(1_000, status="paid")
    listed = stripe_client.v1.invoices.list
    assert [each.id for each in listed({"customer": customer}).data] == [paid_one.id, open_one.id]
    assert [each.id for each in listed({"customer": customer, "status": "open"}).data] == [open_one.id]
    assert listed({"customer": customer, "status": "void"}).data == []


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"amount": 10**8, "currency": "usd"}, "amount"),
        ({"amount": 1_005, "currency": "kwd"}, "amount"),
        ({"amount": 1, "currency": "xyz"}, "currency"),
        ({"currency": "usd"}, "amount"),
        ({"amount": 1}, "currency"),
        ({"unit_amount_decimal": "Infinity", "currency": "usd"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "1e400", "currency": "usd"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "0.0000000000001", "currency": "usd"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "1", "quantity": 0, "currency": "usd"}, "quantity"),
        ({"unit_amount_decimal": "1", "quantity": 10**18, "currency": "usd"}, "amount"),
        ({"amount": 1, "currency": "usd", "tax_rates": ["txr_none"]}, "tax_rates[0]"),
        ({"amount": 1, "currency": "usd", "invoice": "in_none"}, "invoice"),
        ({"pricing": {"price": "price_none"}}, "pricing[price]"),
    ],
)
def test_an_item_that_cannot_be_is_refused_by_name(
    stripe_client: stripe.StripeClient, customer: str, item: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.invoice_items.create({"customer": customer, **item})
    assert (refusal.value.http_status, refusal.value.param) == (400, param)


def test_an_item_must_suit_its_invoice(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    draft = bill(1_000, status="draft")
    other = stripe_client.v1.customers.create({"name": "Example Foods"}).id
    for item, param in (({"customer": other, "currency": "usd"}, "invoice"), ({"currency": "eur"}, "currency")):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            stripe_client.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "amount": 1} | item)
        assert refusal.value.param == param
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.invoice_items.create({"amount": 1, "currency": "usd"})
    assert refusal.value.param == "customer"


def test_a_negative_total_is_not_finalized(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    draft = bill(-1_000, status="draft")
    with pytest.raises(stripe.InvalidRequestError, match="negative total"):
        stripe_client.v1.invoices.finalize_invoice(draft.id)
