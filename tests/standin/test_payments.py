from typing import Any

import pytest
import stripe


def test_a_good_card_succeeds_at_once(stripe_client: stripe.StripeClient, customer: str) -> None:
    v1 = stripe_client.v1
    intent = v1.payment_intents.create(
        {"amount": 1_500, "currency": "usd", "customer": customer, "confirm": True, "payment_method": "pm_card_visa",
         "metadata": {"order": "7"}}
    )  # fmt: skip
    assert (intent.status, intent.amount_received) == ("succeeded", 1_500)
    charge = v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.customer, charge.metadata.to_dict()) == ("succeeded", customer, {"order": "7"})
    assert charge.payment_method_details.card.last4 == "4242"
    assert [each.id for each in v1.charges.list({"payment_intent": intent.id}).data] == [charge.id]
    assert [each.id for each in v1.payment_intents.list({"customer": customer}).data] == [intent.id]


@pytest.mark.parametrize(
    ("card", "code", "decline"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
def test_a_bad_card_is_declined_and_leaves_its_traces(
    standin: Any, customer: str, card: str, code: str, decline: str | None
) -> None:
    v1 = standin.client().v1
    intent = v1.payment_intents.create({"amount": 1_500, "currency": "usd", "customer": customer})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.CardError) as declined:
        v1.payment_intents.confirm(intent.id, {"payment_method": card})
    assert (declined.value.code, declined.value.error.decline_code) == (code, decline)
    assert declined.value.error.payment_intent.id == intent.id
    now = v1.payment_intents.retrieve(intent.id)
    assert (now.status, now.last_payment_error.code) == ("requires_payment_method", code)
    assert v1.charges.retrieve(now.latest_charge).failure_code == code
    row = standin.ledger()[-1]
    assert (row["status"], row["object"], row["id"]) == (402, "payment_intent", intent.id)
    assert v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status == "succeeded"


def test_an_intent_waits_for_its_confirmation(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1.payment_intents
    intent = v1.create({"amount": 500, "currency": "jpy", "payment_method": "pm_card_mastercard"})
    assert intent.status == "requires_confirmation"
    assert v1.confirm(intent.id).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.confirm(intent.id)
    assert refusal.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 10**8}, "amount"),
        ({"currency": "zzz"}, "currency"),
        ({"customer": "cus_none"}, "customer"),
        ({"payment_method": "pm_card_none", "confirm": True}, "payment_method"),
        ({"confirm": True}, "payment_method"),
        ({"receipt_email": "a@example.com"}, "receipt_email"),
    ],
)
def test_an_intent_that_cannot_be_is_refused_by_name(
    stripe_client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_client.v1.payment_intents.create({"amount": 100, "currency": "usd"} | params)
    assert refusal.value.param == param
