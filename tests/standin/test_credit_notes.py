from collections.abc import Callable
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def notes(stripe_client: stripe.StripeClient) -> Any:
    return stripe_client.v1.credit_notes


@pytest.fixture
def invoice_now(stripe_client: stripe.StripeClient) -> Callable[[str], stripe.Invoice]:
    return stripe_client.v1.invoices.retrieve


def test_a_note_on_an_open_invoice_takes_off_what_is_still_to_pay(
    notes: Any, bill: Callable[..., stripe.Invoice], invoice_now: Callable[[str], stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    note = notes.create({"invoice": invoice.id, "amount": 4_000})
    assert (note.status, note.type) == ("issued", "pre_payment")
    assert (note.amount, note.pre_payment_amount, note.post_payment_amount) == (4_000, 4_000, 0)
    assert note.number == f"{invoice.number}-CN-01"
    assert note.customer_balance_transaction is None
    now = invoice_now(invoice.id)
    assert (now.status, now.total) == ("open", 10_000)
    assert (now.amount_due, now.amount_remaining, now.pre_payment_credit_notes_amount) == (6_000, 6_000, 4_000)


def test_an_open_invoice_that_is_credited_whole_is_paid(
    notes: Any, bill: Callable[..., stripe.Invoice], invoice_now: Callable[[str], stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    notes.create({"invoice": invoice.id, "amount": 4_000})
    notes.create({"invoice": invoice.id, "amount": 6_000})
    now = invoice_now(invoice.id)
    assert (now.status, now.amount_remaining, now.amount_paid) == ("paid", 0, 0)
    assert now.pre_payment_credit_notes_amount == 10_000
    assert now.status_transitions.paid_at


def test_a_note_on_a_paid_invoice_goes_to_the_customer_balance(
    notes: Any, bill: Callable[..., stripe.Invoice], stripe_client: stripe.StripeClient, customer: str
) -> None:
    invoice = bill(10_000, status="paid")
    note = notes.create({"invoice": invoice.id, "amount": 4_000, "credit_amount": 4_000, "reason": "duplicate"})
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("post_payment", 0, 4_000)
    assert note.reason == "duplicate"
    entry = stripe_client.v1.customers.balance_transactions.retrieve(customer, note.customer_balance_transaction)
    assert (entry.type, entry.amount, entry.ending_balance) == ("credit_note", -4_000, -4_000)
    assert entry.credit_note == note.id
    now = stripe_client.v1.invoices.retrieve(invoice.id)
    assert (now.status, now.amount_paid, now.amount_remaining) == ("paid", 10_000, 0)
    assert (now.pre_payment_credit_notes_amount, now.post_payment_credit_notes_amount) == (0, 4_000)
    assert stripe_client.v1.customers.retrieve(customer).balance == -4_000


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"credit_amount": 3_999},
        {"credit_amount": 4_001},
        {"out_of_band_amount": 2_000, "credit_amount": 1_000},
        {"refund_amount": 4_000, "credit_amount": 4_000},
    ],
)
def test_what_was_paid_must_go_somewhere_exactly(
    notes: Any, bill: Callable[..., stripe.Invoice], standin: Any, ways: dict[str, int]
) -> None:
    invoice = bill(10_000, status="paid")
    before = len(standin.ledger())
    for ask in (notes.create, notes.preview):
        with pytest.raises(stripe.InvalidRequestError, match="must equal the part") as refusal:
            ask({"invoice": invoice.id, "amount": 4_000, **ways})
        assert refusal.value.http_status == 400
    assert notes.list({"invoice": invoice.id}).data == []
    assert len(standin.ledger()) == before


def test_an_open_amount_takes_no_balance_credit(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(10_000)
    with pytest.raises(stripe.InvalidRequestError, match=r"must equal the part .* \(0\)"):
        notes.create({"invoice": invoice.id, "amount": 4_000, "credit_amount": 4_000})


@pytest.mark.parametrize("way", ["refund_amount", "credit_amount", "out_of_band_amount"])
def test_a_negative_way_out_is_refused_by_name(notes: Any, bill: Callable[..., stripe.Invoice], way: str) -> None:
    invoice = bill(10_000, status="paid")
    other = "credit_amount" if way != "credit_amount" else "out_of_band_amount"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": invoice.id, "amount": 1_000, way: -500, other: 1_500})
    assert refusal.value.param == way


def test_the_three_ways_out_may_be_mixed(
    notes: Any, bill: Callable[..., stripe.Invoice], stripe_client: stripe.StripeClient, customer: str
) -> None:
    invoice = bill(10_000, status="paid")
    note = notes.create(
        {"invoice": invoice.id, "amount": 6_000, "refund_amount": 1_000, "credit_amount": 2_000,
         "out_of_band_amount": 3_000}
    )  # fmt: skip
    assert note.out_of_band_amount == 3_000
    assert [refund.amount_refunded for refund in note.refunds] == [1_000]
    assert stripe_client.v1.customers.retrieve(customer).balance == -2_000
    charge = stripe_client.v1.charges.list({"customer": customer}).data[0]
    assert (charge.amount_refunded, charge.refunded) == (1_000, False)


def test_refunds_never_exceed_the_payment(
    notes: Any, bill: Callable[..., stripe.Invoice], stripe_client: stripe.StripeClient, customer: str
) -> None:
    stripe_client.v1.customers.balance_transactions.create(customer, {"amount": -8_000, "currency": "usd"})
    invoice = bill(10_000, status="paid")
    with pytest.raises(stripe.InvalidRequestError, match=r"Only 2000 .* left to refund"):
        notes.create({"invoice": invoice.id, "amount": 2_001, "refund_amount": 2_001})
    notes.create({"invoice": invoice.id, "amount": 2_000, "refund_amount": 2_000})
    with pytest.raises(stripe.InvalidRequestError, match=r"Only 0 .* left to refund"):
        notes.create({"invoice": invoice.id, "amount": 1, "refund_amount": 1})


def test_a_partly_settled_invoice_splits_the_note(
    notes: Any, bill: Callable[..., stripe.Invoice], stripe_client: stripe.StripeClient, customer: str
) -> None:
    stripe_client.v1.customers.balance_transactions.create(customer, {"amount": -4_000, "currency": "usd"})
    invoice = bill(10_000)
    assert (invoice.amount_due, invoice.amount_remaining) == (6_000, 6_000)
    with pytest.raises(stripe.InvalidRequestError, match=r"\(2000\)"):
        notes.create({"invoice": invoice.id, "amount": 8_000})
    note = notes.create({"invoice": invoice.id, "amount": 8_000, "credit_amount": 2_000})
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("mixed", 6_000, 2_000)
    now = stripe_client.v1.invoices.retrieve(invoice.id)
    assert (now.status, now.amount_remaining) == ("paid", 0)
    assert (now.pre_payment_credit_notes_amount, now.post_payment_credit_notes_amount) == (6_000, 2_000)
    assert stripe_client.v1.customers.retrieve(customer).balance == -2_000


@pytest.mark.parametrize("status", ["draft", "void"])
def test_draft_and_void_invoices_take_no_notes(notes: Any, bill: Callable[..., stripe.Invoice], status: str) -> None:
    invoice = bill(10_000, status=status)
    for ask in (notes.create, notes.preview):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            ask({"invoice": invoice.id, "amount": 1})
        assert refusal.value.param == "invoice"


def test_an_uncollectible_invoice_takes_notes_like_an_open_one(
    notes: Any, bill: Callable[..., stripe.Invoice], invoice_now: Callable[[str], stripe.Invoice]
) -> None:
    invoice = bill(10_000, status="uncollectible")
    assert notes.create({"invoice": invoice.id, "amount": 2_500}).pre_payment_amount == 2_500
    assert (invoice_now(invoice.id).status, invoice_now(invoice.id).amount_remaining) == ("uncollectible", 7_500)
    notes.create({"invoice": invoice.id, "amount": 7_500})
    assert invoice_now(invoice.id).status == "paid"


@pytest.mark.parametrize("status", ["open", "paid"])
def test_notes_never_exceed_the_invoice(notes: Any, bill: Callable[..., stripe.Invoice], status: str) -> None:
    invoice = bill(10_000, rates=(19,), status=status)
    whole = {"out_of_band_amount": 11_000} if status == "paid" else {}
    rest = {"credit_amount": 901} if status == "paid" else {}
    notes.create({"invoice": invoice.id, "amount": 11_000, **whole})
    with pytest.raises(stripe.InvalidRequestError, match="only 900 of the invoice is left") as refusal:
        notes.create({"invoice": invoice.id, "amount": 901, **rest})
    assert refusal.value.param == "amount"


@pytest.mark.parametrize("amount", [0, -1, 10**8, 10**18])
def test_an_amount_out_of_bounds_is_refused_by_name(
    notes: Any, bill: Callable[..., stripe.Invoice], amount: int
) -> None:
    invoice = bill(10_000)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": invoice.id, "amount": amount})
    assert refusal.value.param == "amount"


def test_an_unknown_invoice_is_refused_by_name(notes: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": "in_nowhere", "amount": 1})
    assert (refusal.value.param, refusal.value.code, refusal.value.http_status) == ("invoice", "resource_missing", 400)


def test_a_gross_amount_carries_its_share_of_the_tax(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(1_166_667, rates=(8,))
    assert invoice.total == 1_260_000
    note = notes.create({"invoice": invoice.id, "amount": 420_000})
    assert (note.subtotal, note.total_excluding_tax, note.total, note.amount) == (388_889, 388_889, 420_000, 420_000)
    (tax,) = note.total_taxes
    assert (tax.amount, tax.taxable_amount) == (31_111, 388_889)
    assert note.lines.data[0].amount == 388_889


@pytest.mark.parametrize(("amount", "tax"), [(1, 0), (5, 1), (16, 3), (119, 19), (3, 0), (4, 1)])
def test_tax_rounds_half_up(notes: Any, bill: Callable[..., stripe.Invoice], amount: int, tax: int) -> None:
    invoice = bill(10_000, rates=(19,))
    preview = notes.preview({"invoice": invoice.id, "amount": amount})
    assert preview.total_taxes[0].amount == tax
    assert preview.subtotal == amount - tax


def test_exactly_half_a_cent_rounds_up(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(100, rates=(100,))
    assert notes.preview({"invoice": invoice.id, "amount": 5}).total_taxes[0].amount == 3


def test_two_rates_share_the_tax_and_add_up(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(10_000, rates=(7, 2.5))
    assert invoice.total == 10_950
    note = notes.create({"invoice": invoice.id, "amount": 3_333})
    assert [tax.amount for tax in note.total_taxes] == [213, 76]
    assert note.subtotal + 289 == 3_333
    assert [tax.taxable_amount for tax in note.total_taxes] == [3_044, 3_044]


def test_an_untaxed_invoice_gives_an_untaxed_note(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    note = notes.create({"invoice": bill(10_000).id, "amount": 2_000})
    assert (note.subtotal, note.total_taxes) == (2_000, [])


def test_lines_credit_net_amounts_and_add_their_tax(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(6_000, 4_000, rates=(10,))
    first, second = invoice.lines.data
    note = notes.create(
        {
            "invoice": invoice.id,
            "lines": [
                {"type": "invoice_line_item", "invoice_line_item": first.id, "amount": 1_500},
                {"type": "invoice_line_item", "invoice_line_item": second.id, "quantity": 1},
                {"type": "custom_line_item", "description": "Outage", "unit_amount": 200, "quantity": 2},
            ],
        }
    )
    assert [line.amount for line in note.lines.data] == [1_500, 4_000, 400]
    assert [line.type for line in note.lines.data] == ["invoice_line_item", "invoice_line_item", "custom_line_item"]
    assert (note.subtotal, note.total_taxes[0].amount, note.amount) == (5_900, 550, 6_450)
    listed = notes.line_items.list(note.id, {"limit": 2})
    assert ([line.amount for line in listed.data], listed.has_more) == ([1_500, 4_000], True)
    rest = notes.line_items.list(note.id, {"starting_after": listed.data[-1].id})
    assert ([line.amount for line in rest.data], rest.has_more) == ([400], False)


def test_a_custom_line_takes_the_tax_it_names(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(10_000, rates=(19,))
    rate = invoice.total_taxes[0].tax_rate_details.tax_rate
    line = {"type": "custom_line_item", "description": "Outage", "unit_amount": 1_000, "quantity": 1}
    assert notes.preview({"invoice": invoice.id, "lines": [{**line, "tax_rates": [rate]}]}).amount == 1_190
    explicit = {**line, "tax_amounts": [{"amount": 70, "tax_rate": rate, "taxable_amount": 1_000}]}
    assert notes.preview({"invoice": invoice.id, "lines": [explicit]}).amount == 1_070
    assert notes.preview({"invoice": invoice.id, "lines": [line]}).amount == 1_000


def test_a_line_is_never_credited_beyond_itself(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(6_000, 4_000)
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id}
    notes.create({"invoice": invoice.id, "lines": [{**line, "amount": 5_000}]})
    with pytest.raises(stripe.InvalidRequestError, match="by 1000 at most"):
        notes.create({"invoice": invoice.id, "lines": [{**line, "amount": 1_001}]})
    with pytest.raises(stripe.InvalidRequestError, match="by 400 at most"):
        notes.create({"invoice": invoice.id, "lines": [{**line, "amount": 600}, {**line, "amount": 600}]})


@pytest.mark.parametrize(
    ("line", "param"),
    [
        ({"type": "invoice_line_item", "amount": 1}, "lines[0][invoice_line_item]"),
        ({"type": "invoice_line_item", "invoice_line_item": "il_x", "amount": 1}, "lines[0][invoice_line_item]"),
        ({"type": "custom_line_item", "unit_amount": 1}, "lines[0][description]"),
        ({"type": "custom_line_item", "description": "x"}, "lines[0][unit_amount]"),
        ({"type": "custom_line_item", "description": "x", "unit_amount_decimal": "NaN"}, "lines[0][unit_amount]"),
        ({"type": "custom_line_item", "description": "x", "unit_amount": -5}, "lines[0]"),
        ({"type": "custom_line_item", "description": "x", "unit_amount": 5, "tax_rates": ["t"]}, "lines[0][tax_rates]"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_name(
    notes: Any, bill: Callable[..., stripe.Invoice], line: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": bill(10_000).id, "lines": [line]})
    assert refusal.value.param == param


@pytest.mark.parametrize("how", [{}, {"amount": 1, "quantity": 1}, {"quantity": 2}, {"quantity": 0}])
def test_an_invoice_line_is_credited_by_amount_or_by_quantity(
    notes: Any, bill: Callable[..., stripe.Invoice], how: dict[str, int]
) -> None:
    invoice = bill(10_000)
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, **how}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": invoice.id, "lines": [line]})
    assert refusal.value.param.startswith("lines[0]")


def test_an_amount_beside_lines_must_agree_with_them(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(10_000, rates=(19,))
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 1_000}
    assert notes.preview({"invoice": invoice.id, "lines": [line], "amount": 1_190}).amount == 1_190
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": invoice.id, "lines": [line], "amount": 1_000})
    assert refusal.value.param == "amount"


def test_neither_amount_nor_lines_is_refused(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="One of amount or lines"):
        notes.create({"invoice": bill(10_000).id})


def test_a_preview_is_the_note_that_is_then_issued(
    notes: Any, bill: Callable[..., stripe.Invoice], standin: Any
) -> None:
    invoice = bill(10_000, rates=(19,), status="paid")
    ask = {"invoice": invoice.id, "amount": 4_321, "credit_amount": 4_321, "memo": "Outage", "metadata": {"a": "b"}}
    before = len(standin.ledger())
    preview = notes.preview(ask).to_dict()
    assert notes.list({"invoice": invoice.id}).data == []
    assert len(standin.ledger()) == before
    note = notes.create(ask).to_dict()
    differing = {"id", "created", "effective_at", "lines", "pdf", "customer_balance_transaction"}
    assert {k: v for k, v in preview.items() if k not in differing} == {
        k: v for k, v in note.items() if k not in differing
    }
    amounts = [(line["amount"], line["taxes"]) for line in preview["lines"]["data"]]
    assert amounts == [(line["amount"], line["taxes"]) for line in note["lines"]["data"]]


def test_voiding_a_note_gives_the_open_amount_back(
    notes: Any, bill: Callable[..., stripe.Invoice], invoice_now: Callable[[str], stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    note = notes.create({"invoice": invoice.id, "amount": 4_000})
    voided = notes.void_credit_note(note.id)
    assert voided.status == "void"
    assert voided.voided_at
    now = invoice_now(invoice.id)
    assert (now.amount_due, now.amount_remaining, now.pre_payment_credit_notes_amount) == (10_000, 10_000, 0)
    assert notes.create({"invoice": invoice.id, "amount": 9_999}).number.endswith("-CN-02")


def test_a_voided_note_frees_its_lines(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(6_000, 4_000)
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 6_000}
    note = notes.create({"invoice": invoice.id, "lines": [line]})
    notes.void_credit_note(note.id)
    assert notes.create({"invoice": invoice.id, "lines": [line]}).amount == 6_000


def test_a_note_is_voided_once_and_only_while_its_invoice_is_open(
    notes: Any, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    note = notes.create({"invoice": invoice.id, "amount": 4_000})
    notes.void_credit_note(note.id)
    with pytest.raises(stripe.InvalidRequestError, match="already void"):
        notes.void_credit_note(note.id)
    paid = bill(10_000, status="paid")
    on_paid = notes.create({"invoice": paid.id, "amount": 1_000, "credit_amount": 1_000})
    with pytest.raises(stripe.InvalidRequestError, match="while the invoice is open"):
        notes.void_credit_note(on_paid.id)


def test_a_note_that_gave_paid_money_back_is_never_voided(
    notes: Any, bill: Callable[..., stripe.Invoice], stripe_client: stripe.StripeClient, customer: str
) -> None:
    stripe_client.v1.customers.balance_transactions.create(customer, {"amount": -4_000, "currency": "usd"})
    mixed = notes.create({"invoice": bill(10_000).id, "amount": 8_000, "credit_amount": 2_000})
    with pytest.raises(stripe.InvalidRequestError, match="while the invoice is open"):
        notes.void_credit_note(mixed.id)
    assert stripe_client.v1.customers.retrieve(customer).balance == -2_000


def test_memo_and_metadata_of_a_note_can_change(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    note = notes.create({"invoice": bill(10_000).id, "amount": 1, "metadata": {"plixo_effect": "e1", "x": "y"}})
    changed = notes.update(note.id, {"memo": "Agreed by phone", "metadata": {"x": ""}})
    assert (changed.memo, changed.metadata.to_dict()) == ("Agreed by phone", {"plixo_effect": "e1"})
    assert notes.retrieve(note.id).memo == "Agreed by phone"


def test_notes_are_listed_by_invoice_and_by_customer(
    notes: Any, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    first, second = bill(10_000), bill(10_000)
    a = notes.create({"invoice": first.id, "amount": 1})
    b = notes.create({"invoice": second.id, "amount": 2})
    c = notes.create({"invoice": first.id, "amount": 3})
    assert [note.id for note in notes.list({"invoice": first.id}).data] == [c.id, a.id]
    assert [note.id for note in notes.list({"customer": customer}).data] == [c.id, b.id, a.id]


def test_yen_have_no_decimals(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(550_000, currency="jpy", rates=(10,))
    assert invoice.total == 605_000
    note = notes.create({"invoice": invoice.id, "amount": 1_005})
    assert (note.currency, note.subtotal, note.total_taxes[0].amount) == ("jpy", 914, 91)


def test_dinars_have_three_decimals_and_end_in_0(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    invoice = bill(1_000_000, currency="kwd", rates=(5,))
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.create({"invoice": invoice.id, "amount": 1_005})
    assert refusal.value.param == "amount"
    note = notes.create({"invoice": invoice.id, "amount": 1_050})
    assert (note.subtotal, note.total_taxes[0].amount) == (1_000, 50)
    uneven = notes.create({"invoice": invoice.id, "amount": 1_000})
    assert (uneven.subtotal, uneven.total_taxes[0].amount) == (950, 50)


def test_shipping_costs_are_refused_rather_than_ignored(notes: Any, bill: Callable[..., stripe.Invoice]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not support the parameter 'shipping_cost'"):
        notes.create({"invoice": bill(10_000).id, "amount": 1, "shipping_cost": {"shipping_rate": "shr_1"}})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    net=st.integers(1, 500_000),
    rate=st.sampled_from([0, 7, 8.25, 19]),
    settled=st.integers(0, 500_000),
    parts=st.lists(st.integers(1, 400_000), min_size=1, max_size=5),
)
def test_whatever_is_credited_the_amounts_tie(  # noqa: PLR0917 - hypothesis names them
    stripe_client: stripe.StripeClient,
    bill: Callable[..., stripe.Invoice],
    net: int,
    rate: float,
    settled: int,
    parts: list[int],
) -> None:
    v1 = stripe_client.v1
    customer = v1.customers.create({"name": "Example Foods"}).id
    if settled:
        v1.customers.balance_transactions.create(customer, {"amount": -settled, "currency": "usd"})
    invoice = bill(net, rates=(rate,) if rate else (), on=customer)
    credited = 0
    for part in parts:
        left = v1.invoices.retrieve(invoice.id).amount_remaining
        ask = {"invoice": invoice.id, "amount": part}
        if part > left:
            ask["credit_amount"] = part - left
        if credited + part > invoice.total:
            with pytest.raises(stripe.InvalidRequestError, match="left to credit"):
                v1.credit_notes.create(ask)
            continue
        note = v1.credit_notes.create(ask)
        credited += part
        assert note.subtotal + sum(tax.amount for tax in note.total_taxes) == note.amount == part
        assert note.pre_payment_amount + note.post_payment_amount == part
        assert note.pre_payment_amount == min(part, left)
    now = v1.invoices.retrieve(invoice.id)
    assert now.pre_payment_credit_notes_amount + now.post_payment_credit_notes_amount == credited
    assert now.amount_remaining == now.amount_due >= 0
    assert (now.status == "paid") == (now.amount_remaining == 0)
    entries = v1.customers.balance_transactions.list(customer, {"limit": 100}).data
    assert v1.customers.retrieve(customer).balance == sum(entry.amount for entry in entries)
