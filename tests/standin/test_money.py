from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standin.errors import ApiError
from standin.money import CURRENCIES, THREE_DECIMAL, ZERO_DECIMAL, half_up, percent_of, proportion, shares


@pytest.mark.parametrize(
    ("value", "expected"), [("5/2", 3), ("-5/2", -3), ("7/3", 2), ("-7/3", -2), ("8/3", 3), ("0", 0), ("4", 4)]
)
def test_a_half_goes_away_from_zero(value: Any, expected: Any) -> None:
    assert half_up(Fraction(value)) == expected


@pytest.mark.parametrize(("value", "expected"), [("14", 10), ("15", 20), ("-15", -20), ("149/10", 10)])
def test_dinars_round_to_tens(value: Any, expected: Any) -> None:
    assert half_up(Fraction(value), "kwd") == expected


def test_a_percentage_is_what_is_written_not_a_binary_float() -> None:
    assert percent_of(50, 1.1, "usd") == 1
    assert percent_of(1_000_000, 0.00005, "usd") == 1


def test_a_share_of_nothing_is_nothing() -> None:
    assert proportion(100, 5, 0) == 0


@given(
    total=st.integers(-(10**8), 10**8),
    weights=st.lists(st.integers(0, 10**6), min_size=1).filter(any),
    currency=st.sampled_from(["usd", "jpy"]),
)
def test_shares_add_up_and_are_off_by_less_than_one(total: int, weights: list[int], currency: str) -> None:
    parts = shares(total, weights, currency)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(part - Fraction(total * weight, whole)) <= 1 for part, weight in zip(parts, weights, strict=True))


def test_the_kinds_of_currency_do_not_overlap() -> None:
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert {"usd", "eur", "jpy", "kwd"} <= CURRENCIES


def test_a_refusal_prints_as_its_message() -> None:
    assert str(ApiError(400, "No.")) == "No."
