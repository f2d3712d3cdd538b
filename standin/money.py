"""Amounts in minor units: currencies, half-up rounding, shares that add up."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from standin.errors import bad_param

LARGEST_AMOUNT = 99_999_999
"""Stripe takes amounts of up to eight digits."""

MOST_PLACES = 12

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
TWO_DECIMAL = frozenset(
    """aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc
    cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd kes kgs khr
    kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php
    pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std svc szl thb tjs top try ttd twd tzs uah usd uyu uzs
    wst yer zar zmw""".split()
)
CURRENCIES = ZERO_DECIMAL | TWO_DECIMAL | THREE_DECIMAL


def known_currency(currency: str, *, param: str = "currency") -> str:
    """The currency in lower case.

    Raises:
        ApiError: It is none that Stripe takes.
    """
    lowered = currency.lower()
    if lowered not in CURRENCIES:
        raise bad_param(param, f"Invalid currency: {currency}.")
    return lowered


def checked_amount(amount: int, currency: str, *, param: str, lowest: int = -LARGEST_AMOUNT) -> int:
    """The amount, if it may stand in this currency.

    Raises:
        ApiError: It is too small, has more than eight digits, or its last digit is not 0 in a three-decimal currency.
    """
    if amount < lowest:
        raise bad_param(param, f"This value must be greater than or equal to {lowest}.", "parameter_invalid_integer")
    if abs(amount) > LARGEST_AMOUNT:
        raise bad_param(param, f"Amount must be no more than {LARGEST_AMOUNT} {currency}.", "amount_too_large")
    if currency in THREE_DECIMAL and amount % 10:
        raise bad_param(param, f"Amounts in {currency} must have 0 as their last digit.", "parameter_invalid_integer")
    return amount


def half_up(value: Fraction, currency: str = "") -> int:
    """The nearest amount that may stand in the currency: whole units, or tens where the last of three decimals is 0.

    A half goes away from zero, so that a credit rounds as its charge did.
    """
    step = 10 if currency in THREE_DECIMAL else 1
    size = abs(value) / step
    rounded = (2 * size.numerator + size.denominator) // (2 * size.denominator) * step
    return rounded if value >= 0 else -rounded


def proportion(amount: int, part: int, whole: int, currency: str = "") -> int:
    """`amount * part / whole`, rounded half up; 0 of nothing."""
    return half_up(Fraction(amount * part, whole), currency) if whole else 0


def percent_of(amount: int, percentage: float, currency: str) -> int:
    """A percentage of an amount, rounded half up; the percentage is read as it is written, not as a binary float."""
    return half_up(amount * Fraction(Decimal(str(percentage))) / 100, currency)


def shares(total: int, weights: Sequence[int], currency: str) -> list[int]:
    """Splits a total by weights into amounts that add up to it exactly."""
    whole = sum(weights)
    parts, given, seen = [], 0, 0
    for weight in weights:
        seen += weight
        upto = proportion(total, seen, whole, currency)
        parts.append(upto - given)
        given = upto
    return parts


def unit_price(decimal: str, *, param: str, lowest: int = -LARGEST_AMOUNT) -> Fraction:
    """A price per unit in minor units, written as a decimal of up to twelve places.

    Raises:
        ApiError: It is no such number, or out of bounds.
    """
    try:
        price = Decimal(decimal)
    except ArithmeticError:
        raise bad_param(param, f"Invalid decimal: {decimal}") from None
    exponent = price.as_tuple().exponent
    precise = isinstance(exponent, int) and exponent >= -MOST_PLACES
    if not precise or not lowest <= price <= LARGEST_AMOUNT:
        raise bad_param(param, f"Invalid decimal: {decimal}")
    return Fraction(price)
