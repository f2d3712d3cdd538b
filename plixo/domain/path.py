"""The approval path: which groups must agree, in which order, and why."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from plixo.domain.people import Group


class Route(StrEnum):
    """What the decision table answers: who decides."""

    AUTOMATIC = "automatic"
    CONTROLLER = "controller"
    LEGAL = "legal"
    BOTH = "both"


@dataclass(frozen=True)
class Ruling:
    """A decision table's answer.

    Attributes:
        route: Who decides.
        rule: The matched rule's id.
        why: The rule in words for the people concerned.
        ceiling: Why the CFO must agree as well, in words; empty when a day's ceiling is not passed.
        stages: Name of the stages that the rule asks for; empty for those of its route.
    """

    route: Route
    rule: str
    why: str
    ceiling: str = ""
    stages: str = ""


DELEGATE: Final = "delegate"
"""Escalation to whoever stands in for the people that are asked."""

OFFICE_HOURS: Final = "Mon-Fri 09:00-17:00 UTC"
"""Whose hours count where nobody is asked, unless the policy says others."""


@dataclass(frozen=True)
class Escalation:
    """After how many business hours who may decide as well.

    Attributes:
        hours: Since the stage began.
        to: `delegate`, or the code of a group.
    """

    hours: int
    to: str

    @property
    def group(self) -> Group | None:
        """The group that may decide as well; None for delegates."""
        return None if self.to == DELEGATE else Group(self.to)

    @property
    def label(self) -> str:
        """Who may decide as well, in words."""
        return self.group.label if self.group else "their delegate"


@dataclass(frozen=True)
class Clock:
    """When a stage reminds, escalates and ends, in business hours since it began.

    Attributes:
        due_hours: When an answer is due.
        remind_hours: When whoever was asked is reminded, in order.
        expire_hours: When the request goes back to its requester; 0 for never.
        remind_every: And again, each so many hours after the last of those; 0 for never.
        escalations: In order.
        office: The hours of an office that count where nobody is asked.
    """

    due_hours: int
    remind_hours: tuple[int, ...]
    expire_hours: int
    remind_every: int = 0
    escalations: tuple[Escalation, ...] = ()
    office: str = OFFICE_HOURS


@dataclass(frozen=True)
class Seat:
    """One group's part in a stage.

    Attributes:
        group: Who decides.
        limit_minor: The most this group may approve here, in minor units of the base currency; None when two must
            agree and no single limit holds.
        stands_for: The group whose place it takes, when the requester belongs to that one.
        quorum: How many people of the group must agree.
        fallback: The group that decides in its place, should nobody of it be able to when the stage begins.
    """

    group: Group
    limit_minor: int | None = None
    stands_for: Group | None = None
    quorum: int = 1
    fallback: Group | None = None

    def describe(self) -> str:
        """Who is asked, in words, such as `Legal`; `2 of CFO` where one person does not do."""
        return self.group.label if self.quorum == 1 else f"{self.quorum} of {self.group.label}"


@dataclass(frozen=True)
class Stage:
    """Groups that decide side by side.

    Attributes:
        seats: Who decides.
        clock: The stage's own: due and ended with its last seat.
        clocks: One for each seat, where there are several.
        one_rejection_ends: Whether one rejection ends the request; otherwise it ends once a quorum cannot be reached.
    """

    seats: tuple[Seat, ...]
    clock: Clock
    clocks: tuple[Clock, ...] = ()
    one_rejection_ends: bool = True

    @property
    def groups(self) -> tuple[Group, ...]:
        """Who decides here."""
        return tuple(seat.group for seat in self.seats)

    def clocked(self) -> tuple[tuple[Seat, Clock], ...]:
        """Each seat with its clock."""
        return tuple(zip(self.seats, self.clocks or (self.clock,) * len(self.seats), strict=True))


@dataclass(frozen=True)
class ApprovalPath:
    """Ordered stages, with the rule that made them. No stages: the request is approved by policy.

    Attributes:
        rule: The decision table's matched rule.
        why: That rule in words.
        stages: In order.
        notes: What else the people concerned should know, such as who stands in for whom.
    """

    rule: str
    why: str
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def automatic(self) -> bool:
        """Whether nobody is asked."""
        return not self.stages

    def describe(self) -> tuple[str, ...]:
        """Each stage in words, such as `Controller and Legal`; `automatic` when nobody is asked."""
        if self.automatic:
            return ("automatic",)
        return tuple(" and ".join(seat.describe() for seat in stage.seats) for stage in self.stages)

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be signed or stored."""
        return {
            "rule": self.rule,
            "why": self.why,
            "notes": list(self.notes),
            "stages": [_stage_claims(stage) for stage in self.stages],
        }

    @classmethod
    def from_claims(cls, plain: dict[str, Any]) -> "ApprovalPath":
        """The path that `to_claims` wrote."""
        stages = tuple(
            Stage(
                tuple(_seat(seat) for seat in stage["seats"]),
                _clock(stage["clock"]),
                tuple(_clock(clock) for clock in stage.get("clocks", ())),
                stage.get("one_rejection_ends", True),
            )
            for stage in plain["stages"]
        )
        return cls(plain["rule"], plain["why"], stages, tuple(plain["notes"]))


def _stage_claims(stage: Stage) -> dict[str, Any]:
    """As the first stages were signed, as far as that says it; so are seats and clocks."""
    claims: dict[str, Any] = {
        "clock": _clock_claims(stage.clock),
        "seats": [_seat_claims(seat) for seat in stage.seats],
    }
    claims |= {"clocks": [_clock_claims(clock) for clock in stage.clocks]} if stage.clocks else {}
    return claims | ({} if stage.one_rejection_ends else {"one_rejection_ends": False})


def _seat_claims(seat: Seat) -> dict[str, Any]:
    return {
        "group": seat.group.value,
        "limit_minor": seat.limit_minor,
        "stands_for": seat.stands_for.value if seat.stands_for else None,
        "quorum": seat.quorum,
    } | ({"fallback": seat.fallback.value} if seat.fallback else {})


def _clock_claims(clock: Clock) -> dict[str, Any]:
    """As the first paths were signed, as far as that says it: audits hold what was signed then against this."""
    first, *more = clock.remind_hours
    said: dict[str, Any] = {
        "due_hours": clock.due_hours,
        "remind_hours": [first, *more] if more else first,
        "expire_hours": clock.expire_hours,
    }
    if clock.remind_every:
        said["remind_every"] = clock.remind_every
    if clock.escalations:
        said["escalations"] = [{"hours": one.hours, "to": one.to} for one in clock.escalations]
    return said if clock.office == OFFICE_HOURS else {**said, "office": clock.office}


def _clock(plain: dict[str, Any]) -> Clock:
    """A clock as it was signed; the first paths had one reminder, and said nothing of escalation or an office."""
    remind = plain["remind_hours"]
    return Clock(
        due_hours=plain["due_hours"],
        remind_hours=(remind,) if isinstance(remind, int) else tuple(remind),
        expire_hours=plain["expire_hours"],
        remind_every=plain.get("remind_every", 0),
        escalations=tuple(Escalation(one["hours"], one["to"]) for one in plain.get("escalations", ())),
        office=plain.get("office", OFFICE_HOURS),
    )


def _seat(plain: dict[str, Any]) -> Seat:
    stands_for, fallback = plain["stands_for"], plain.get("fallback")
    return Seat(
        Group(plain["group"]),
        plain["limit_minor"],
        Group(stands_for) if stands_for else None,
        plain["quorum"],
        Group(fallback) if fallback else None,
    )
