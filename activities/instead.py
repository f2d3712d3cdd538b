"""Who decides in somebody's place right now: because they are away, or because it was handed on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from plixo.domain.absence import Absence, StoredAbsence, absence_from_claims, away, in_place_of
from plixo.domain.approval import Approval
from plixo.domain.business_time import Calendar, next_day, parse_office
from plixo.domain.decision import Verdict
from plixo.domain.duties import able, asked_elsewhere, check_independent, may_see_all
from plixo.domain.escalation import ABSENCE, Escalated, basis_of_delegate
from plixo.domain.path import OFFICE_HOURS, Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed
from plixo.ports import Calendars, Record, Transaction, Verifier


@dataclass(frozen=True)
class LessAbsences:
    """As `plixo.ports.Calendars`: days on which somebody is away are closed in theirs."""

    calendars: Calendars
    absences: Sequence[Absence]

    def of(self, person: Person, around: datetime) -> Calendar | None:
        """The person's calendar, without the days on which they are away."""
        found = self.calendars.of(person, around)
        mine = [one.days(person.time_zone) for one in self.absences if one.person_id == person.person_id]
        return replace(found, closed=found.closed.union(*mine)) if found and mine else found


def verified_absences(verifier: Verifier, stored: Iterable[StoredAbsence]) -> list[Absence]:
    """What the staff side signed of these; a row that says something else is no absence."""
    return [one.absence for one in stored if _holds(verifier, one)]


def _holds(verifier: Verifier, stored: StoredAbsence) -> bool:
    absence = stored.absence
    try:
        signed = absence_from_claims(verifier.verify(stored.signed, "absence", now=None))
        if absence.ended_at is None:
            return signed == absence
        back = verifier.verify(stored.returned, "return", now=None)
    except NotAllowed:
        return False
    same = (back["absence_id"], back["ended_at"]) == (absence.absence_id, int(absence.ended_at.timestamp()))
    return same and signed == replace(absence, ended_at=None)


async def with_stand_ins(tx: Transaction, record: Record, moment: datetime, verifier: Verifier | None = None) -> Record:
    """The record, saying who may decide because somebody is away at that moment.

    Args:
        tx: Reads the directory and the absences.
        record: What is asked.
        moment: When a decision was signed, or now.
        verifier: Absences that the staff side did not sign are passed over; None where nothing rests on them.
    """
    if record.approval.current_stage is None:
        return record
    moment = moment.replace(microsecond=0)  # as signatures say it
    covering = [one for one in await tx.absences(moment) if one.absence.covers(moment)]
    absences = verified_absences(verifier, covering) if verifier else [one.absence for one in covering]
    if not absences:
        return record
    stage = record.approval.path.stages[record.approval.stage]
    open_groups = record.approval.waiting_groups()
    found = [
        one
        for seat in stage.seats
        if seat.group in open_groups
        for one in await _of_seat(tx, record, seat, absences, moment)
    ]
    return replace(record, approval=replace(record.approval, standing_in=tuple(found)))


async def _of_seat(
    tx: Transaction, record: Record, seat: Seat, absences: Sequence[Absence], moment: datetime
) -> list[Escalated]:
    """One entry for each who is asked and away; the last one named is there, and those between may as well."""
    handed = record.approval.handed_on(seat.group)
    bases = {one.subject: one.person_id if one.verdict is Verdict.DELEGATE else one.subject for one in handed}
    asked = {one.person_id: one for one in await tx.members({seat.group})} | dict(await tx.people(set(bases)))
    found = []
    for person in asked.values():
        basis = basis_of_delegate(bases.get(person.person_id, person.person_id))
        chain = await _chain(tx, record, seat, person, in_place_of(absences, person.person_id, moment))
        if chain and able(record.approval, seat, person, record.change.customer_id, record.base_minor):
            stand_ins = tuple((one.person_id, basis) for one in chain)
            found.append(Escalated(seat.group, ABSENCE, int(moment.timestamp()), stand_ins))
    return found


async def _chain(tx: Transaction, record: Record, seat: Seat, asked: Person, ids: Sequence[str]) -> tuple[Person, ...]:
    """Those who may decide; nobody, where one of them acts for the requester, is related, or has left."""
    people = await tx.people(set(ids)) if ids else {}
    try:
        for person_id in (asked.person_id, *ids):
            person = asked if person_id == asked.person_id else people[person_id]
            check_independent(record.approval.requester_id, person, record.change.customer_id)
    except (NotAllowed, KeyError):
        return ()
    return tuple(people[one] for one in ids if _may(record, seat, people[one]))


def _may(record: Record, seat: Seat, person: Person) -> bool:
    approval = record.approval
    if person.belongs_to(seat.group) or not may_see_all(person) or asked_elsewhere(approval, person):
        return False
    return able(approval, seat, person, record.change.customer_id, record.base_minor)


@dataclass(frozen=True)
class Reader:
    """Somebody who still has to decide.

    Attributes:
        person: Who is written to.
        instead_of: Ids of those in whose place they decide; empty for who is asked themselves.
        why: How that came about, in words for them; empty with it.
    """

    person: Person
    instead_of: frozenset[str] = frozenset()
    why: str = ""


async def readers(tx: Transaction, record: Record, now: datetime) -> list[Reader]:
    """Everybody who is asked for an open seat, or in whose place somebody else is: whether they have decided or not.

    Whoever is away, or has handed their part on, is among them only where nobody may decide for them.
    """
    approval = record.approval
    absences = [one.absence for one in await tx.absences(now)]
    found: dict[str, Reader] = {}
    for group in approval.waiting_groups():
        given = {one.subject: one.person_id for one in approval.handed_on(group) if one.verdict is Verdict.REASSIGN}
        fallbacks = [one for one in approval.escalated if one.fallback and one.seat is group]
        fallen = [who for one in fallbacks for who, _basis in one.stand_ins]
        asked = [one.person_id for one in await tx.members({group})] + fallen + [*given]
        who = {one: _follow(approval, group, absences, one, now) for one in asked}
        people = await tx.people({*who, *who.values(), *given.values()})
        for one, last in who.items():
            if last in people:
                reader = _reader(people, one, last, given, away(absences, one, now))
                known = found.get(last, reader)
                found[last] = replace(known, instead_of=known.instead_of | reader.instead_of)
    return list(found.values())


def _follow(approval: Approval, group: Group, absences: Sequence[Absence], asked_id: str, now: datetime) -> str:
    """Who decides in the end for somebody who is asked."""
    handed = {one.person_id: one.subject for one in approval.handed_on(group) if one.verdict is Verdict.DELEGATE}
    person_id = handed.get(asked_id, asked_id)
    chain = in_place_of(absences, person_id, now)
    able_ones = {who for one in approval.standing_in if one.seat is group for who, _basis in one.stand_ins}
    return chain[-1] if chain and chain[-1] in able_ones else person_id


def _reader(
    people: Mapping[str, Person], asked_id: str, last: str, given: Mapping[str, str], absence: Absence | None
) -> Reader:
    person, asked = people[last], people.get(asked_id)
    if last == asked_id and asked_id not in given:
        return Reader(person)
    if last == asked_id or asked is None:
        by = people.get(given.get(asked_id, ""))
        return Reader(person, frozenset({asked_id}), f"{by.name if by else 'An administrator'} has given it to you")
    if absence is None:
        return Reader(person, frozenset({asked_id}), f"{asked.name} has handed it on to you")
    return Reader(person, frozenset({asked_id}), f"{asked.name} is away until {last_day(absence, asked):%-d %b %Y}")


async def check_nobody_there(tx: Transaction, record: Record, group: Group, subject: Person, now: datetime) -> None:
    """Check that a seat's part may be given to somebody of another group: those who are asked cannot decide.

    Raises:
        NotAllowed: Somebody of the group is there and may decide.
    """
    if subject.belongs_to(group):
        return
    seat = next(one for one in record.approval.path.stages[record.approval.stage].seats if one.group is group)
    absences = [one.absence for one in await tx.absences(now)]
    for one in await tx.members({group}):
        there = not away(absences, one.person_id, now)
        if there and able(record.approval, seat, one, record.change.customer_id, record.base_minor):
            wanted = f"{one.name} is here and can decide; somebody of another group is given it only where nobody can."
            raise NotAllowed.one("to", "somebody_is_there", wanted)


async def check_nudge(tx: Transaction, calendars: Calendars, record: Record, now: datetime) -> None:
    """Check that whoever asked for it has not nudged already on that business day of theirs.

    Raises:
        NotAllowed: It says when it is possible again.
    """
    said = [one for one in await tx.decisions(record.approval.approval_id) if one.decision.verdict is Verdict.NUDGE]
    recorded = [one.submitted_at for one in said if one.status == "recorded"]
    if not recorded:
        return
    requester_id = record.approval.requester_id
    person = (await tx.people([requester_id])).get(requester_id)
    calendar = (calendars.of(person, now) if person else None) or parse_office(OFFICE_HOURS)
    again = next_day(calendar, max(recorded))
    if now < again:
        local = again.astimezone(ZoneInfo(calendar.time_zone))
        wanted = f"They were nudged today already; nudge them again from {local:%a %-d %b %Y, %H:%M} on."
        raise NotAllowed.one("nudge", "nudged_already", wanted)


def last_day(absence: Absence, person: Person) -> date:
    """The last day on which somebody is away, by their own clock."""
    return max(absence.days(person.time_zone), default=absence.until.date())
