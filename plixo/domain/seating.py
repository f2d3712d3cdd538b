"""Who could fill each seat of a stage at a moment: before it is asked for, and when the stage begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from plixo.domain.approval import Approval, State
from plixo.domain.duties import asked_elsewhere, check_independent, check_limit, may_stand_in
from plixo.domain.path import ApprovalPath, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed


@dataclass(frozen=True)
class Seating:
    """Who could fill one seat.

    Attributes:
        seat: Of the stage.
        able: Who could decide, those of the fallback where nobody of the group can.
        unable: Who of the group could not, and why, in words.
        fallback: The group that decides in the seat's place by now.
    """

    seat: Seat
    able: tuple[Person, ...]
    unable: tuple[tuple[Person, str], ...] = ()
    fallback: Group | None = None


Seatings = tuple[tuple[Seating, ...], ...]
"""The same for each seat of each stage of a path."""


@dataclass(frozen=True)
class Case:
    """What matters of a request when it is worked out who could decide on it.

    Attributes:
        approval: The request.
        customer_id: Who would get the money.
        base_minor: All of it, in minor units of the policy's base currency.
    """

    approval: Approval
    customer_id: str
    base_minor: int

    def against(self, seat: Seat, person: Person) -> str:
        """What speaks against the person in that seat, but their group, in words; empty when nothing does."""
        approval = self.approval
        said = [known for known in approval.decisions if known.verdict.settles and approval.counts(known)]
        if any(known.person_id == person.person_id for known in said):
            return "has decided already"
        try:
            check_independent(approval.requester_id, person, self.customer_id)
            check_limit(seat, person, self.base_minor, approval.kind)
        except NotAllowed as refusal:
            return _AGAINST.get(refusal.code, str(refusal))
        return ""


_AGAINST: Final = {
    "own_request": "asked for it",
    "related_customer": "is related to the customer",
    "above_limit": "may not approve so much",
    "not_active": "no longer works here",
}


def seatings(stage: Stage, people: Iterable[Person], case: Case) -> tuple[Seating, ...]:
    """Who could fill each seat of a stage that begins now.

    An empty group goes to its fallback: to those of it whom no other open seat of the path asks, since two seats want
    two people.

    Args:
        stage: What begins.
        people: Everybody of the groups and their fallbacks, at least.
        case: The request.
    """
    everybody = tuple(people)
    return tuple(_seating(seat, everybody, case) for seat in stage.seats)


def path_seatings(approval: Approval, people: Iterable[Person], customer_id: str, base_minor: int) -> Seatings:
    """Who could fill each seat of each stage if it were asked now: what a preview shows, per stage."""
    everybody = tuple(people)
    found = []
    for index, stage in enumerate(approval.path.stages):
        asked = replace(approval, state=State.WAITING, stage=index)
        found.append(seatings(stage, everybody, Case(asked, customer_id, base_minor)))
    return tuple(found)


def _seating(seat: Seat, people: Sequence[Person], case: Case) -> Seating:
    told = [(person, case.against(seat, person)) for person in people if person.belongs_to(seat.group)]
    able = tuple(person for person, against in told if not against)
    unable = tuple((person, against) for person, against in told if against)
    if able or seat.fallback is None:
        return Seating(seat, able, unable)
    instead = tuple(
        person
        for person in people
        if person.belongs_to(seat.fallback)
        and may_stand_in(person)
        and not case.against(seat, person)
        and not asked_elsewhere(case.approval, person)
    )
    return Seating(seat, instead, unable, seat.fallback)


def short(found: Sequence[Seating]) -> tuple[Seating, ...]:
    """Seats that would lack people, since nobody fills two.

    Earlier seats are filled first; who was counted for one moves on where somebody else can fill it instead.
    """
    places = [index for index, one in enumerate(found) for _ in range(one.seat.quorum)]
    holds: dict[str, int] = {}

    def filled(place: int, tried: set[str]) -> bool:
        for person in found[places[place]].able:
            if person.person_id in tried:
                continue
            tried.add(person.person_id)
            if person.person_id not in holds or filled(holds[person.person_id], tried):
                holds[person.person_id] = place
                return True
        return False

    lacking = {places[place] for place in range(len(places)) if not filled(place, set())}
    return tuple(found[index] for index in sorted(lacking))


def remarks(path: ApprovalPath, found: Seatings) -> tuple[str, ...]:
    """What else a preview says of who decides: in whose place, who could not, and what a rejection would do."""
    said: list[str] = []
    for number, (stage, seats) in enumerate(zip(path.stages, found, strict=True), start=1):
        for one in seats:
            said += _remarks(one)
        if not stage.one_rejection_ends:
            who = " and ".join(seat.describe() for seat in stage.seats)
            where = f" of stage {number}" if len(path.stages) > 1 else ""
            said.append(f"One rejection{where} does not end it, as long as {who} can still agree.")
    return tuple(said)


def _remarks(one: Seating) -> list[str]:
    group, fallback = one.seat.group.label, one.seat.fallback
    said = [f"{person.name} of {group} could not: {why}." for person, why in one.unable]
    if one.fallback and one.able:
        said.append(f"Nobody of {group} could decide, so {one.fallback.label} decides in its place.")
    elif fallback and one.able:
        said.append(f"Should nobody of {group} be able to when it is asked, {fallback.label} decides in its place.")
    return said
