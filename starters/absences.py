"""Being away: said by whoever goes, or by an administrator for them; signed, and never changed afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.absence import (
    Absence,
    absence_claims,
    away,
    away_between,
    check_absence,
    check_return,
    ended,
    first_day,
    return_claims,
    zone_of,
)
from plixo.domain.ids import ABSENCE_CHAIN, approval_id
from plixo.domain.people import Person
from plixo.domain.refusals import Conflict, Refused
from plixo.ports import AuditEntry
from plixo.store import absences, sums
from plixo.store.ledger import SqlTransaction
from starters.desk import Desk
from starters.handing_on import colleague

_PREFIX: Final = "AB"


@dataclass(frozen=True)
class TypedAbsence:
    """An absence as it was typed.

    Attributes:
        first: The first day, such as `2026-11-23`; today where it is left out.
        last: The last day.
        delegate: Who decides in their place: a person's id or address.
        person: Who is away, by id or address; whoever is signed in where it is left out.
    """

    first: str
    last: str
    delegate: str
    person: str = ""


async def go_away(desk: Desk, by: Person, typed: TypedAbsence) -> Absence:
    """Say that somebody is away; said again, it is the same absence.

    Args:
        desk: The staff side.
        by: Who says so.
        typed: Who is away, when, and who decides in their place.

    Raises:
        Refused: Something of it cannot be; it names the field.
        NotAllowed: They may not say that; the refusal is in the audit log.
        Conflict: They are away then already.
    """
    return await _kept(desk, by, lambda tx: _enter(desk, tx, by, typed))


async def come_back(desk: Desk, by: Person, named: str = "") -> Absence:
    """Say that somebody is back, or does not go; of two absences the one that comes first ends.

    Args:
        desk: The staff side.
        by: Who says so.
        named: Who is back, by id or address; whoever is signed in where it is left out.

    Raises:
        Refused: Nobody is called that.
        NotAllowed: It is not for them to say; the refusal is in the audit log.
        Conflict: They are not away, and are not going to be.
    """
    return await _kept(desk, by, lambda tx: _end(desk, tx, by, named))


async def _kept(desk: Desk, by: Person, say: Callable[[SqlTransaction], Awaitable[Absence]]) -> Absence:
    refusal: Refused | None = None
    async with desk.ledger.begin() as tx:
        # Two who name each other at once would both find nothing against it.
        await sums.lock(tx.session, ABSENCE_CHAIN)
        try:
            return await say(tx)
        except Refused as caught:
            refusal = caught
            detail = {"code": caught.code, "why": str(caught)}
            await tx.audit(AuditEntry(ABSENCE_CHAIN, "absence_refused", by.person_id, detail), desk.clock())
    raise refusal


async def _enter(desk: Desk, tx: SqlTransaction, by: Person, typed: TypedAbsence) -> Absence:
    now = desk.clock()
    person = await colleague(tx, typed.person, "person") if typed.person else by
    delegate = await colleague(tx, typed.delegate, "delegate")
    last = first_day(typed.last, "until")
    first = first_day(typed.first, "from") if typed.first else _today(person, now)
    since, until = away_between(person, first, last, now)
    others = [one.absence for one in await tx.absences(now)]
    same = next((one for one in others if _the_same(one, person, delegate, since, until)), None)
    if same:
        return same
    words = f"{since.isoformat()}/{until.isoformat()}/{delegate.person_id}"
    absence = Absence(
        absence_id=approval_id(_PREFIX, person.person_id, words),
        person_id=person.person_id,
        delegate_id=delegate.person_id,
        since=since,
        until=until,
        entered_by=by.person_id,
    )
    check_absence(absence, {one.person_id: one for one in (by, person, delegate)}, others)
    signed = desk.signer.sign("absence", absence_claims(absence), now=now)
    await absences.insert(tx.session, absence, signed, now)
    detail = {**absence_claims(absence), "signed": signed}
    await tx.audit(AuditEntry(ABSENCE_CHAIN, "absence_entered", by.person_id, detail), now)
    return absence


async def _end(desk: Desk, tx: SqlTransaction, by: Person, named: str) -> Absence:
    now = desk.clock()
    person = await colleague(tx, named, "person") if named else by
    lasting = [one.absence for one in await tx.absences(now)]
    mine = [one for one in lasting if one.person_id == person.person_id and one.over > now]
    if not mine:
        raise Conflict.one("person", "not_away", f"{person.name} is not away, and nobody has said that they will be.")
    absence = away(mine, person.person_id, now) or mine[0]
    at = max(check_return(absence, by, now), absence.since)
    body = return_claims(absence.absence_id, at, by.person_id)
    signed = desk.signer.sign("return", body, now=now)
    await absences.end(tx.session, absence.absence_id, at, by.person_id, signed)
    detail = {**body, "person_id": person.person_id, "signed": signed}
    await tx.audit(AuditEntry(ABSENCE_CHAIN, "absence_ended", by.person_id, detail), now)
    return ended(absence, at)


def _the_same(one: Absence, person: Person, delegate: Person, since: datetime, until: datetime) -> bool:
    about = (one.person_id, one.delegate_id, one.over)
    return about == (person.person_id, delegate.person_id, until) and one.since <= since


def _today(person: Person, now: datetime) -> date:
    return now.astimezone(zone_of(person.time_zone)).date()


async def lasting(session: AsyncSession, now: datetime) -> Sequence[Absence]:
    """Absences that are not over, the first to begin first."""
    found = await absences.lasting(session, now)
    return [one.absence for one in found if one.absence.over > now]
