"""The weekly digest: Controllers are told what went through without anybody being asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from plixo.domain.money import Money
from plixo.domain.people import Group, Person
from plixo.domain.weeks import Week, after_quiet_hours, week_before
from plixo.messages.digests import DigestAsked, DigestWritten
from plixo.ports import Clock, Ledger, Letter, Record

MOST_LINES: Final = 50
"""How many requests a mail lists, the largest first; the page it links to has them all."""

OLDEST: Final = timedelta(days=35)
"""How long after its end a week is still told of: nobody can have years of old digests sent by starting workflows."""


@dataclass(frozen=True)
class DigestActivities:
    """Writes digests into the outbox.

    Attributes:
        ledger: The database.
        clock: What time it is.
    """

    ledger: Ledger
    clock: Clock

    @activity.defn(name="write_digest")
    async def write_digest(self, asked: DigestAsked) -> DigestWritten:
        """A letter to each Controller about one week; asked again, nobody is written to twice."""
        now, week = self.clock(), _week(asked.at)
        if week is None or not week.until <= now < week.until + OLDEST:
            return DigestWritten(week.name if week else "", 0, "refused")
        async with self.ledger.begin() as tx:
            applied = await tx.applied_automatically(week.since, week.until)
            if not applied:
                return DigestWritten(week.name, 0, "nothing")
            names = {one: person.name for one, person in (await tx.people(_requesters(applied))).items()}
            letters = [_letter(week, applied, names, one, now) for one in await tx.members({Group.CONTROLLER})]
            new = [await tx.post(letter, now) for letter in letters]
        return DigestWritten(week.name, sum(new), "written")


def _week(moment: str) -> Week | None:
    """The week before the moment; None where that is no moment that a calendar has."""
    try:
        at = datetime.fromisoformat(moment)
        return week_before(at) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _requesters(applied: Sequence[Record]) -> set[str]:
    return {record.approval.requester_id for record in applied}


def _letter(week: Week, applied: Sequence[Record], names: Mapping[str, str], reader: Person, now: datetime) -> Letter:
    sums = Counter[str]()
    for record in applied:
        sums[record.amounts.currency] += record.amounts.gross_minor
    largest = sorted(applied, key=lambda record: (-record.base_minor, record.approval.approval_id))[:MOST_LINES]
    sunday = week.until - timedelta(days=1)
    context = {
        "reader": reader.name,
        "week": week.name,
        "since": f"{week.since:%-d %b %Y}",
        "until": f"{sunday:%-d %b %Y}",
        "count": len(applied),
        "totals": [str(Money(minor, currency)) for currency, minor in sorted(sums.items())],
        "lines": [_line(record, names) for record in largest],
        "place": f"/finance/sheet?from={week.since:%Y-%m-%d}&to={sunday:%Y-%m-%d}",
    }
    not_before = after_quiet_hours(now, reader.time_zone)
    return Letter(f"digest/{week.name}/{reader.person_id}", reader.email, "digest", context, not_before=not_before)


def _line(record: Record, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "amount": str(record.amounts.gross),
        "customer": record.customer_name,
        "reason": record.change.reason.label,
        "requester": names.get(record.approval.requester_id, "somebody who left"),
        "approval_id": record.approval.approval_id,
    }
