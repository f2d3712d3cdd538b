"""A customer's last twelve months of credits, as a small bar chart and as figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plixo.domain.money import Money
from plixo.ports import Record

MONTHS: Final = 12
HEIGHT: Final = 72
"""Of the tallest bar, in the drawing's own units."""


@dataclass(frozen=True)
class Bar:
    """One month.

    Attributes:
        month: Its first day.
        money: What was credited in it, gross.
        height: Of its bar; above 0 wherever there is something to see.
    """

    month: datetime
    money: Money
    height: int


@dataclass(frozen=True)
class Year:
    """Twelve months in one currency.

    Attributes:
        bars: Oldest first.
        total: Their sum.
        count: How many credits.
        elsewhere: Sums in other currencies, which the bars leave out.
    """

    bars: tuple[Bar, ...]
    total: Money
    count: int
    elsewhere: tuple[Money, ...]

    @property
    def words(self) -> str:
        """The chart for who cannot see it."""
        if not self.count:
            return f"No credits in {self.total.currency} in the last twelve months."
        best = max(self.bars, key=lambda bar: bar.money.minor)
        credits_ = "1 credit" if self.count == 1 else f"{self.count} credits"
        return f"{credits_}, {self.total} in twelve months; the most in {best.month:%B %Y}: {best.money}."


def since(now: datetime) -> datetime:
    """The first day of the twelve months that end with this one."""
    return _months_before(now, MONTHS - 1)


def year(applied: Sequence[Record], currency: str, now: datetime) -> Year:
    """The chart of what was applied.

    Args:
        applied: Applied requests since `since(now)`.
        currency: Which currency the bars are in.
        now: Whose month is the last.
    """
    mine = [record for record in applied if record.amounts.currency == currency]
    months = [_months_before(now, back) for back in reversed(range(MONTHS))]
    sums = {month: _sum(record for record in mine if _month(record) == month) for month in months}
    most = max(sums.values()) or 1
    bars = tuple(Bar(month, Money(sum_, currency), -(-sum_ * HEIGHT // most)) for month, sum_ in sums.items())
    others = sorted({record.amounts.currency for record in applied} - {currency})
    elsewhere = tuple(Money(_sum(one for one in applied if one.amounts.currency == code), code) for code in others)
    return Year(bars, Money(sum(sums.values()), currency), len(mine), elsewhere)


def _sum(records: Iterable[Record]) -> int:
    return sum(record.amounts.gross_minor for record in records)


def _month(record: Record) -> datetime:
    assert record.ended_at is not None, "what is applied has ended"
    return _months_before(record.ended_at, 0)


def _months_before(moment: datetime, back: int) -> datetime:
    year_, month = divmod(moment.year * 12 + moment.month - 1 - back, 12)
    return moment.replace(year=year_, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
