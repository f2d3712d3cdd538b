"""Decimals of currencies as Stripe counts them: the checker's own list."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Final

_NONE: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE: Final = frozenset("BHD JOD KWD OMR TND".split())


def decimals(currency: str) -> int:
    """0, 2 or 3."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def shown(minor: int, currency: str) -> str:
    """In major units, such as `4,200.00 USD`."""
    return f"{Decimal(minor).scaleb(-decimals(currency)):,} {currency}"


def converted(minor: int, currency: str, rate: str, base: str, *, up: bool) -> int:
    """The same money in minor units of the base currency: rounded up and at least 1, or half up as it once was."""
    major = Decimal(minor).scaleb(-decimals(currency)) * Decimal(rate)
    exact = major.scaleb(decimals(base))
    if up:
        return max(int(exact.to_integral_value(rounding=ROUND_CEILING)), 1)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
