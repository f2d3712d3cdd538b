"""Absence: somebody is away for a while, and somebody else decides in their place.

Who stands in for whom follows from what was signed: an absence holds from one moment to another, and whoever stands in
may be away as well. A decision in somebody's place holds where the absences of the moment it was signed lead to who
made it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plixo.domain.people import APPROVERS, Group, Person
from plixo.domain.refusals import Conflict, NotAllowed, Refused

LONGEST_CHAIN: Final = 5
"""How many people one after another stand in for somebody: whoever is behind the fifth is not asked."""

LONGEST_DAYS: Final = 366
"""For how many days at most somebody is away, and how far ahead that may begin."""


@dataclass(frozen=True)
class Absence:
    """Somebody is away.

    Attributes:
        absence_id: Its id.
        person_id: Who is away.
        delegate_id: Who decides in their place.
        since: From when on, a whole second.
        until: Until when.
        entered_by: Who said so: they themselves, or an administrator.
        ended_at: When they came back before that; None where they did not.
    """

    absence_id: str
    person_id: str
    delegate_id: str
    since: datetime
    until: datetime
    entered_by: str
    ended_at: datetime | None = None

    @property
    def over(self) -> datetime:
        """When it is over: as it was said, or where they came back earlier, then."""
        return min(self.until, self.ended_at) if self.ended_at else self.until

    def covers(self, moment: datetime) -> bool:
        """Whether they are away at that moment."""
        return self.since <= moment < self.over

    def days(self, zone: str) -> frozenset[date]:
        """Dates on which they are away all day, by the clock of that time zone."""
        local = zone_of(zone)
        first, last = self.since.astimezone(local), self.over.astimezone(local)
        found = (first.date() + timedelta(days=number) for number in range((last.date() - first.date()).days + 1))
        return frozenset(day for day in found if _whole(day, first, last, local))


@dataclass(frozen=True)
class StoredAbsence:
    """An absence as it was signed.

    Attributes:
        absence: The row's copy; what binds is the signed one.
        signed: The signed absence.
        returned: What was signed when they came back earlier; empty where they did not.
    """

    absence: Absence
    signed: str
    returned: str = ""


def _whole(day: date, first: datetime, last: datetime, zone: ZoneInfo) -> bool:
    begins = datetime.combine(day, time(0), zone)
    # The day on which it is said counts: they are gone for the rest of it.
    return (first <= begins or day == first.date()) and datetime.combine(day + timedelta(days=1), time(0), zone) <= last


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name; UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def absence_claims(absence: Absence) -> dict[str, Any]:
    """An absence as plain data, to be signed; coming back earlier is signed by itself."""
    return {
        "absence_id": absence.absence_id,
        "person_id": absence.person_id,
        "delegate_id": absence.delegate_id,
        "since": seconds(absence.since),
        "until": seconds(absence.until),
        "entered_by": absence.entered_by,
    }


def absence_from_claims(plain: Mapping[str, Any]) -> Absence:
    """The absence that `absence_claims` wrote."""
    return Absence(
        absence_id=plain["absence_id"],
        person_id=plain["person_id"],
        delegate_id=plain["delegate_id"],
        since=datetime.fromtimestamp(plain["since"], UTC),
        until=datetime.fromtimestamp(plain["until"], UTC),
        entered_by=plain["entered_by"],
    )


def return_claims(absence_id: str, ended_at: datetime, ended_by: str) -> dict[str, Any]:
    """That somebody is back earlier than they said, as plain data, to be signed."""
    return {"absence_id": absence_id, "ended_at": seconds(ended_at), "ended_by": ended_by}


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970 in UTC, as a signature says when it was made."""
    return int(moment.timestamp())


def away(absences: Collection[Absence], person_id: str, moment: datetime) -> Absence | None:
    """The absence of somebody who is away at that moment."""
    return next((one for one in absences if one.person_id == person_id and one.covers(moment)), None)


def in_place_of(absences: Collection[Absence], person_id: str, moment: datetime) -> tuple[str, ...]:
    """Ids of those who stand in for somebody at that moment: their delegate, who does for that one if away, and so on.

    The last of them is there; nobody is where the fifth is away as well, or where they lead in a circle.
    """
    found: list[str] = []
    absence = away(absences, person_id, moment)
    while absence is not None:
        if absence.delegate_id in {person_id, *found} or len(found) == LONGEST_CHAIN:
            return ()
        found.append(absence.delegate_id)
        absence = away(absences, absence.delegate_id, moment)
    return tuple(found)


def first_day(text: str, field: str) -> date:
    """A date as it was typed.

    Raises:
        Refused: It does not read like one.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as broken:
        raise Refused.one(field, "date_unreadable", "Write the date like 2026-11-23.") from broken


def away_between(person: Person, first: date, last: date, now: datetime) -> tuple[datetime, datetime]:
    """From when to when somebody is away, by their own clock: all of the first day and of the last.

    Args:
        person: Whose time zone counts.
        first: The first day; where it is today, what is left of it.
        last: The last day.
        now: What time it is.

    Raises:
        Refused: The days are past, the wrong way round, too many, or too far ahead.
    """
    zone = zone_of(person.time_zone)
    today = now.astimezone(zone).date()
    if first < today:
        raise Refused.one("from", "absence_past", "It can begin today at the earliest.")
    if last < first:
        raise Refused.one("until", "absence_backwards", "The last day comes before the first.")
    if (last - first).days >= LONGEST_DAYS or (first - today).days > LONGEST_DAYS:
        wanted = f"An absence lasts {LONGEST_DAYS} days at most, and begins within as many."
        raise Refused.one("until", "absence_too_long", wanted)
    since = max(datetime.combine(first, time(0), zone), now.astimezone(zone))
    until = datetime.combine(last + timedelta(days=1), time(0), zone)
    return since.astimezone(UTC).replace(microsecond=0), until.astimezone(UTC)


def check_absence(absence: Absence, people: Mapping[str, Person], others: Sequence[Absence]) -> None:
    """Refuse an absence that nobody could follow.

    Args:
        absence: About to be signed.
        people: Who is away, who stands in and who enters it, by id.
        others: All that have not ended yet.

    Raises:
        NotAllowed: Whoever enters it may not, for them or with that delegate.
        Refused: Nobody who is here can stand in, or the delegate leads back to them.
        Conflict: They are away in that time already.
    """
    person = people[absence.person_id]
    _check_enters(absence, person, people[absence.entered_by])
    delegate = people.get(absence.delegate_id)
    if delegate is None or not delegate.active or not delegate.groups - {Group.SUPPORT}:
        wanted = "Name a colleague who works here and may see requests."
        raise Refused.one("delegate", "delegate_unable", wanted)
    if delegate.person_id == person.person_id:
        raise Refused.one("delegate", "delegate_self", "Nobody stands in for themselves; name a colleague.")
    _check_delegate(absence, person, delegate)
    mine = [one for one in others if one.person_id == absence.person_id]
    if any(one.since < absence.until and absence.since < one.over for one in mine):
        raise Conflict.one(
            "from", "absence_overlaps", "An absence of that time is entered already; end that one first."
        )
    _check_chain(absence, others)


def _check_enters(absence: Absence, person: Person, by: Person) -> None:
    if not person.active:
        raise Refused.one("person", "not_active", "This person no longer works here.")
    if by.person_id != absence.person_id and not by.belongs_to(Group.ADMINISTRATOR):
        wanted = f"People enter their own absence, administrators anybody's; you are {by.role}."
        raise NotAllowed.one("person", "not_yours", wanted)


def _check_delegate(absence: Absence, person: Person, delegate: Person) -> None:
    """Whoever is away names whom they trust; an administrator names whom the directory trusts with it."""
    if absence.entered_by == absence.person_id:
        return
    if delegate.person_id == absence.entered_by:
        raise NotAllowed.one("delegate", "delegate_self", "Administrators name somebody else than themselves.")
    if person.belongs_to(*APPROVERS) and not (
        delegate.belongs_to(*APPROVERS) or person.delegate_id == delegate.person_id
    ):
        wanted = "An administrator names a Controller, Legal, the CFO, or whom the directory names as their delegate."
        raise NotAllowed.one("delegate", "delegate_not_approver", wanted)


def _check_chain(absence: Absence, others: Sequence[Absence]) -> None:
    """Follow whoever is away in the same time, as far as that time is the same.

    Raises:
        Refused: It leads back, or too far.
    """
    begins: tuple[str, ...] = (absence.person_id, absence.delegate_id)
    open_ends = [(begins, absence.since, absence.until)]
    while open_ends:
        chain, since, until = open_ends.pop()
        for one in others:
            from_then, to_then = max(since, one.since), min(until, one.over)
            if one.person_id != chain[-1] or from_then >= to_then:
                continue
            if one.delegate_id in chain:
                wanted = "They are away in that time themselves, and whoever stands in for them leads back here."
                raise Refused.one("delegate", "absence_loop", wanted)
            if len(chain) > LONGEST_CHAIN:
                wanted = (
                    f"They are away in that time, and so are those behind them: more than {LONGEST_CHAIN} in a row."
                )
                raise Refused.one("delegate", "absence_chain", wanted)
            open_ends.append(((*chain, one.delegate_id), from_then, to_then))


def check_return(absence: Absence, by: Person, now: datetime) -> datetime:
    """When an absence is over because somebody is back, or does not go.

    Raises:
        NotAllowed: It is somebody else's, and they are no administrator.
        Conflict: It is over.
    """
    if by.person_id != absence.person_id and not by.belongs_to(Group.ADMINISTRATOR):
        raise NotAllowed.one("person", "not_yours", f"People end their own absence; you are {by.role}.")
    if absence.over <= now:
        raise Conflict.one("absence", "absence_over", "That absence is over already.")
    return now.astimezone(UTC).replace(microsecond=0)


def ended(absence: Absence, at: datetime) -> Absence:
    """The absence of somebody who is back."""
    return replace(absence, ended_at=at)
