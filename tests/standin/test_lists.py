from collections.abc import Callable
from typing import Any

import pytest
import stripe


def test_pages_follow_each_other_without_gap_or_repetition(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1.customers
    made = [v1.create({"email": "pages@example.com"}).id for _ in range(7)]
    page = v1.list({"email": "pages@example.com", "limit": 3})
    assert (page.has_more, page.url) == (True, "/v1/customers")
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    last = v1.list({"email": "pages@example.com", "limit": 7})
    assert not last.has_more


def test_pages_go_backwards_too(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1.customers
    made = [v1.create({"email": "back@example.com"}).id for _ in range(4)]
    page = v1.list({"email": "back@example.com", "limit": 2, "ending_before": made[0]})
    assert ([each.id for each in page.data], page.has_more) == ([made[2], made[1]], True)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": -1}, {"limit": 10**18}])
def test_a_page_has_1_to_100_objects(stripe_client: stripe.StripeClient, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.customers.list(params)
    assert refusal.value.param == "limit"


def test_a_page_has_10_objects_unless_told(stripe_client: stripe.StripeClient) -> None:
    for _ in range(11):
        stripe_client.v1.products.create({"name": "A"})
    assert len(stripe_client.v1.products.list().data) == 10


@pytest.mark.parametrize("param", ["starting_after", "ending_before"])
def test_a_cursor_must_name_an_object_of_the_list(
    stripe_client: stripe.StripeClient, customer: str, param: str
) -> None:
    product = stripe_client.v1.products.create({"name": "A"})
    for wrong in ("cus_none", product.id):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            stripe_client.v1.customers.list({param: wrong})
        assert refusal.value.param == param
    assert stripe_client.v1.customers.list({param: customer}) is not None


def test_objects_are_found_by_their_time(standin: Any, stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1.customers
    before = v1.create({"email": "time@example.com"})
    standin.advance(100)
    after = v1.create({"email": "time@example.com"})

    def found(created: object) -> list[str]:
        return [each.id for each in v1.list({"email": "time@example.com", "created": created}).data]

    assert found({"gt": before.created}) == [after.id]
    assert found({"lt": after.created}) == [before.id]
    assert found({"gte": before.created, "lte": after.created}) == [after.id, before.id]
    assert found(after.created) == [after.id]
    assert found({"gte": 2**63 - 1}) == []


def test_expanding_puts_the_object_in_the_ids_place(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], customer: str
) -> None:
    invoice = bill(10_000)
    note = stripe_client.v1.credit_notes.create({"invoice": invoice.id, "amount": 1, "expand": ["invoice.customer"]})
    assert note.invoice.id == invoice.id
    assert note.invoice.customer.id == customer
    listed = stripe_client.v1.invoices.list({"customer": customer, "expand": ["data.customer", "data.payments"]})
    assert listed.data[0].customer.name == "Example Clinics"
    assert listed.data[0].payments.data == []
    assert stripe_client.v1.credit_notes.retrieve(note.id).invoice == invoice.id


@pytest.mark.parametrize("expand", [["nothing"], ["customer.nothing"], ["number"], ["a.b.c.d.e"]])
def test_what_cannot_be_expanded_is_refused(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice], expand: list[str]
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.invoices.retrieve(bill(1).id, {"expand": expand})
    assert refusal.value.param == "expand"


def test_a_write_whose_expansion_is_refused_does_nothing(standin: Any, stripe_client: stripe.StripeClient) -> None:
    before = len(standin.ledger())
    form = {"email": "never@example.com", "expand[0]": "nothing"}
    assert standin.post("/v1/customers", form).status_code == 400
    assert standin.post("/v1/customers", form, Idempotency_Key="never").status_code == 400
    assert stripe_client.v1.customers.list({"email": "never@example.com"}).data == []
    assert len(standin.ledger()) == before
