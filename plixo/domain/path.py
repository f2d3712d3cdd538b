"""The approval path: which groups must agree, in which order, and why."""

from dataclasses import dataclass, replace
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
    """

    route: Route
    rule: str
    why: str
    ceiling: str = ""


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
    """

    group: Group
    limit_minor: int | None = None
    stands_for: Group | None = None
    quorum: int = 1

    def describe(self) -> str:
        """Who is asked, in words, such as `Legal`; `2 of CFO` where one person does not do."""
        return self.group.label if self.quorum == 1 else f"{self.quorum} of {self.group.label}"


@dataclass(frozen=True)
class Stage:
    """Groups that decide side by side. One rejection ends the request.

    Attributes:
        seats: Who decides.
        clock: The stage's own: due and ended with its last seat.
        clocks: One for each seat, where there are several.
    """

    seats: tuple[Seat, ...]
    clock: Clock
    clocks: tuple[Clock, ...] = ()

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
            )
            for stage in plain["stages"]
        )
        return cls(plain["rule"], plain["why"], stages, tuple(plain["notes"]))


@dataclass(frozen=True)
class PathLimits:
    """What the published policy says about approvers, for one kind of request.

    Attributes:
        controller_alone: The most a Controller approves alone, in minor units of the base currency.
        legal_alone: The most Legal approves alone.
        clocks: Per approving group.
    """

    controller_alone: int
    legal_alone: int
    clocks: dict[Group, Clock]


def build_path(ruling: Ruling, requester: frozenset[Group], amount_minor: int, limits: PathLimits) -> ApprovalPath:
    """The path that a ruling means for this requester.

    A Controller's own request goes to Legal, and Legal's own to the Controller; above the limit of whoever is left,
    and wherever both were asked for, the CFO takes the requester's place. Where the requester is both, the CFO
    decides alone up to the limit of whom they replace, and beyond it two people of that group.

    Args:
        ruling: The decision table's answer.
        requester: The requester's groups.
        amount_minor: The amount in minor units of the base currency.
        limits: The published limits and clocks.
    """
    if ruling.route is Route.AUTOMATIC and not ruling.ceiling:
        return ApprovalPath(ruling.rule, ruling.why)
    seats, notes = _seats(ruling.route, requester, amount_minor, limits)
    stages = [_stage(seats, limits)] if seats else []
    if ruling.ceiling and not any(seat.group is Group.CFO for seat in seats):
        stages.append(_stage((Seat(Group.CFO),), limits))
    if ruling.ceiling:
        notes = (*notes, ruling.ceiling)
    if Group.CFO in requester and any(seat.group is Group.CFO for stage in stages for seat in stage.seats):
        notes = (*notes, "The requester is CFO: somebody else of that group must agree; with nobody else it waits.")
    return ApprovalPath(ruling.rule, ruling.why, tuple(stages), notes)


def _seats(
    route: Route,
    requester: frozenset[Group],
    amount_minor: int,
    limits: PathLimits,
) -> tuple[tuple[Seat, ...], tuple[str, ...]]:
    own = {Group.CONTROLLER, Group.LEGAL} & requester
    if route is Route.AUTOMATIC:
        return (), ()
    if not own:
        return _usual_seats(route, limits), ()
    if len(own) == 1:
        return _seats_without(own.pop(), route, amount_minor, limits)
    return _seats_of_cfo(route, amount_minor, limits)


def _seats_without(
    mine: Group,
    route: Route,
    amount_minor: int,
    limits: PathLimits,
) -> tuple[tuple[Seat, ...], tuple[str, ...]]:
    """Who decides when the requester is Controller, or is Legal."""
    other = Group.LEGAL if mine is Group.CONTROLLER else Group.CONTROLLER
    alone = _alone(other, limits)
    note = f"The requester is {mine.label}, who may not decide on it."
    if route is Route.BOTH or amount_minor > alone:
        return (Seat(other), Seat(Group.CFO, stands_for=mine)), (note, f"The CFO takes the place of {mine.label}.")
    if route.value == other.value:
        return (Seat(other, alone),), ()
    return (Seat(other, alone, stands_for=mine),), (note, f"{other.label} takes the place of {mine.label}.")


def _seats_of_cfo(route: Route, amount_minor: int, limits: PathLimits) -> tuple[tuple[Seat, ...], tuple[str, ...]]:
    """Who decides when the requester is both Controller and Legal."""
    note = "The requester is Controller and Legal, who may not decide on it."
    replaced = Group.LEGAL if route is Route.LEGAL else Group.CONTROLLER
    alone = _alone(replaced, limits)
    if route is Route.BOTH or amount_minor > alone:
        return (Seat(Group.CFO, stands_for=Group.CONTROLLER, quorum=2),), (
            note,
            "Two people of the CFO group must agree; with one it waits.",
        )
    return (Seat(Group.CFO, alone, stands_for=replaced),), (note, f"The CFO takes the place of {replaced.label}.")


def _alone(group: Group, limits: PathLimits) -> int:
    return limits.legal_alone if group is Group.LEGAL else limits.controller_alone


def _usual_seats(route: Route, limits: PathLimits) -> tuple[Seat, ...]:
    if route is Route.CONTROLLER:
        return (Seat(Group.CONTROLLER, limits.controller_alone),)
    if route is Route.LEGAL:
        return (Seat(Group.LEGAL, limits.legal_alone),)
    return (Seat(Group.CONTROLLER), Seat(Group.LEGAL))


def _stage(seats: tuple[Seat, ...], limits: PathLimits) -> Stage:
    clocks = tuple(limits.clocks[seat.group] for seat in seats)
    if len(clocks) == 1:
        return Stage(seats, clocks[0])
    return Stage(seats, _last_of(clocks), clocks)


def _last_of(clocks: tuple[Clock, ...]) -> Clock:
    """When the first of them reminds and the last of them ends."""
    expiries = [clock.expire_hours for clock in clocks]
    return replace(
        clocks[0],
        due_hours=max(clock.due_hours for clock in clocks),
        remind_hours=min(clock.remind_hours for clock in clocks),
        expire_hours=max(expiries) if all(expiries) else 0,
        remind_every=0,
        escalations=(),
    )


def _stage_claims(stage: Stage) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "clock": _clock_claims(stage.clock),
        "seats": [
            {
                "group": seat.group.value,
                "limit_minor": seat.limit_minor,
                "stands_for": seat.stands_for.value if seat.stands_for else None,
                "quorum": seat.quorum,
            }
            for seat in stage.seats
        ],
    }
    return claims | ({"clocks": [_clock_claims(clock) for clock in stage.clocks]} if stage.clocks else {})


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
    stands_for = plain["stands_for"]
    return Seat(Group(plain["group"]), plain["limit_minor"], Group(stands_for) if stands_for else None, plain["quorum"])
