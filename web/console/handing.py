"""To whom the reader may hand a request on, whether they may nudge, and who is away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activities.instead import last_day
from plixo.domain.absence import Absence, in_place_of
from plixo.domain.approval import Approval, State
from plixo.domain.decision import Verdict
from plixo.domain.duties import chair_for
from plixo.domain.handing_on import Handing, check_hands_on
from plixo.domain.path import Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed
from plixo.ports import Record
from web.identity import Visit


@dataclass(frozen=True)
class HandingOn:
    """What the reader can do about who decides.

    Attributes:
        colleagues: To whom they may hand their part.
        groups: Whose part they may give to somebody, as an administrator.
        eligible: To whom they may give it.
        nudges: They asked for it, and may nudge whoever decides.
    """

    colleagues: Sequence[Person] = ()
    groups: Sequence[Group] = ()
    eligible: Sequence[Person] = ()
    nudges: bool = False


def handing_on(visit: Visit, record: Record, everybody: Iterable[Person]) -> HandingOn:
    """What this reader can do about who decides on the request."""
    approval, person = record.approval, visit.person
    if approval.state is not State.WAITING:
        return HandingOn()
    others = sorted((one for one in everybody if one.active), key=lambda one: one.name)
    seats = _open_seats(approval)
    given = [one for one in others if any(_may(record, Verdict.REASSIGN, seat, person, one) for seat in seats)]
    return HandingOn(
        colleagues=[
            one for one in others for seat in _own(record, person) if _may(record, Verdict.DELEGATE, seat, person, one)
        ],
        groups=[seat.group for seat in seats] if given else (),
        eligible=given,
        nudges=approval.requester_id == person.person_id,
    )


def _open_seats(approval: Approval) -> list[Seat]:
    stage, waiting = approval.current_stage, approval.waiting_groups()
    return [seat for seat in (stage.seats if stage else ()) if seat.group in waiting]


def _own(record: Record, person: Person) -> list[Seat]:
    if record.approval.has_decided(person.person_id):
        return []
    try:
        seat = chair_for(record.approval, person, record.change.customer_id, record.base_minor).seat
    except NotAllowed:
        return []
    return [seat] if seat in _open_seats(record.approval) else []


def _may(record: Record, verdict: Verdict, seat: Seat, giver: Person, to: Person) -> bool:
    try:
        check_hands_on(record.approval, Handing(verdict, seat, giver, to), record.change.customer_id)
    except NotAllowed:
        return False
    return True


@dataclass(frozen=True)
class AwayLine:
    """Somebody who is or will be away.

    Attributes:
        person: Who.
        since: The first day, in words.
        until: The last day, in words.
        stands_in: Who decides in their place: whom they named, or who is there for that one; empty where nobody is.
        now: Whether they are away now.
    """

    person: Person
    since: str
    until: str
    stands_in: str
    now: bool


def away_lines(found: Sequence[Absence], people: Mapping[str, Person], visit: Visit) -> dict[str, AwayLine]:
    """Who is or will be away next, by id."""
    lines: dict[str, AwayLine] = {}
    for one in found:
        person = people.get(one.person_id)
        if person and one.person_id not in lines:
            lines[one.person_id] = _line(one, person, found, people, visit)
    return lines


def _line(
    one: Absence, person: Person, found: Sequence[Absence], people: Mapping[str, Person], visit: Visit
) -> AwayLine:
    now = one.covers(visit.now)
    chain = in_place_of(found, one.person_id, visit.now) if now else (one.delegate_id,)
    last = people.get(chain[-1]) if chain else None
    first = min(one.days(person.time_zone), default=one.since.date())
    return AwayLine(person, f"{first:%-d %b %Y}", f"{last_day(one, person):%-d %b %Y}", last.name if last else "", now)
