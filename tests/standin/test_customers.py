from typing import Any

import pytest
import stripe


def test_a_customer_is_created_and_found_again(stripe_client: stripe.StripeClient) -> None:
    address = {"line1": "1 Example Street", "country": "US"}
    made = stripe_client.v1.customers.create(
        {"name": "Example Press", "email": "press@example.com", "address": address, "metadata": {"plixo_tier": "gold"}}
    )
    assert made.id.startswith("cus_")
    found = stripe_client.v1.customers.retrieve(made.id)
    assert found.to_dict() == made.to_dict()
    assert (found.name, found.email, found.balance, found.currency) == ("Example Press", "press@example.com", 0, None)
    assert (found.address.line1, found.address.city) == ("1 Example Street", None)
    assert found.metadata.to_dict() == {"plixo_tier": "gold"}


def test_an_update_changes_what_it_names(stripe_client: stripe.StripeClient, customer: str) -> None:
    v1 = stripe_client.v1.customers
    v1.update(customer, {"phone": "+1 555 0100", "business_name": "Clinics Ltd", "metadata": {"a": "1", "b": "2"}})
    changed = v1.update(customer, {"business_name": "", "metadata": {"a": "", "c": "3"}})
    assert (changed.name, changed.phone) == ("Example Clinics", "+1 555 0100")
    assert changed.to_dict().get("business_name") is None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert v1.update(customer, {"metadata": ""}).metadata.to_dict() == {}


@pytest.mark.parametrize(
    "metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{at}": "v" for at in range(51)}, {"a]b": "v"}]
)
def test_metadata_has_limits(stripe_client: stripe.StripeClient, metadata: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.customers.create({"metadata": metadata})
    assert refusal.value.param.startswith("metadata")


def test_metadata_at_its_limits_is_kept(stripe_client: stripe.StripeClient) -> None:
    metadata = {f"{at:040d}": "v" * 500 for at in range(50)}
    assert stripe_client.v1.customers.create({"metadata": metadata}).metadata.to_dict() == metadata


def test_customers_are_found_by_mail(stripe_client: stripe.StripeClient) -> None:
    made = stripe_client.v1.customers.create({"email": "only.one@example.com"})
    found = stripe_client.v1.customers.list({"email": "only.one@example.com"})
    assert [each.id for each in found.data] == [made.id]
    assert stripe_client.v1.customers.list({"email": "Only.One@example.com"}).data == []


def test_a_deleted_customer_leaves_a_stub_and_takes_nothing(stripe_client: stripe.StripeClient, customer: str) -> None:
    v1 = stripe_client.v1
    assert v1.customers.delete(customer).deleted
    assert v1.customers.retrieve(customer).deleted
    assert customer not in [each.id for each in v1.customers.list({"limit": 100}).data]
    with pytest.raises(stripe.InvalidRequestError):
        v1.customers.update(customer, {"name": "B"})
    with pytest.raises(stripe.InvalidRequestError):
        v1.invoices.create({"customer": customer})
    with pytest.raises(stripe.InvalidRequestError):
        v1.customers.balance_transactions.create(customer, {"amount": -1, "currency": "usd"})


def test_an_unknown_customer_is_404(stripe_client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.customers.retrieve("cus_nobody")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_an_id_of_another_kind_is_no_customer(stripe_client: stripe.StripeClient) -> None:
    product = stripe_client.v1.products.create({"name": "A"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.customers.retrieve(product.id)
    assert refusal.value.http_status == 404


def test_a_parameter_that_would_be_ignored_is_refused(stripe_client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not support the parameter 'balance'"):
        stripe_client.v1.customers.create({"balance": -500})


@pytest.mark.parametrize("name", ["NUL \x00", "\u202eleft", "{{7*7}}", "=cmd()", "ä" * 200, "line\r\nbreak", "😀"])
def test_text_comes_back_as_it_was_sent(stripe_client: stripe.StripeClient, name: str) -> None:
    made = stripe_client.v1.customers.create({"name": name, "metadata": {"name": name}})
    found = stripe_client.v1.customers.retrieve(made.id)
    assert (found.name, found.metadata["name"]) == (name, name)
