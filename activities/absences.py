"""Telling whoever stands in that somebody is away: once, when the absence begins, with what waits by then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from activities.instead import last_day, readers, with_stand_ins
from plixo.domain.absence import Absence, in_place_of
from plixo.domain.approval import State
from plixo.domain.duties import basis_for
from plixo.domain.money import Money
from plixo.domain.people import Person
from plixo.domain.weeks import after_quiet_hours
from plixo.ports import Letter, Record, Transaction

MOST_LINES: Final = 50
"""How many requests a mail lists; the inbox it links to has them all."""


def stands_in(absence: Absence, absences: Sequence[Absence], now: datetime) -> str:
    """Id of who is there and decides in the end for somebody who is away; empty where nobody is."""
    chain = in_place_of(absences, absence.person_id, now)
    return chain[-1] if chain else ""


def letter_key(absence: Absence, reader_id: str) -> str:
    """The key of the letter that tells somebody that they stand in; another one where it becomes somebody else."""
    return f"absence/{absence.absence_id}/{reader_id}"


async def tell_stand_in(
    tx: Transaction, absence: Absence, reader_id: str, waiting: Sequence[Record], now: datetime
) -> Letter | None:
    """The letter to who stands in; None where one of the two is not in the directory any more.

    Args:
        tx: Reads the directory.
        absence: Who is away.
        reader_id: Who decides in their place.
        waiting: What waits for the one who is away.
        now: What time it is.
    """
    people = await tx.people({absence.person_id, reader_id})
    person, reader = people.get(absence.person_id), people.get(reader_id)
    if person is None or reader is None or not reader.active:
        return None
    mine = [record for record in waiting if await _decides(tx, record, reader, now)]
    context: dict[str, Any] = {
        "reader": reader.name,
        "person": person.name,
        "until": f"{last_day(absence, person):%-d %b %Y}",
        "count": len(mine),
        "lines": [_line(record) for record in mine[:MOST_LINES]],
        "time_zone": reader.time_zone,
        "place": "/approvals?tab=mine",
    }
    not_before = after_quiet_hours(now, reader.time_zone)
    return Letter(letter_key(absence, reader_id), reader.email, "absence", context, not_before=not_before)


async def _decides(tx: Transaction, record: Record, reader: Person, now: datetime) -> bool:
    """Whether they decide on it in somebody's place; what they are asked for themselves they know of."""
    if record.approval.state is not State.WAITING:
        return False
    record = await with_stand_ins(tx, record, now)
    seats = record.approval.path.stages[record.approval.stage].seats
    asked = {one.person.person_id for one in await readers(tx, record, now) if one.instead_of}
    return reader.person_id in asked and any(basis_for(record.approval, reader, seat) for seat in seats)


def _line(record: Record) -> dict[str, Any]:
    return {
        "amount": str(Money(record.approval.agreed_minor, record.change.amount.currency)),
        "customer": record.customer_name,
        "reason": record.change.reason.label,
        "due": record.due_at.isoformat() if record.due_at else "",
        "approval_id": record.approval.approval_id,
    }
