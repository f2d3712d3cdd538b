import asyncio
import json
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
import stripe

from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.effects import Amounts, Effect, EffectKind, check_target, plan
from plixo.domain.money import Money
from plixo.domain.payments import CallConflict, CallRefused, OutcomeUnknown, PaymentsError, RateLimited, Unavailable
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Refused
from plixo.ports import Payments
from plixo.stripe.gateway import StripeGateway

NOTES = "/v1/credit_notes"
JSON_200 = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"

APPROVALS = iter(range(10**6))


def on_invoice(invoice: str, customer: str, minor: int, currency: str = "USD", **fields: Any) -> ProposedChange:
    target = Target(TargetKind.INVOICE, invoice, "open", currency)
    return change(target, customer, Money(minor, currency), **fields)


def on_balance(customer: str, minor: int, currency: str = "USD", **fields: Any) -> ProposedChange:
    target = Target(TargetKind.CUSTOMER_BALANCE, customer, "open", currency)
    return change(target, customer, Money(minor, currency), **fields)


def change(target: Target, customer: str, amount: Money, **fields: Any) -> ProposedChange:
    given = {"reason": Reason.SERVICE_OUTAGE, "memo": "Credit for the outage", **fields}
    return ProposedChange(kind="credit", customer_id=customer, amount=amount, target=target, **given)


async def planned(gateway: StripeGateway, wanted: ProposedChange) -> Effect:
    """The effect that approval of the whole change would end in."""
    facts = await gateway.facts(wanted)
    assert facts is not None
    return plan(f"CR-{next(APPROVALS)}", 1, wanted, wanted.amount.minor, facts)


@pytest.fixture
async def credit(standin: Any, gateway: StripeGateway) -> Effect:
    """A credit of 42.00 on an open invoice over 1,000.00."""
    customer = standin.customer()
    return await planned(gateway, on_invoice(standin.invoice(customer, 100_000), customer, 4_200))


# Reading


def test_the_gateway_is_what_the_port_asks_for() -> None:
    gateway: Payments = StripeGateway.open(api_key="sk_test_x", base_url=None)
    assert isinstance(gateway, StripeGateway)


async def test_a_customer_is_read_with_its_currency_in_capitals(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer(name="Example Studio", email="ap@studio.example.com")
    found = await gateway.customer(customer)
    assert found is not None
    assert (found.name, found.email, found.currency) == ("Example Studio", "ap@studio.example.com", None)
    standin.invoice(customer, 550_000, currency="jpy")
    found = await gateway.customer(customer)
    assert found is not None
    assert found.currency == "JPY"


async def test_an_invoice_is_read_with_its_tax_and_what_is_left(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    invoice = standin.invoice(customer, 100_000, tax="19")
    found = await gateway.invoice(invoice)
    assert found is not None
    assert (found.invoice_id, found.customer_id, found.status, found.currency) == (invoice, customer, "open", "USD")
    assert (found.total_minor, found.tax_minor, found.remaining_minor) == (119_000, 19_000, 119_000)
    assert found.creditable == Money(119_000, "USD")
    assert found.number
    assert found.created.tzinfo is not None


@pytest.mark.parametrize("missing", ["in_ThereIsNone", "", "..", "search", "in_1/../../customers", "cus_1", "in_\0"])
async def test_an_invoice_that_is_not_there_is_none(missing: str, gateway: StripeGateway) -> None:
    assert await gateway.invoice(missing) is None


@pytest.mark.parametrize("missing", ["cus_ThereIsNone", "", "..", "search", "in_1", "cus_" + "x" * 5_000])
async def test_a_customer_that_is_not_there_is_none(missing: str, gateway: StripeGateway) -> None:
    assert await gateway.customer(missing) is None


async def test_an_invoice_comes_with_its_customer_by_one_call(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer(name="Example Clinics")
    invoice = standin.invoice(customer, 100_000)
    standin.fault("delay", nth=10**12)
    assert await gateway.billed(invoice) == (await gateway.invoice(invoice), await gateway.customer(customer))
    assert standin.fault_calls() == [3], "one for both, and one for each that it is compared with"


@pytest.mark.parametrize("missing", ["in_ThereIsNone", "", "in_../customers", "cus_1"])
async def test_an_invoice_that_is_not_there_has_no_customer(missing: str, gateway: StripeGateway) -> None:
    assert await gateway.billed(missing) is None


async def test_an_invoice_of_a_deleted_customer_comes_without_one(
    standin: Any, gateway: StripeGateway, answering: Callable[..., Any], open_gateway: Any
) -> None:
    invoice = standin.call("GET", f"/v1/invoices/{standin.invoice(standin.customer(), 100_000)}")
    gone = {**invoice, "customer": {"id": invoice["customer"], "object": "customer", "deleted": True}}
    server = await answering(JSON_200 + b"\r\n" + json.dumps(gone).encode())
    found = await (await open_gateway(server.url)).billed(invoice["id"])
    assert found == (await gateway.invoice(invoice["id"]), None)


async def test_the_newest_invoices_are_listed_beyond_one_page(standin: Any, gateway: StripeGateway) -> None:
    customer, other = standin.customer(), standin.customer()
    invoices = [standin.post("/v1/invoices", customer=customer, currency="usd")["id"] for _ in range(103)]
    standin.invoice(other, 1_000)
    found = await gateway.invoices(customer, limit=102)
    assert [invoice.invoice_id for invoice in found] == invoices[:0:-1]
    assert {invoice.customer_id for invoice in await gateway.invoices(limit=104)} >= {customer, other}


async def test_the_newest_customers_are_listed_up_to_the_limit(standin: Any, gateway: StripeGateway) -> None:
    standin.customer(name="Example Foods")
    standin.customer(name="Example Press")
    assert [customer.name for customer in await gateway.customers(limit=2)] == ["Example Press", "Example Foods"]


# Facts


async def test_the_facts_of_an_invoice_name_what_is_owed_and_what_can_be_credited(
    standin: Any,
    gateway: StripeGateway,
) -> None:
    customer = standin.customer()
    invoice = standin.invoice(customer, 10_000)
    standin.post(NOTES, invoice=invoice, amount=2_500)
    facts = await gateway.facts(on_invoice(invoice, customer, 4_200))
    assert facts is not None
    assert (facts.target.kind, facts.target.target_id, facts.target.status) == (TargetKind.INVOICE, invoice, "open")
    assert facts.target.currency == "USD"
    assert facts.target.number
    assert (facts.creditable_minor, facts.remaining_minor) == (7_500, 7_500)


async def test_what_was_credited_after_payment_is_no_longer_creditable(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    invoice = standin.invoice(customer, 10_000)
    standin.post(NOTES, invoice=invoice, amount=1_000)
    standin.post(f"/v1/invoices/{invoice}/pay", paid_out_of_band="true")
    standin.post(NOTES, invoice=invoice, amount=2_000, credit_amount=2_000)
    facts = await gateway.facts(on_invoice(invoice, customer, 4_200))
    assert facts is not None
    assert (facts.target.status, facts.creditable_minor, facts.remaining_minor) == ("paid", 7_000, 0)


@pytest.mark.parametrize("status", ["draft", "void"])
async def test_the_facts_show_a_status_that_takes_no_credit(
    status: str,
    standin: Any,
    gateway: StripeGateway,
) -> None:
    customer = standin.customer()
    wanted = on_invoice(standin.invoice(customer, 10_000, status=status), customer, 4_200)
    facts = await gateway.facts(wanted)
    assert facts is not None
    with pytest.raises(Refused) as refused:
        check_target(wanted, facts)
    assert refused.value.code == f"invoice_{status}"


async def test_the_invoice_of_another_customer_has_no_facts(standin: Any, gateway: StripeGateway) -> None:
    customer, other = standin.customer(), standin.customer()
    invoice = standin.invoice(customer, 10_000)
    assert await gateway.facts(on_invoice(invoice, other, 4_200)) is None


async def test_a_balance_takes_the_changes_currency_until_the_customer_has_one(
    standin: Any,
    gateway: StripeGateway,
) -> None:
    customer = standin.customer()
    facts = await gateway.facts(on_balance(customer, 4_200, "EUR"))
    assert facts is not None
    assert facts.target == Target(TargetKind.CUSTOMER_BALANCE, customer, "open", "EUR")
    assert (facts.creditable_minor, facts.remaining_minor) == (None, 0)
    standin.invoice(customer, 1_000, currency="usd")
    facts = await gateway.facts(on_balance(customer, 4_200, "EUR"))
    assert facts is not None
    assert facts.target.currency == "USD"


async def test_the_balance_of_nobody_has_no_facts(gateway: StripeGateway) -> None:
    assert await gateway.facts(on_balance("cus_ThereIsNone", 4_200)) is None


async def test_a_deleted_customer_is_none_and_has_no_facts(answering: Callable[..., Any], open_gateway: Any) -> None:
    server = await answering(JSON_200 + b'\r\n{"id": "cus_1", "object": "customer", "deleted": true}')
    gateway = await open_gateway(server.url)
    assert await gateway.customer("cus_1") is None
    assert await gateway.facts(on_balance("cus_1", 4_200)) is None


# Preview


@pytest.mark.parametrize("status", ["open", "paid"])
async def test_the_preview_is_what_is_then_made(status: str, standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    wanted = on_invoice(standin.invoice(customer, 100_000, tax="8", status=status), customer, 10_800)
    facts = await gateway.facts(wanted)
    assert facts is not None
    previewed = await gateway.preview(wanted, facts)
    assert previewed == Amounts(10_000, 800, 10_800, "USD")
    made = await gateway.apply(await planned(gateway, wanted))
    assert made.amounts == previewed


async def test_the_preview_of_a_credit_to_the_balance_has_no_tax(standin: Any, gateway: StripeGateway) -> None:
    wanted = on_balance(standin.customer(), 5_120, "KWD")
    facts = await gateway.facts(wanted)
    assert facts is not None
    assert await gateway.preview(wanted, facts) == Amounts(5_120, 0, 5_120, "KWD")


async def test_a_preview_writes_nothing(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    wanted = on_invoice(standin.invoice(customer, 10_000), customer, 4_200)
    facts = await gateway.facts(wanted)
    assert facts is not None
    await gateway.preview(wanted, facts)
    assert await gateway.facts(wanted) == facts
    assert standin.call("GET", NOTES, invoice=wanted.target.target_id)["data"] == []


async def test_a_preview_of_too_much_is_refused_in_stripes_words(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    wanted = on_invoice(standin.invoice(customer, 10_000), customer, 10_001)
    facts = await gateway.facts(wanted)
    assert facts is not None
    with pytest.raises(CallRefused, match="10001"):
        await gateway.preview(wanted, facts)


# Carrying out


async def test_a_credit_note_is_made_with_exactly_the_effects_parameters(
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    made = await gateway.apply(credit)
    assert made.kind is EffectKind.CREDIT_NOTE
    note = standin.call("GET", f"{NOTES}/{made.object_id}")
    assert {name: note[name] for name in credit.params} == credit.params
    assert note["total"] == made.amounts.gross_minor == 4_200
    (row,) = standin.made("credit_note", credit.effect_id)
    assert row["idempotency_key"] == credit.key


async def test_what_a_paid_invoice_cannot_absorb_goes_to_the_balance(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    wanted = on_invoice(standin.invoice(customer, 10_000, status="paid"), customer, 4_200)
    await gateway.apply(await planned(gateway, wanted))
    assert standin.call("GET", f"/v1/customers/{customer}")["balance"] == -4_200


@pytest.mark.parametrize(("minor", "currency"), [(4_200, "USD"), (550_000, "JPY"), (5_120, "KWD")])
async def test_a_credit_to_the_balance_keeps_its_minor_units(
    minor: int,
    currency: str,
    standin: Any,
    gateway: StripeGateway,
) -> None:
    customer = standin.customer()
    made = await gateway.apply(await planned(gateway, on_balance(customer, minor, currency)))
    assert made.kind is EffectKind.BALANCE_TRANSACTION
    assert made.amounts == Amounts(minor, 0, minor, currency)
    entry = standin.call("GET", f"/v1/customers/{customer}/balance_transactions/{made.object_id}")
    assert (entry["amount"], entry["currency"]) == (-minor, currency.lower())


@pytest.mark.parametrize(("minor", "currency"), [(110_000, "JPY"), (5_120, "KWD")])
async def test_an_invoice_in_a_currency_without_two_decimals_is_credited(
    minor: int,
    currency: str,
    standin: Any,
    gateway: StripeGateway,
) -> None:
    customer = standin.customer()
    invoice = standin.invoice(customer, 550_000, currency=currency.lower())
    made = await gateway.apply(await planned(gateway, on_invoice(invoice, customer, minor, currency)))
    assert made.amounts == Amounts(minor, 0, minor, currency)
    found = await gateway.invoice(invoice)
    assert found is not None
    assert found.creditable == Money(550_000 - minor, currency)


async def test_a_read_only_gateway_refuses_to_write_before_any_call(
    standin: Any,
    open_gateway: Any,
    credit: Effect,
) -> None:
    standin.fault("500", "POST", "*")
    gateway = await open_gateway(standin.url, read_only=True)
    with pytest.raises(CallRefused) as refused:
        await gateway.apply(credit)
    assert refused.value.code == "read_only"
    assert standin.fault_calls() == [0]
    assert await gateway.find(credit) is None


async def test_an_effect_without_a_key_is_refused_before_any_call(
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault("500", "POST", "*")
    with pytest.raises(CallRefused) as refused:
        await gateway.apply(replace(credit, key=""))
    assert refused.value.code == "no_idempotency_key"
    assert standin.fault_calls() == [0]


async def test_asking_twice_with_the_same_key_makes_one(standin: Any, gateway: StripeGateway, credit: Effect) -> None:
    first = await gateway.apply(credit)
    assert await gateway.apply(credit) == first
    assert len(standin.made("credit_note", credit.effect_id)) == 1


async def test_a_second_try_while_the_first_is_under_way_is_a_conflict_and_makes_nothing(
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault("slow", "POST", NOTES, times=1, seconds=0.5)
    answers = await asyncio.gather(gateway.apply(credit), gateway.apply(credit), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["CallConflict", "StripeObject"]
    assert len(standin.made("credit_note", credit.effect_id)) == 1


# Exactly once


@pytest.mark.parametrize("fault", ["reset_after", "done_500", "cut_body"])
async def test_done_and_then_lost_is_unknown_and_asked_again_is_made_once(
    fault: str,
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault(fault, "POST", NOTES, times=1)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    (row,) = standin.made("credit_note", credit.effect_id)
    made = await gateway.apply(credit)
    assert made.object_id == row["id"]
    assert len(standin.made("credit_note", credit.effect_id)) == 1


async def test_a_balance_credit_done_and_then_lost_is_made_once(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    effect = await planned(gateway, on_balance(customer, 4_200))
    standin.fault("reset_after", "POST", "/v1/customers/*", times=1)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(effect)
    await gateway.apply(effect)
    assert standin.call("GET", f"/v1/customers/{customer}")["balance"] == -4_200


async def test_an_answer_after_the_deadline_is_unknown_and_asked_again_is_made_once(
    standin: Any,
    open_gateway: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    impatient = await open_gateway(standin.url, timeout=0.3)
    standin.fault("delay", "POST", NOTES, times=1, seconds=0.6)
    with pytest.raises(OutcomeUnknown):
        await impatient.apply(credit)
    await gateway.apply(credit)
    assert len(standin.made("credit_note", credit.effect_id)) == 1


async def test_what_an_earlier_try_made_is_found_when_the_key_is_long_forgotten(
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault("reset_after", "POST", NOTES, times=1)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    standin.advance(25 * 3_600)
    (row,) = standin.made("credit_note", credit.effect_id)
    found = await gateway.find(credit)
    assert found is not None
    assert found.object_id == row["id"]
    assert found.amounts == Amounts(4_200, 0, 4_200, "USD")


async def test_what_was_never_made_is_not_found(standin: Any, gateway: StripeGateway, credit: Effect) -> None:
    standin.fault("reset_before", "POST", NOTES, times=1)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    assert await gateway.find(credit) is None


async def test_another_effects_note_on_the_same_invoice_is_not_found(gateway: StripeGateway, credit: Effect) -> None:
    await gateway.apply(credit)
    assert await gateway.find(replace(credit, effect_id="EF-CR-other")) is None


async def test_a_credit_to_the_balance_is_found_behind_a_page_of_others(standin: Any, gateway: StripeGateway) -> None:
    customer = standin.customer()
    effect = await planned(gateway, on_balance(customer, 4_200))
    assert await gateway.find(effect) is None
    made = await gateway.apply(effect)
    for _ in range(101):
        standin.post(f"/v1/customers/{customer}/balance_transactions", amount=-100, currency="usd")
    assert await gateway.find(effect) == made


async def test_a_note_that_was_voided_since_is_still_found(
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    made = await gateway.apply(credit)
    standin.post(f"{NOTES}/{made.object_id}/void")
    assert await gateway.find(credit) == made


async def test_a_search_that_cannot_be_told_fails_instead_of_finding_nothing(
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    with pytest.raises(CallRefused):
        await gateway.find(replace(credit, kind=EffectKind.BALANCE_TRANSACTION, customer_id="cus_ThereIsNone"))


# Failures


UNKNOWN_ON_WRITES = ["500", "502_html", "503", "reset_before", "reset_after", "done_500", "cut_body"]


@pytest.mark.parametrize("fault", UNKNOWN_ON_WRITES)
async def test_a_write_lost_on_the_way_is_unknown(
    fault: str,
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault(fault, "POST", NOTES)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    assert standin.fault_calls() == [1], "the SDK must not try again by itself"


@pytest.mark.parametrize("fault", UNKNOWN_ON_WRITES)
async def test_a_read_lost_on_the_way_is_unavailable(fault: str, standin: Any, gateway: StripeGateway) -> None:
    invoice = standin.invoice(standin.customer(), 1_000)
    standin.fault(fault, "GET", "/v1/*")
    with pytest.raises(Unavailable):
        await gateway.invoice(invoice)
    assert standin.fault_calls() == [1], "the SDK must not try again by itself"


async def test_a_read_without_an_answer_in_time_is_unavailable(standin: Any, open_gateway: Any) -> None:
    gateway = await open_gateway(standin.url, timeout=0.3)
    standin.fault("delay", "GET", "/v1/*", seconds=0.6)
    with pytest.raises(Unavailable):
        await gateway.customers()


async def test_where_nobody_listens_nothing_was_sent(open_gateway: Any, credit: Effect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gateway = await open_gateway(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unavailable):
            await gateway.apply(credit)


@pytest.mark.parametrize(("said", "heard"), [(7, 7.0), (None, None)])
async def test_too_many_calls_are_told_with_the_wait_stripe_asks_for(
    said: int | None,
    heard: float | None,
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault("429", **({} if said is None else {"retry_after": said}))
    with pytest.raises(RateLimited) as written:
        await gateway.apply(credit)
    with pytest.raises(RateLimited) as read:
        await gateway.customers()
    assert written.value.retry_after == read.value.retry_after == heard
    assert standin.made("credit_note", credit.effect_id) == []


@pytest.mark.parametrize("said", ["soon", "nan", "inf", "-3", "Sun, 22 Nov 2026 10:00:00 GMT", ""])
async def test_a_wait_that_is_no_number_of_seconds_is_none(
    said: str,
    answering: Callable[..., Any],
    open_gateway: Any,
) -> None:
    body = b'{"error": {"type": "invalid_request_error", "message": "slow down"}}'
    head = f"HTTP/1.1 429 Too Many Requests\r\nretry-after: {said}\r\nconnection: close\r\n\r\n"
    gateway = await open_gateway((await answering(head.encode() + body)).url)
    with pytest.raises(RateLimited) as limited:
        await gateway.customers()
    assert limited.value.retry_after is None


async def test_too_many_calls_in_a_proxys_words_are_told_with_its_wait(
    answering: Callable[..., Any],
    open_gateway: Any,
) -> None:
    page = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nconnection: close\r\n\r\n<html>slow down</html>"
    gateway = await open_gateway((await answering(page)).url)
    with pytest.raises(RateLimited) as limited:
        await gateway.customers()
    assert limited.value.retry_after == 3
    assert "<html>" not in str(limited.value)


@pytest.mark.parametrize("fault", ["409", "lock_timeout"])
async def test_a_key_in_use_or_a_locked_object_is_a_conflict(
    fault: str,
    standin: Any,
    gateway: StripeGateway,
    credit: Effect,
) -> None:
    standin.fault(fault)
    with pytest.raises(CallConflict):
        await gateway.apply(credit)
    with pytest.raises(CallConflict):
        await gateway.customers()


async def test_a_key_used_again_with_other_parameters_is_refused(gateway: StripeGateway, credit: Effect) -> None:
    await gateway.apply(credit)
    other = replace(credit, params={**credit.params, "amount": 4_300})
    with pytest.raises(CallRefused) as refused:
        await gateway.apply(other)
    assert refused.value.code == "idempotency_error"


async def test_a_reused_key_is_told_as_such_whatever_code_comes_with_it(
    answering: Callable[..., Any],
    open_gateway: Any,
    credit: Effect,
) -> None:
    body = b'{"error": {"type": "idempotency_error", "code": "some_code", "message": "Keys are for one request."}}'
    gateway = await open_gateway((await answering(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n" + body)).url)
    with pytest.raises(CallRefused) as refused:
        await gateway.apply(credit)
    assert refused.value.code == "idempotency_error"


async def test_a_refusal_carries_stripes_code_and_words(gateway: StripeGateway, credit: Effect) -> None:
    with pytest.raises(CallRefused, match="in_ThereIsNone") as refused:
        await gateway.apply(replace(credit, params={**credit.params, "invoice": "in_ThereIsNone"}))
    assert refused.value.code == "resource_missing"


async def test_more_than_the_invoice_holds_is_refused(standin: Any, gateway: StripeGateway, credit: Effect) -> None:
    with pytest.raises(CallRefused):
        await gateway.apply(replace(credit, params={**credit.params, "amount": 100_001}))
    assert standin.made("credit_note", credit.effect_id) == []


@pytest.mark.parametrize(
    ("key", "code"),
    [("rk_test_plixo_standin", "permission_error"), ("sk_test_ofNobody", "authentication_error")],
)
async def test_a_key_without_the_right_is_refused_and_never_repeated(
    key: str,
    code: str,
    standin: Any,
    open_gateway: Any,
    credit: Effect,
) -> None:
    gateway = await open_gateway(standin.url, api_key=key)
    with pytest.raises(CallRefused) as refused:
        await gateway.apply(credit)
    assert refused.value.code == code
    assert standin.made("credit_note", credit.effect_id) == []
    assert key not in everything_said(refused.value)


@pytest.mark.asvs("16.2.5")
async def test_a_key_that_stripe_repeats_is_taken_out_of_the_message(
    answering: Callable[..., Any],
    open_gateway: Any,
) -> None:
    body = b'{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_live_secret"}}'
    head = b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n"
    gateway = await open_gateway((await answering(head + body)).url, api_key="sk_live_secret")
    with pytest.raises(CallRefused, match="Invalid API Key provided: …") as refused:
        await gateway.customers()
    assert "sk_live_secret" not in everything_said(refused.value)


@pytest.mark.asvs("16.2.5")
@pytest.mark.parametrize("fault", [*UNKNOWN_ON_WRITES, "429", "409"])
async def test_no_failure_speaks_the_key(fault: str, standin: Any, gateway: StripeGateway, credit: Effect) -> None:
    standin.fault(fault)
    for call in (gateway.apply(credit), gateway.find(credit)):
        with pytest.raises(PaymentsError) as failed:
            await call
        assert "plixo_standin" not in everything_said(failed.value)


def everything_said(failure: BaseException) -> str:
    """The message and all that travels along with it: arguments, attributes, and the causes."""
    parts = [str(failure), repr(failure.args), repr(vars(failure))]
    if failure.__cause__ is not None:
        parts.append(everything_said(failure.__cause__))
    return "\n".join(parts)


@pytest.mark.parametrize(
    "answer",
    [
        JSON_200 + b'\r\n{"id": "apr_1", "object": "approval_request"}',
        JSON_200 + b'\r\n{"id": "cn_1", "object": "credit_note"}',
        JSON_200 + b"\r\n[]",
        JSON_200 + b'\r\n"made"',
        JSON_200 + b"\r\n{",
        JSON_200 + b"content-length: 1000\r\n\r\n{}",
        JSON_200 + b"\r\n",
        b"",
        b"HTTP/1.1 302 Found\r\nlocation: https://example.com/\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n<html>no such page</html>",
        b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n{}",
        b"\x00\xff\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_understood_leaves_a_write_unknown_and_a_read_unavailable(
    answer: bytes,
    answering: Callable[..., Any],
    open_gateway: Any,
    credit: Effect,
) -> None:
    gateway = await open_gateway((await answering(answer)).url)
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    for read in (gateway.find(credit), gateway.customers(), gateway.invoice("in_1"), gateway.customer("cus_1")):
        with pytest.raises(Unavailable):
            await read


async def test_an_answer_that_trickles_in_ends_at_the_deadline(
    answering: Callable[..., Any],
    open_gateway: Any,
    credit: Effect,
) -> None:
    server = await answering(JSON_200 + b"\r\n" + b" " * 100, drip_seconds=0.05)
    gateway = await open_gateway(server.url, timeout=0.4)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown):
        await gateway.apply(credit)
    assert asyncio.get_running_loop().time() - begun < 2


# The line


async def test_every_result_is_reported(standin: Any, open_gateway: Any, credit: Effect) -> None:
    results: list[tuple[str, str]] = []
    gateway = await open_gateway(standin.url, on_result=lambda operation, result: results.append((operation, result)))
    await gateway.customers(limit=1)
    await gateway.invoice("in_ThereIsNone")
    for fault in ("500", "409", "429"):
        standin.fault(fault, "POST", NOTES, times=1)
        with pytest.raises(PaymentsError):
            await gateway.apply(credit)
        standin.heal()
    standin.fault("500", "GET", NOTES, times=1)
    with pytest.raises(Unavailable):
        await gateway.find(credit)
    await gateway.apply(credit)
    assert results == [
        ("customers.list", "ok"),
        ("invoices.retrieve", "refused"),
        ("credit_notes.create", "outcome_unknown"),
        ("credit_notes.create", "conflict"),
        ("credit_notes.create", "rate_limited"),
        ("credit_notes.list", "unavailable"),
        ("credit_notes.create", "ok"),
    ]


async def test_calls_beyond_the_rate_are_not_sent(standin: Any, open_gateway: Any) -> None:
    results: list[str] = []
    gateway = await open_gateway(
        standin.url,
        timeout=1.0,
        calls_per_second=0.1,
        on_result=lambda _, result: results.append(result),
    )
    for _ in range(5):
        await gateway.customers(limit=1)
    with pytest.raises(RateLimited) as limited:
        await gateway.customers(limit=1)
    assert limited.value.retry_after == pytest.approx(10, abs=1)
    assert results == ["ok"] * 5


async def test_nothing_is_told_about_earlier_calls(answering: Callable[..., Any], open_gateway: Any) -> None:
    server = await answering(JSON_200 + b'Request-Id: req_1\r\n\r\n{"object": "list", "data": [], "has_more": false}')
    gateway = await open_gateway(server.url)
    await gateway.customers()
    await gateway.customers()
    assert len(server.requests) == 2
    assert stripe.enable_telemetry is False
    assert b"telemetry" not in b"".join(server.requests).lower()


@pytest.mark.parametrize("key", ["", "sk_test_x\n", "sk test", "sk_test_ü"])
def test_a_key_that_can_be_none_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="Stripe key"):
        StripeGateway.open(api_key=key, base_url=None)


class Searches:
    """Stands first among Python's finders: what is not loaded yet is asked for here."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.names.append(name)


async def test_a_call_looks_for_no_module(
    standin: Any, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = standin.customer()
    await gateway.customer(customer)  # whatever is loaded at the first call
    searches = Searches()
    monkeypatch.setattr(sys, "meta_path", [searches, *sys.meta_path])
    await gateway.customer(customer)
    assert searches.names == []


async def test_single_answers_are_read_as_plain_json(
    standin: Any, gateway: StripeGateway, credit: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def builds(*_given: object, **_options: object) -> NoReturn:
        raise AssertionError("the SDK builds an object")

    monkeypatch.setattr(stripe.StripeObject, "_refresh_from", builds)
    assert await gateway.customer(credit.customer_id)
    assert await gateway.invoice(credit.params["invoice"])
    made = await gateway.apply(credit)
    assert [row["id"] for row in standin.made("credit_note", credit.effect_id)] == [made.object_id]
