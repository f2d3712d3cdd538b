"""The finance sheet of a period: one line for each request that was applied, tied to what Stripe holds."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from plixo.domain.cells import neutral
from plixo.domain.effects import Amounts
from plixo.domain.money import Money
from plixo.domain.reconciling import Close, Difference, Granted, Holding, Where, compare
from plixo.domain.refusals import Problem, Refused

LONGEST: Final = timedelta(days=366)
NO_PAYOUT: Final = "-"
PAYOUT_WORDS: Final = (
    "- means that no payout carries it: a credit moves no cash, it lowers what the invoice or the next one asks for."
)


@dataclass(frozen=True)
class Period:
    """Whole days, in UTC.

    Attributes:
        first: The first day.
        last: The last one, which still belongs to it.
    """

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1)

    @property
    def name(self) -> str:
        """Such as `2026-11-01 to 2026-11-30`."""
        return f"{self.first} to {self.last}"

    def __contains__(self, moment: datetime) -> bool:
        """Whether the moment belongs to it."""
        return self.since <= moment < self.until


@dataclass(frozen=True)
class Line:
    """A request that was applied.

    Attributes:
        approval_id: The request.
        kind: What it is, such as `credit`.
        requester: Who asked, by name.
        approvers: Who agreed, by name; nobody where it went through automatically.
        reason: In words.
        customer: By name.
        invoice: By its number or id; empty for a credit to the balance.
        amounts: As they were applied.
        stripe_id: What was made.
        applied_at: When.
    """

    approval_id: str
    kind: str
    requester: str
    approvers: tuple[str, ...]
    reason: str
    customer: str
    invoice: str
    amounts: Amounts
    stripe_id: str
    applied_at: datetime
    payout: str = NO_PAYOUT

    def row(self) -> dict[str, str]:
        """As the sheet has it, by column."""
        amounts = self.amounts
        return {
            "request": self.approval_id,
            "kind": self.kind,
            "requester": self.requester,
            "approvers": "; ".join(self.approvers) or "automatic",
            "reason": self.reason,
            "customer": self.customer,
            "invoice": self.invoice,
            "net": str(amounts.net.major),
            "tax": str(amounts.tax.major),
            "gross": str(amounts.gross.major),
            "currency": amounts.currency,
            "stripe_id": self.stripe_id,
            "payout": self.payout,
            "when": self.applied_at.astimezone(UTC).isoformat(timespec="seconds"),
        }


@dataclass(frozen=True)
class Total:
    """What one currency comes to, in minor units.

    Attributes:
        currency: ISO 4217 code.
        net_minor: Of the lines.
        tax_minor: Of the lines.
        gross_minor: Of the lines.
        held_minor: What stands in Stripe; None where Stripe was not read.
    """

    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    held_minor: int | None

    @property
    def difference(self) -> Money | None:
        """What Stripe holds beyond the lines."""
        return None if self.held_minor is None else Money(self.held_minor - self.gross_minor, self.currency)


@dataclass(frozen=True)
class Sheet:
    """A period's sheet.

    Attributes:
        period: Which days.
        lines: Oldest first.
        totals: By currency.
        differences: What does not tie, and why.
        under_way: Requests whose write is being tried this moment; not counted.
        problem: Why Stripe was not read, in words; empty where it was.
    """

    period: Period
    lines: tuple[Line, ...]
    totals: tuple[Total, ...]
    differences: tuple[Difference, ...] = ()
    under_way: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ties(self) -> bool:
        """Whether Stripe was read, and nothing is left to explain."""
        known = not self.problem and not self.differences
        return known and all(total.difference is not None and not total.difference.minor for total in self.totals)


def parse_period(first: str, last: str, today: date) -> Period:
    """The days that were asked for; this month where nothing was.

    Raises:
        Refused: One is no date, the last lies before the first, or there are more than a year's.
    """
    begins = _date(first, "from", today.replace(day=1))
    ends = _date(last, "to", _month_end(begins) if not last.strip() else today)
    if ends < begins:
        raise Refused.one("to", "period_backwards", f"The last day must not lie before the first, {begins}.")
    if ends - begins >= LONGEST:
        raise Refused.one(
            "to", "period_too_long", f"A sheet has at most {LONGEST.days} days; choose a nearer last day."
        )
    return Period(begins, ends)


def tie(period: Period, lines: Sequence[Line], granted: Iterable[Granted], holdings: Iterable[Holding]) -> Sheet:
    """The sheet, held against Stripe.

    Args:
        period: Which days.
        lines: What was applied in them.
        granted: The same requests and whatever else the holdings name.
        holdings: What Stripe holds of the period.
    """
    ours = {one.approval_id: one for one in granted}
    close = compare(ours.values(), holdings)
    unlike = [_unlike(line, ours[line.approval_id]) for line in lines if line.approval_id in ours]
    differences = (*close.differences, *(one for one in unlike if one))
    return Sheet(period, tuple(lines), _totals(lines, close), differences, close.under_way)


def untied(period: Period, lines: Sequence[Line], problem: str) -> Sheet:
    """The sheet where Stripe could not be read."""
    return Sheet(period, tuple(lines), _totals(lines, None), problem=problem)


def csv_text(rows: Sequence[Mapping[str, str]]) -> str:
    """The lines as a file for a spreadsheet, which runs nothing of it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([neutral(row[name]) for name in COLUMNS] for row in rows)
    return out.getvalue()


COLUMNS: Final = (
    *("request", "kind", "requester", "approvers", "reason", "customer", "invoice"),
    *("net", "tax", "gross", "currency", "stripe_id", "payout", "when"),
)
"""In the order of the file."""


def _date(text: str, field: str, otherwise: date) -> date:
    if not text.strip():
        return otherwise
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        found = date.min
    if not 2000 <= found.year <= 9000:  # noqa: PLR2004 - no business of ours lies outside
        raise Refused(Problem(field, "date_invalid", "Give a day as year, month and day, such as 2026-11-30."))
    return found


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _unlike(line: Line, granted: Granted) -> Difference | None:
    if line.amounts.gross == granted.amount:
        return None
    words = f"the sheet has {line.amounts.gross}, and {granted.amount} was approved"
    return Difference(Where.DIFFERENT, granted.effect_id, line.approval_id, line.stripe_id, words)


def _totals(lines: Sequence[Line], close: Close | None) -> tuple[Total, ...]:
    held = {one.currency: one.held_minor for one in close.sums} if close else {}
    found = []
    for currency in sorted({line.amounts.currency for line in lines} | set(held)):
        mine = [line.amounts for line in lines if line.amounts.currency == currency]
        net, tax, gross = (sum(getattr(one, f"{part}_minor") for one in mine) for part in ("net", "tax", "gross"))
        found.append(Total(currency, net, tax, gross, held.get(currency, 0) if close else None))
    return tuple(found)
