"""Exchange rates as somebody typed them or a file says them: every bad one is named by its line, and none is taken."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from plixo.domain.money import parse_currency
from plixo.domain.refusals import Problem, Refused

COLUMNS: Final = ("currency", "rate", "as_of")
"""What a row says."""

MOST_RATES: Final = 500
"""Rows of a file: more than there are currencies."""

MOST_STEP: Final = 100
"""How many times what holds a new rate may be, or what part of it."""

_EXAMPLE: Final = "currency,rate,as_of"
_RATE: Final = re.compile(r"\d{1,6}(\.\d{1,12})?", re.ASCII)
_SLACK: Final = timedelta(minutes=5)
_SHOWN: Final = 40


@dataclass(frozen=True)
class Rate:
    """What one major unit of a currency is worth.

    Attributes:
        currency: ISO code in capitals.
        rate: In major units of the base currency, as text so that nothing is rounded.
        as_of: Since when that is known.
    """

    currency: str
    rate: str
    as_of: datetime

    def to_claims(self) -> dict[str, str]:
        """As plain data, to be kept."""
        return {"currency": self.currency, "rate": self.rate, "as_of": self.as_of.astimezone(UTC).isoformat()}

    @classmethod
    def from_claims(cls, plain: Mapping[str, str]) -> "Rate":
        """The rate that `to_claims` wrote."""
        return cls(plain["currency"], plain["rate"], datetime.fromisoformat(plain["as_of"]))


def read_rates(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file with the columns currency, rate and as_of, not yet checked.

    Raises:
        Refused: It is not such a file.
    """
    records = _records(text)
    header = [cell.strip().lower() for cell in next(records, [])]
    if sorted(header) != sorted(COLUMNS):
        raise Refused.one("rates", "header_invalid", f"The first line names the columns: {_EXAMPLE}.")
    return [dict(zip(header, (cell.strip() for cell in row), strict=False)) for row in records]


def parse_rates(rows: Sequence[Mapping[str, str]], base: str, now: datetime) -> tuple[Rate, ...]:
    """The rates, in the order of their currencies.

    Args:
        rows: Currency, rate and as_of of each as text.
        base: The base currency.
        now: No rate is known since later than this.

    Raises:
        Refused: There are none or too many, or some are wrong: each is named.
    """
    if not 0 < len(rows) <= MOST_RATES:
        raise Refused.one("rates", "rates_missing", f"Give 1 to {MOST_RATES} rates, as {_EXAMPLE}.")
    found: dict[str, Rate] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        try:
            rate = _rate(row, base, now)
            if rate.currency in found:
                raise Refused.one("currency", "currency_twice", f"{rate.currency} is there twice.")
            found[rate.currency] = rate
        except Refused as refused:
            problems += [_of_row(number, problem) for problem in refused.problems]
    if problems:
        raise Refused(*problems)
    return tuple(found[currency] for currency in sorted(found))


def check_steps(rates: Sequence[Rate], standing: Mapping[str, str]) -> None:
    """Refuse rates that are far from those that hold: a slipped point makes a big credit a small one.

    Args:
        rates: The new ones.
        standing: Those that hold, by currency.

    Raises:
        Refused: Each is named with what holds.
    """
    problems = [
        Problem(
            f"rates.{number}.rate",
            "rate_far_off",
            f"Rate {number}: {rate.currency} stands at {standing[rate.currency]}, {rate.rate} is more than "
            f"{MOST_STEP} times as far. Look at the point; if it is true, publish a rate between them first.",
        )
        for number, rate in enumerate(rates, start=1)
        if rate.currency in standing and _far(Decimal(rate.rate), Decimal(standing[rate.currency]))
    ]
    if problems:
        raise Refused(*problems)


def _far(new: Decimal, old: Decimal) -> bool:
    return max(new, old) > MOST_STEP * min(new, old)


def _records(text: str) -> Iterator[list[str]]:
    try:
        yield from (
            row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True) if any(row)
        )
    except csv.Error as broken:
        raise Refused.one(
            "rates", "file_broken", "It is no CSV: a quote is never closed, or stands inside a cell."
        ) from broken


def _of_row(number: int, problem: Problem) -> Problem:
    return Problem(f"rates.{number}.{problem.field}", problem.code, f"Rate {number}: {problem.message}")


def _rate(row: Mapping[str, str], base: str, now: datetime) -> Rate:
    currency = parse_currency(row.get("currency", ""))
    if currency == base:
        raise Refused.one("currency", "currency_is_base", f"{base} is the base currency itself; it needs no rate.")
    return Rate(currency, _value(row.get("rate", ""), base), _moment(row.get("as_of", ""), now))


def _value(text: str, base: str) -> str:
    plain = text.strip()
    if not _RATE.fullmatch(plain) or not Decimal(plain):
        words = f"The rate is how many {base} one unit is worth, above zero, such as 1.0842."
        raise Refused.one("rate", "rate_invalid", words)
    return plain


def _moment(text: str, now: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip()[:_SHOWN])
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = "as_of is the day of the rate, such as 2026-07-14, or a moment with its zone."
        raise Refused.one("as_of", "as_of_invalid", wanted) from None
    if found > now + _SLACK:
        raise Refused.one("as_of", "as_of_future", "as_of lies in the future; a rate is known before it is used.")
    return found
