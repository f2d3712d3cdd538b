"""Money as Stripe counts it: whole minor units and a currency, never a float.

Which currencies have no decimals or three is Stripe's list, not ISO's (https://docs.stripe.com/currencies).
"""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from plixo.domain.refusals import Refused

ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL: Final = frozenset("BHD JOD KWD OMR TND".split())
TWO_DECIMAL: Final = frozenset(
    (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP "
        "CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES "
        "KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
        "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD "
        "TZS UAH UGX USD UYU UZS WST XCD YER ZAR ZMW"
    ).split(),
)
WHOLE_ONLY: Final = frozenset("ISK UGX".split())
"""Currencies that Stripe counts with two decimals, for compatibility, but takes in whole units only."""
CURRENCIES: Final = ZERO_DECIMAL | TWO_DECIMAL | THREE_DECIMAL

MAX_MINOR: Final = 99_999_999
"""The largest amount Stripe takes in one charge or credit, in minor units (eight digits)."""

_GLANCE: Final = 20
_MAJOR: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
_MAX_TYPED: Final = 28
"""More characters than any amount needs; `Decimal` is exact up to as many digits, and rounds silently beyond."""


@dataclass(frozen=True, order=False)
class Money:
    """An amount in a currency.

    Attributes:
        minor: Whole minor units (cents for USD, yen for JPY, thousandths for KWD); may be negative.
        currency: ISO 4217 code in capitals, one of `CURRENCIES`.
    """

    minor: int
    currency: str

    def __str__(self) -> str:
        """The amount in major units with its currency, such as `4,200.00 USD`."""
        return f"{self.major:,} {self.currency}"

    @property
    def major(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals."""
        return Decimal(self.minor).scaleb(-decimals(self.currency))


def decimals(currency: str) -> int:
    """How many decimals Stripe gives a currency: 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def parse_currency(text: str, *, field: str = "currency") -> str:
    """The currency that was typed, in capitals.

    Raises:
        Refused: It is missing, or not a currency that Stripe takes.
    """
    code = text.strip().upper()
    if not code:
        raise Refused.one(field, "currency_missing", "Give the currency as three letters, such as USD.")
    if code not in CURRENCIES:
        raise Refused.one(field, "currency_unknown", f"{_shown(code)} is no currency that Stripe takes; USD is one.")
    return code


def parse_amount(text: str, currency: str, *, field: str = "amount") -> Money:
    """The amount that was typed in major units, such as `4200.00`; commas between thousands are understood.

    Raises:
        Refused: It is missing, not a plain number, not above zero, too large, or finer than the currency allows.
    """
    plain = text.strip(" \t\r\n")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain, re.ASCII):
        plain = plain.replace(",", "")
    if not plain:
        raise Refused.one(field, "amount_missing", f"Give the amount in {currency}, such as {_example(currency)}.")
    if plain.startswith("-") and _MAJOR.fullmatch(plain[1:]):
        raise Refused.one(field, "amount_not_positive", "The amount must be above zero; a credit is never negative.")
    if len(plain) > _MAX_TYPED or not _MAJOR.fullmatch(plain):
        raise Refused.one(
            field,
            "amount_not_a_number",
            f"{_shown(plain)} is not an amount; write it like {_example(currency)}.",
        )
    return _exact(Decimal(plain), currency, field)


def _exact(value: Decimal, currency: str, field: str) -> Money:
    places = decimals(currency)
    scaled = value.scaleb(places)
    if scaled != scaled.to_integral_value():
        wanted = f"{places} decimals" if places else "no decimals"
        raise Refused.one(field, "amount_too_precise", f"{currency} has {wanted}; write it like {_example(currency)}.")
    minor = int(scaled)
    if minor == 0:
        raise Refused.one(field, "amount_not_positive", "The amount must be above zero.")
    if minor > MAX_MINOR:
        most = Money(MAX_MINOR, currency)
        raise Refused.one(field, "amount_too_large", f"Stripe takes at most {most} at once; split the credit.")
    _check_step(minor, currency, field)
    return Money(minor, currency)


def _check_step(minor: int, currency: str, field: str) -> None:
    """Refuse what is exact in minor units, but finer than Stripe takes."""
    if currency in THREE_DECIMAL and minor % 10:
        raise Refused.one(
            field, "amount_too_precise", f"Stripe takes {currency} with a last digit of 0, such as 5.120."
        )
    if currency in WHOLE_ONLY and minor % 100:
        raise Refused.one(field, "amount_too_precise", f"Stripe takes {currency} in whole units only, such as 4200.")


def convert(money: Money, rate: Decimal, into: str) -> Money:
    """The same money in another currency as limits count it: rounded up, so that no credit comes to nothing.

    Args:
        money: What is converted.
        rate: How many major units of `into` one major unit of `money` is worth.
        into: The target currency.
    """
    major = money.major * rate
    minor = major.scaleb(decimals(into)).to_integral_value(rounding=ROUND_CEILING)
    return Money(max(int(minor), 1), into)


def _example(currency: str) -> str:
    return {0: "4200", 2: "4200.00", 3: "4200.000"}[decimals(currency)]


def _shown(text: str) -> str:
    """What was typed, made harmless and short enough to repeat."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text[:_GLANCE])
    return f"'{printable}…'" if len(text) > _GLANCE else f"'{printable}'"
