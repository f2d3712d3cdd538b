from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import stripe


def test_a_price_by_unit_makes_an_item(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    v1 = stripe_client.v1
    product = v1.products.create({"name": "Seats", "id": "prod_seats", "unit_label": "seat"})
    price = v1.prices.create({"product": product.id, "currency": "usd", "unit_amount_decimal": "12.5"})
    assert (price.type, price.unit_amount, price.unit_amount_decimal) == ("one_time", None, Decimal("12.5"))
    draft = bill(1_000, status="draft")
    item = v1.invoice_items.create(
        {"customer": customer, "invoice": draft.id, "pricing": {"price": price.id}, "quantity": 3}
    )
    assert (item.amount, item.quantity, item.pricing.price_details.product) == (38, 3, product.id)
    line = v1.invoices.retrieve(draft.id).lines.data[1]
    assert (line.amount, line.quantity, line.pricing.price_details.price) == (38, 3, price.id)


def test_a_recurring_price_says_its_interval(stripe_client: stripe.StripeClient) -> None:
    price = stripe_client.v1.prices.create(
        {"product_data": {"name": "Plan"}, "currency": "usd", "unit_amount": 9_900, "recurring": {"interval": "month"}}
    )
    assert (price.type, price.recurring.interval, price.recurring.interval_count) == ("recurring", "month", 1)
    assert stripe_client.v1.products.retrieve(price.product).name == "Plan"


def test_products_and_prices_change_and_are_listed(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1
    product = v1.products.create({"name": "Old"})
    assert v1.products.update(product.id, {"name": "New", "active": False}).name == "New"
    assert product.id in [each.id for each in v1.products.list({"active": False, "limit": 100}).data]
    assert product.id not in [each.id for each in v1.products.list({"active": True, "limit": 100}).data]
    price = v1.prices.create({"product": product.id, "currency": "jpy", "unit_amount": 500})
    assert v1.prices.update(price.id, {"nickname": "Yen", "metadata": {"a": "b"}}).nickname == "Yen"
    assert [each.id for each in v1.prices.list({"product": product.id}).data] == [price.id]
    assert v1.prices.retrieve(price.id).metadata.to_dict() == {"a": "b"}


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"currency": "usd", "unit_amount": 1}, "product"),
        ({"product": "prod_none", "currency": "usd", "unit_amount": 1}, "product"),
        ({"product_data": {"name": "A"}, "currency": "usd"}, "unit_amount"),
        ({"product_data": {"name": "A"}, "currency": "usd", "unit_amount": -1}, "unit_amount"),
        ({"product_data": {"name": "A"}, "currency": "usd", "unit_amount_decimal": "-1"}, "unit_amount_decimal"),
        ({"product_data": {"name": "A"}, "currency": "usd", "unit_amount_decimal": "one"}, "unit_amount_decimal"),
        ({"product_data": {"name": "A"}, "currency": "nix", "unit_amount": 1}, "currency"),
        ({"product_data": {"name": "A"}, "currency": "kwd", "unit_amount": 15}, "unit_amount"),
    ],
)
def test_a_price_that_cannot_be_is_refused_by_name(
    stripe_client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.prices.create(params)
    assert refusal.value.param == param


def test_a_product_id_is_taken_once(stripe_client: stripe.StripeClient) -> None:
    stripe_client.v1.products.create({"name": "A", "id": "prod_once"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.products.create({"name": "A", "id": "prod_once"})
    assert refusal.value.code == "resource_already_exists"


def test_a_tax_rate_is_kept_as_given(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1.tax_rates
    made = v1.create({"display_name": "VAT", "percentage": 8.25, "inclusive": False, "country": "DE"})
    found = v1.retrieve(made.id)
    assert (found.display_name, found.percentage, found.inclusive, found.country) == ("VAT", 8.25, False, "DE")
    assert made.id in [each.id for each in v1.list({"active": True, "limit": 100}).data]


@pytest.mark.parametrize(
    ("params", "param"), [({"percentage": 101}, "percentage"), ({"percentage": -1}, "percentage"),
                          ({"inclusive": True}, "inclusive")],
)  # fmt: skip
def test_a_tax_rate_that_cannot_be_is_refused_by_name(
    stripe_client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.tax_rates.create({"display_name": "T", "percentage": 1, "inclusive": False} | params)
    assert refusal.value.param == param
