from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.money import (
    CURRENCIES,
    MAX_MINOR,
    THREE_DECIMAL,
    TWO_DECIMAL,
    WHOLE_ONLY,
    ZERO_DECIMAL,
    Money,
    convert,
    decimals,
    parse_amount,
    parse_currency,
)
from plixo.domain.refusals import Refused

currencies = st.sampled_from(sorted(CURRENCIES))


def step(currency: str) -> int:
    return 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_ONLY else 1


def refused(text: str, currency: str = "USD", field: str = "amount") -> tuple[str, str, str]:
    with pytest.raises(Refused) as caught:
        parse_amount(text, currency, field=field)
    (problem,) = caught.value.problems
    return problem.field, problem.code, problem.message


@given(currencies, st.integers(1, MAX_MINOR))
def test_every_amount_stripe_takes_reads_back_as_it_is_shown(currency: str, minor: int) -> None:
    money = Money(max(minor - minor % step(currency), step(currency)), currency)
    shown, shown_currency = str(money).split(" ")
    assert shown_currency == currency
    assert parse_amount(shown, currency) == money
    assert parse_amount(shown.replace(",", ""), currency) == money
    assert parse_amount(f"  {shown}\n", currency) == money


@given(currencies, st.integers(1, MAX_MINOR))
def test_an_amount_in_major_units_has_exactly_the_currencys_decimals(currency: str, minor: int) -> None:
    major = Money(minor, currency).major
    assert major.same_quantum(Decimal(1).scaleb(-decimals(currency)))
    assert major * 10 ** decimals(currency) == minor


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(420_000, "USD"), "4,200.00 USD"),
        (Money(5, "EUR"), "0.05 EUR"),
        (Money(4_200, "JPY"), "4,200 JPY"),
        (Money(5_120, "KWD"), "5.120 KWD"),
        (Money(-123_456_789, "USD"), "-1,234,567.89 USD"),
    ],
)
def test_money_is_shown_in_major_units(money: Money, shown: str) -> None:
    assert str(money) == shown


@pytest.mark.parametrize(
    ("currency", "places"), [("JPY", 0), ("KRW", 0), ("USD", 2), ("ISK", 2), ("UGX", 2), ("KWD", 3)]
)
def test_stripes_list_decides_on_decimals(currency: str, places: int) -> None:
    assert decimals(currency) == places


def test_no_currency_is_on_two_lists() -> None:
    assert not ZERO_DECIMAL & TWO_DECIMAL
    assert not THREE_DECIMAL & (ZERO_DECIMAL | TWO_DECIMAL)
    assert WHOLE_ONLY < TWO_DECIMAL
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
    assert (len(ZERO_DECIMAL), len(THREE_DECIMAL), len(TWO_DECIMAL)) == (15, 5, 119)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("4200.00", 420_000), ("4200", 420_000), ("4,200.00", 420_000), ("1,234,567.8", 0), ("0.01", 1), ("007", 700)],
)
def test_an_amount_is_understood_as_people_write_it(text: str, minor: int) -> None:
    if minor:
        assert parse_amount(text, "USD") == Money(minor, "USD")
    else:
        assert refused(text)[1] == "amount_too_large"


@pytest.mark.parametrize(
    ("text", "currency", "code", "message"),
    [
        ("", "USD", "amount_missing", "Give the amount in USD, such as 4200.00."),
        (" \t", "JPY", "amount_missing", "Give the amount in JPY, such as 4200."),
        ("", "KWD", "amount_missing", "Give the amount in KWD, such as 4200.000."),
        ("0", "USD", "amount_not_positive", "The amount must be above zero."),
        ("0.00", "USD", "amount_not_positive", "The amount must be above zero."),
        ("-5", "USD", "amount_not_positive", "The amount must be above zero; a credit is never negative."),
        ("-0.01", "USD", "amount_not_positive", "The amount must be above zero; a credit is never negative."),
        ("NaN", "USD", "amount_not_a_number", "'NaN' is not an amount; write it like 4200.00."),
        ("inf", "JPY", "amount_not_a_number", "'inf' is not an amount; write it like 4200."),
        (str(10**18), "USD", "amount_too_large", "Stripe takes at most 999,999.99 USD at once; split the credit."),
        (str(10**18), "JPY", "amount_too_large", "Stripe takes at most 99,999,999 JPY at once; split the credit."),
        ("1.005", "USD", "amount_too_precise", "USD has 2 decimals; write it like 4200.00."),
        ("1.5", "JPY", "amount_too_precise", "JPY has no decimals; write it like 4200."),
        ("5.1234", "KWD", "amount_too_precise", "KWD has 3 decimals; write it like 4200.000."),
        ("5.123", "KWD", "amount_too_precise", "Stripe takes KWD with a last digit of 0, such as 5.120."),
        ("40.10", "ISK", "amount_too_precise", "Stripe takes ISK in whole units only, such as 4200."),
        ("40.01", "UGX", "amount_too_precise", "Stripe takes UGX in whole units only, such as 4200."),
        ("{{7*7}}", "USD", "amount_not_a_number", "'{{7*7}}' is not an amount; write it like 4200.00."),
        ("=cmd()", "USD", "amount_not_a_number", "'=cmd()' is not an amount; write it like 4200.00."),
        ("1\x000", "USD", "amount_not_a_number", "'1?0' is not an amount; write it like 4200.00."),
    ],
)
def test_a_bad_amount_is_refused_in_words_that_say_what_would_be_right(
    text: str, currency: str, code: str, message: str
) -> None:
    assert refused(text, currency) == ("amount", code, message)


@pytest.mark.parametrize(
    "text",
    "1e5 +5 1_000 0x10 $5 5USD 1,00 1,0000 ,100 1.000,00 1. .5 1..2 --5 -x - \u0663 \uff15 1.2.3 1\u202e5".split(" "),
)
def test_what_is_not_a_plain_number_is_no_amount(text: str) -> None:
    assert refused(text)[1] == "amount_not_a_number"


@pytest.mark.parametrize("text", ["1" * 2**20, "1." + "0" * 30 + "1", "0" * 29, "1." + "0" * 26 + "1"])
def test_more_digits_than_can_be_exact_are_refused_and_never_rounded(text: str) -> None:
    _, code, message = refused(text)
    assert code in {"amount_not_a_number", "amount_too_precise"}
    assert len(message) < 80


def test_the_longest_exact_text_is_understood() -> None:
    assert parse_amount("0" * 26 + "12", "USD") == Money(1_200, "USD")
    assert refused("0" * 27 + "12")[1] == "amount_not_a_number"


def test_a_long_text_is_shown_by_its_start() -> None:
    assert refused("x" * 20)[2].startswith(f"'{'x' * 20}' is")
    assert refused("x" * 21)[2].startswith(f"'{'x' * 20}…' is")


def test_the_largest_amount_is_taken_and_one_more_is_not() -> None:
    assert parse_amount("999999.99", "USD") == Money(MAX_MINOR, "USD")
    assert parse_amount("99999999", "JPY") == Money(MAX_MINOR, "JPY")
    assert refused("1000000.00")[1] == "amount_too_large"


def test_amounts_at_stripes_steps_are_taken() -> None:
    assert parse_amount("5.12", "KWD") == Money(5_120, "KWD")
    assert parse_amount("40", "ISK") == Money(4_000, "ISK")
    assert parse_amount("40.00", "UGX") == Money(4_000, "UGX")


def test_a_refusal_names_the_field_it_was_asked_about() -> None:
    for text in ("", "-1", "x", "0", "1.005", str(10**18)):
        assert refused(text, field="max")[0] == "max"
    assert refused("5.123", "KWD", field="max")[0] == "max"
    assert refused("5.01", "ISK", field="max")[0] == "max"
    with pytest.raises(Refused) as caught:
        parse_currency("", field="cur")
    assert caught.value.problems[0].field == "cur"


@given(st.text(max_size=40))
def test_whatever_is_typed_is_an_amount_or_a_refusal(text: str) -> None:
    try:
        money = parse_amount(text, "USD")
    except Refused as caught:
        refusal = caught
    else:
        assert 0 < money.minor <= MAX_MINOR
        assert money.major == Decimal(text.strip().replace(",", ""))
        return
    assert refusal.problems[0].field == "amount"
    assert refusal.problems[0].message.isprintable()


@pytest.mark.parametrize("text", ["usd", "USD", " Usd\n"])
def test_a_currency_is_known_however_it_is_typed(text: str) -> None:
    assert parse_currency(text) == "USD"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "currency_missing", "Give the currency as three letters, such as USD."),
        ("  ", "currency_missing", "Give the currency as three letters, such as USD."),
        ("XYZ", "currency_unknown", "'XYZ' is no currency that Stripe takes; USD is one."),
        ("us\x00d", "currency_unknown", "'US?D' is no currency that Stripe takes; USD is one."),
        ("x" * 2**20, "currency_unknown", f"'{'X' * 20}…' is no currency that Stripe takes; USD is one."),
    ],
)
def test_a_bad_currency_is_refused(text: str, code: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_currency(text)
    (problem,) = caught.value.problems
    assert (problem.field, problem.code, problem.message) == ("currency", code, message)


@pytest.mark.parametrize(
    ("money", "rate", "into", "expected"),
    [
        (Money(10_000, "EUR"), "1.08", "USD", 10_800),
        (Money(1_000, "JPY"), "0.0065", "USD", 650),
        (Money(1_000, "USD"), "150.5", "JPY", 1_505),
        (Money(100, "USD"), "0.125", "USD", 13),
        (Money(100, "USD"), "0.124", "USD", 13),
        (Money(1, "EUR"), "0.000000000001", "USD", 1),
        (Money(10_000_000, "EUR"), "0.000000000001", "USD", 1),
        (Money(1_000, "KWD"), "3.25", "USD", 325),
        (Money(100, "USD"), "0.3075", "KWD", 308),
    ],
)
def test_money_is_converted_with_its_decimals_and_rounded_up(money: Money, rate: str, into: str, expected: int) -> None:
    assert convert(money, Decimal(rate), into) == Money(expected, into)
