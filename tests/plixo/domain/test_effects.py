from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.effects import (
    CREDITABLE,
    Amounts,
    Effect,
    EffectKind,
    EffectState,
    TargetFacts,
    check_target,
    credit_params,
    plan,
    still_holds,
)
from plixo.domain.money import Money
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Problem, Refused

INVOICE = Target(TargetKind.INVOICE, "in_1", "open", "USD", "A-0001")
BALANCE = Target(TargetKind.CUSTOMER_BALANCE, "cus_1", "open", "USD")
CHANGE = ProposedChange("credit", "cus_1", Money(1_000, "USD"), INVOICE, Reason.SERVICE_OUTAGE, "inside", "outside")
TO_BALANCE = replace(CHANGE, target=BALANCE)


def facts(creditable: int | None = 5_000, remaining: int = 5_000, target: Target = INVOICE) -> TargetFacts:
    return TargetFacts(target, creditable, remaining)


def problems(change: ProposedChange, now: TargetFacts) -> tuple[Problem, ...]:
    with pytest.raises(Refused) as caught:
        check_target(change, now)
    return caught.value.problems


@pytest.mark.parametrize("status", ["open", "paid", "uncollectible"])
def test_a_credit_on_an_invoice_stripe_can_credit_is_taken(status: str) -> None:
    assert status in CREDITABLE
    check_target(CHANGE, facts(target=replace(INVOICE, status=status)))


def test_a_credit_of_all_that_is_left_is_taken_and_one_cent_more_is_not() -> None:
    check_target(CHANGE, facts(creditable=1_000))
    assert problems(CHANGE, facts(creditable=999)) == (
        Problem("amount", "amount_above_creditable", "At most 9.99 USD can still be credited on it."),
    )


@pytest.mark.parametrize(
    ("status", "number", "message"),
    [
        ("draft", "A-1", "Invoice A-1 is draft: finalise it first, or change it instead of crediting it."),
        (
            "void",
            "",
            "Invoice in_1 is void: it owes nothing any more; choose another invoice or credit the customer balance.",
        ),
        ("deleted", "A-1", "Invoice A-1 is deleted: choose one that is open or paid."),
    ],
)
def test_an_invoice_that_cannot_be_credited_is_named_with_what_would_do(status: str, number: str, message: str) -> None:
    now = facts(target=replace(INVOICE, status=status, number=number))
    assert problems(CHANGE, now) == (Problem("invoice", f"invoice_{status}", message),)


def test_another_currency_than_the_targets_is_refused() -> None:
    now = facts(target=replace(INVOICE, currency="EUR"), creditable=1)
    wanted = "The invoice is in EUR; ask for the credit in that currency."
    assert problems(CHANGE, now) == (Problem("currency", "currency_differs", wanted),)
    now = facts(None, 0, replace(BALANCE, currency="EUR"))
    wanted = "The customer balance is in EUR; ask for the credit in that currency."
    assert problems(TO_BALANCE, now) == (Problem("currency", "currency_differs", wanted),)


def test_everything_wrong_is_said_at_once() -> None:
    now = facts(creditable=0, target=replace(INVOICE, status="void"))
    assert [problem.field for problem in problems(CHANGE, now)] == ["invoice", "amount"]


def test_a_customer_balance_has_no_bound_and_no_status() -> None:
    check_target(TO_BALANCE, facts(None, 0, BALANCE))
    check_target(TO_BALANCE, facts(None, 0, replace(BALANCE, status="void")))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (facts(), ()),
        (facts(creditable=1_000), ()),
        (facts(creditable=None), ()),
        (facts(creditable=999), ("only 9.99 USD can still be credited on it",)),
        (facts(target=replace(INVOICE, status="void")), ("the invoice was open and is now void",)),
        (
            facts(creditable=0, target=replace(INVOICE, status="paid")),
            ("the invoice was open and is now paid", "only 0.00 USD can still be credited on it"),
        ),
    ],
)
def test_what_speaks_against_doing_it_now_is_said_in_words(now: TargetFacts, words: tuple[str, ...]) -> None:
    assert still_holds(CHANGE, now) == words


@pytest.mark.parametrize(
    ("amount", "remaining", "beyond"),
    [(1_000, 5_000, 0), (1_000, 1_000, 0), (1_000, 999, 1), (1_000, 0, 1_000), (600, 400, 200)],
)
def test_what_the_invoice_cannot_absorb_goes_to_the_balance_and_never_to_cash(
    amount: int, remaining: int, beyond: int
) -> None:
    kind, params = credit_params(CHANGE, amount, facts(remaining=remaining))
    assert kind is EffectKind.CREDIT_NOTE
    expected: dict[str, Any] = {"invoice": "in_1", "amount": amount, "reason": "product_unsatisfactory"}
    if beyond:
        expected["credit_amount"] = beyond
    assert params == expected | {"memo": "outside"}


@given(st.integers(1, 10**8), st.integers(0, 10**8))
def test_no_credit_note_ever_refunds(amount: int, remaining: int) -> None:
    _, params = credit_params(CHANGE, amount, facts(remaining=remaining))
    assert not params.keys() & {"refund", "refund_amount", "refunds", "out_of_band_amount"}
    assert params.get("credit_amount", 0) == max(0, amount - remaining)


def test_a_reason_without_a_word_of_stripes_and_an_empty_memo_are_left_out() -> None:
    plain = replace(CHANGE, reason=Reason.GOODWILL, memo="")
    assert credit_params(plain, 5, facts())[1] == {"invoice": "in_1", "amount": 5}


@pytest.mark.parametrize(("memo", "words"), [("outside", "outside"), ("", "Credit: service outage")])
def test_a_credit_to_the_balance_is_a_negative_transaction_in_stripes_lower_case(memo: str, words: str) -> None:
    kind, params = credit_params(replace(TO_BALANCE, memo=memo), 700, facts(None, 0, BALANCE))
    assert kind is EffectKind.BALANCE_TRANSACTION
    assert params == {"amount": -700, "currency": "usd", "description": words}


@pytest.mark.parametrize("change", [CHANGE, TO_BALANCE])
def test_the_note_for_colleagues_is_never_sent(change: ProposedChange) -> None:
    assert "inside" not in str(plan("CR-1", 0, change, 700, facts()).params)


def test_a_planned_effect_can_be_found_again_and_is_the_same_at_every_try() -> None:
    effect = plan("CR-1", 2, CHANGE, 700, facts())
    assert effect == Effect(
        effect_id="EF-CR-1",
        approval_id="CR-1",
        kind=EffectKind.CREDIT_NOTE,
        params={
            "invoice": "in_1",
            "amount": 700,
            "reason": "product_unsatisfactory",
            "memo": "outside",
            "metadata": {"plixo_effect": "EF-CR-1", "plixo_approval": "CR-1"},
        },
        key="plixo-CR-1-r2",
        amount=Money(700, "USD"),
        customer_id="cus_1",
        state=EffectState.INTENDED,
    )
    assert plan("CR-1", 2, CHANGE, 700, facts()) == effect
    assert plan("CR-1", 2, TO_BALANCE, 700, facts()).kind is EffectKind.BALANCE_TRANSACTION


def test_amounts_read_as_money() -> None:
    amounts = Amounts(900, 100, 1_000, "EUR")
    assert (amounts.net, amounts.tax, amounts.gross) == (Money(900, "EUR"), Money(100, "EUR"), Money(1_000, "EUR"))
