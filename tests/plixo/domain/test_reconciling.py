"""The close: both sides compared, whatever is on either."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.approval import State
from plixo.domain.effects import EffectKind
from plixo.domain.money import Money
from plixo.domain.reconciling import Granted, Holding, Where, compare

NOTE, BALANCE = EffectKind.CREDIT_NOTE, EffectKind.BALANCE_TRANSACTION
OURS = Granted("CR-A", "EF-CR-A", State.EXECUTED, NOTE, "cus_1", Money(42_000, "USD"), "cn_1")
THEIRS = Holding("EF-CR-A", "cn_1", NOTE, "cus_1", Money(42_000, "USD"))


def granted(number: int, minor: int, currency: str) -> tuple[Granted, Holding]:
    amount = Money(minor, currency)
    ours = Granted(f"CR-{number}", f"EF-CR-{number}", State.EXECUTED, BALANCE, "cus_1", amount, f"cbtxn_{number}")
    return ours, Holding(ours.effect_id, ours.object_id, BALANCE, "cus_1", amount)


PAIRS = st.lists(st.tuples(st.integers(1, 10**8), st.sampled_from(["USD", "EUR", "JPY"]))).map(
    lambda found: [granted(number, *one) for number, one in enumerate(found)]
)


@given(PAIRS)
def test_what_was_applied_as_approved_ties_to_nothing(pairs: list[tuple[Granted, Holding]]) -> None:
    close = compare([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
    assert close.ties
    assert all(one.approved_minor == one.held_minor for one in close.sums)
    assert sum(one.objects for one in close.sums) == len(pairs)


@given(PAIRS.filter(bool), st.data())
def test_whatever_is_missing_on_either_side_is_named_once(
    pairs: list[tuple[Granted, Holding]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(pairs) - 1))
    ours, theirs = [one for one, _ in pairs], [one for _, one in pairs]
    here = compare(ours, theirs[:place] + theirs[place + 1 :])
    there = compare(ours[:place] + ours[place + 1 :], theirs)
    assert [(one.where, one.effect_id) for one in here.differences] == [(Where.HERE_ONLY, ours[place].effect_id)]
    assert [(one.where, one.object_id) for one in there.differences] == [(Where.THERE_ONLY, theirs[place].object_id)]
    (lost,) = [one.difference for one in here.sums if one.difference.minor]
    (found,) = [one.difference for one in there.sums if one.difference.minor]
    assert (lost.minor, found.minor) == (-ours[place].amount.minor, ours[place].amount.minor)


@pytest.mark.parametrize(
    ("theirs", "why", "minor"),
    [
        (replace(THEIRS, amount=Money(42_001, "USD")), "420.01 USD in Stripe, 420.00 USD approved", 1),
        (replace(THEIRS, object_id="cn_2"), "here it is cn_1", 0),
        (replace(THEIRS, customer_id="cus_2"), "a credit note of cus_2, approved for cus_1", 0),
        (replace(THEIRS, kind=BALANCE), "a customer balance transaction of cus_1, approved for cus_1", 0),
        (replace(THEIRS, stands=False), "voided in Stripe since", -42_000),
    ],
)
def test_what_differs_is_said(theirs: Holding, why: str, minor: int) -> None:
    close = compare([OURS], [theirs])
    assert [(one.where, one.why) for one in close.differences] == [(Where.DIFFERENT, why)]
    assert [one.difference.minor for one in close.sums] == [minor]
    assert not close.ties


def test_a_second_object_of_the_same_effect_is_a_difference_and_counts() -> None:
    close = compare([OURS], [replace(THEIRS, object_id="cn_2"), THEIRS])
    assert [(one.object_id, one.why) for one in close.differences] == [("cn_2", "a second object of the same effect")]
    assert close.sums[0].difference == Money(42_000, "USD")


@pytest.mark.parametrize("state", [State.WAITING, State.REJECTED, State.NEEDS_ATTENTION, State.RETURNED])
def test_money_for_a_request_that_was_not_applied_is_a_difference(state: State) -> None:
    close = compare([replace(OURS, state=state, object_id="")], [THEIRS])
    assert close.differences[0].why == f"here it is {state.label.lower()}, and Stripe holds 420.00 USD"
    assert close.sums[0].difference == Money(42_000, "USD")
    assert compare([replace(OURS, state=state, object_id="")], []).ties


@pytest.mark.parametrize("theirs", [[], [THEIRS]])
def test_what_is_under_way_is_named_and_not_counted(theirs: list[Holding]) -> None:
    close = compare([replace(OURS, state=State.EXECUTING, object_id="")], theirs)
    assert (close.ties, close.under_way, close.sums) == (True, ("CR-A",), ())


def test_two_currencies_are_two_sums() -> None:
    (first, held), (second, _) = granted(1, 500, "JPY"), granted(2, 500, "USD")
    close = compare([first, second], [held])
    assert [(one.currency, str(one.difference)) for one in close.sums] == [("JPY", "0 JPY"), ("USD", "-5.00 USD")]
