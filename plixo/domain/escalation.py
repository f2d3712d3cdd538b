"""Who may decide as well, once a stage has waited for too long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plixo.domain.path import DELEGATE, Clock, Seat
from plixo.domain.people import Group, Person

_DELEGATE_OF: Final = "delegate:"
_GROUP: Final = "group:"
_FALLBACK: Final = "fallback:"
_REASSIGNED: Final = "reassigned:"

ABSENCE: Final = "absence"
"""Why somebody may decide as well: whoever was asked is away."""


@dataclass(frozen=True)
class Escalated:
    """A seat that others may fill as well by now.

    Attributes:
        seat: The group whose seat it is.
        to: `delegate`, or the code of a group; `absence` where whoever is asked is away.
        since: Seconds since 1970 in UTC.
        stand_ins: By the id of who may decide: on what their decision then rests.
        fallback: Whether they decide because nobody of the seat's group could when the stage began.
    """

    seat: Group
    to: str
    since: int
    stand_ins: tuple[tuple[str, str], ...] = ()
    fallback: bool = False

    @property
    def label(self) -> str:
        """Who may decide as well, in words."""
        return "their delegate" if self.to in {DELEGATE, ABSENCE} else Group(self.to).label

    def basis_of(self, person_id: str) -> str:
        """On what a decision of theirs would rest; empty where they are not meant."""
        return dict(self.stand_ins).get(person_id, "")

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be stored."""
        said = {"seat": self.seat.value, "to": self.to, "since": self.since, "stand_ins": [*map(list, self.stand_ins)]}
        return said | ({"fallback": True} if self.fallback else {})

    @classmethod
    def from_claims(cls, plain: Mapping[str, Any]) -> "Escalated":
        """What `to_claims` wrote."""
        stand_ins = tuple((str(who), str(basis)) for who, basis in plain["stand_ins"])
        to = str(plain["to"])
        to = DELEGATE if to == DELEGATE else Group(to).value
        return cls(Group(plain["seat"]), to, int(plain["since"]), stand_ins, bool(plain.get("fallback", False)))


def basis_of_delegate(asked_id: str) -> str:
    """The basis of a decision by the delegate of somebody who is asked."""
    return f"{_DELEGATE_OF}{asked_id}"


def basis_of_reassigned(administrator_id: str) -> str:
    """The basis of a decision by somebody whom an administrator gave the seat's part to."""
    return f"{_REASSIGNED}{administrator_id}"


def reassigned_by(basis: str) -> str:
    """Which administrator gave somebody the seat's part, by id; empty where none did."""
    return basis.removeprefix(_REASSIGNED) if basis.startswith(_REASSIGNED) else ""


def basis_of_group(group: Group) -> str:
    """The basis of a decision by somebody of a group that may decide as well."""
    return f"{_GROUP}{group.value}"


def basis_of_fallback(group: Group) -> str:
    """The basis of a decision by somebody of the group that an empty one goes to."""
    return f"{_FALLBACK}{group.value}"


def acting_for(basis: str) -> str:
    """Whose delegate decided, by id; empty where it was no delegate."""
    return basis.removeprefix(_DELEGATE_OF) if basis.startswith(_DELEGATE_OF) else ""


def basis_in_words(basis: str, names: Mapping[str, str]) -> str:
    """On what a decision rests, in words; empty for who was asked from the start."""
    asked = acting_for(basis)
    if asked:
        return f"as delegate of {names.get(asked, asked)}"
    if reassigned_by(basis):
        return f"re-assigned by {names.get(reassigned_by(basis), reassigned_by(basis))}"
    kind, _, group = basis.partition(":")
    if group not in set(Group):
        return ""
    words = {_GROUP: f"as {Group(group).label}", _FALLBACK: f"as {Group(group).label}, since nobody of them could"}
    return words.get(f"{kind}:", "")


def falls_back(basis: str, seat: Seat, person: Person) -> bool:
    """Whether the signed seat names such a fallback, and the directory still says that the person is of it.

    That nobody of the seat's own group could decide was found when the stage began.
    """
    fallback = seat.fallback
    return fallback is not None and basis == basis_of_fallback(fallback) and person.belongs_to(fallback)


def stands_in(basis: str, clock: Clock, seat: Group, person: Person, asked: Person | None) -> bool:
    """Whether the seat's signed clock names such a stand-in, and the directory still says that they are one.

    Args:
        basis: What the signed decision says.
        clock: The seat's, as it was signed.
        seat: The group that was asked.
        person: Who decided.
        asked: For whom they acted, where they did as a delegate.
    """
    named = {one.to for one in clock.escalations}
    if acting_for(basis):
        theirs = asked is not None and asked.belongs_to(seat) and asked.delegate_id == person.person_id
        return DELEGATE in named and theirs
    return any(basis == basis_of_group(group) and group.value in named and person.belongs_to(group) for group in Group)
