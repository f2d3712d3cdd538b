from datetime import UTC, datetime, timedelta

import pytest

from plixo.domain.rate_sheet import MOST_RATES, Rate, parse_rates, read_rates
from plixo.domain.refusals import Refused

NOW = datetime(2026, 8, 3, 14, 0, tzinfo=UTC)
GOOD = {"currency": "eur", "rate": "1.0842", "as_of": "2026-08-03"}


def refused(rows: list[dict[str, str]]) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refusal:
        parse_rates(rows, "USD", NOW)
    return [(problem.field, problem.code) for problem in refusal.value.problems]


def test_a_file_is_read_whatever_the_order_of_its_columns() -> None:
    rows = read_rates("\ufeffas_of, currency ,rate\r\n2026-08-03,JPY,0.0067\r\n\r\n2026-08-02,EUR, 1.0842\r\n")
    found = parse_rates(rows, "USD", NOW)
    assert [(rate.currency, rate.rate, rate.as_of.date().isoformat()) for rate in found] == [
        ("EUR", "1.0842", "2026-08-02"),
        ("JPY", "0.0067", "2026-08-03"),
    ]
    assert [Rate.from_claims(rate.to_claims()) for rate in found] == list(found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "header_invalid"),
        ("currency,rate\nEUR,1", "header_invalid"),
        ('currency,rate,as_of\nEUR,"1,2026-08-03', "file_broken"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_rates(text)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        ({"currency": "XXX"}, "currency", "currency_unknown"),
        ({"currency": "usd"}, "currency", "currency_is_base"),
        *[
            ({"rate": rate}, "rate", "rate_invalid")
            for rate in ("", "0", "0.000", "-1", "1e3", "NaN", "1,08", "1234567", "\u0661", "1.0000000000001")
        ],
        ({"as_of": "yesterday"}, "as_of", "as_of_invalid"),
        ({"as_of": ""}, "as_of", "as_of_invalid"),
        ({"as_of": "9999-12-31T23:59:59-23:59"}, "as_of", "as_of_invalid"),
        ({"as_of": (NOW + timedelta(minutes=6)).isoformat()}, "as_of", "as_of_future"),
    ],
)
def test_a_wrong_rate_is_named_by_its_row_and_field(changed: dict[str, str], field: str, code: str) -> None:
    assert refused([{**GOOD, "currency": "JPY"}, {**GOOD, **changed}]) == [(f"rates.2.{field}", code)]


def test_every_wrong_one_is_named_and_no_currency_comes_twice() -> None:
    found = refused([{}, GOOD, GOOD])
    assert found == [("rates.1.currency", "currency_missing"), ("rates.3.currency", "currency_twice")]


def test_none_and_too_many_are_refused() -> None:
    assert refused([]) == refused([GOOD] * (MOST_RATES + 1)) == [("rates", "rates_missing")]


def test_a_moment_of_right_now_is_taken_though_clocks_differ_a_little() -> None:
    assert parse_rates([{**GOOD, "as_of": (NOW + timedelta(minutes=4)).isoformat()}], "USD", NOW)
