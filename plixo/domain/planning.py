"""The path that a ruling means for a requester: which groups are asked, in which order, and how many of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from plixo.domain.path import ApprovalPath, Clock, Route, Ruling, Seat, Stage
from plixo.domain.people import Group

ASKED: Final = {
    Route.CONTROLLER: (Group.CONTROLLER,),
    Route.LEGAL: (Group.LEGAL,),
    Route.BOTH: (Group.CONTROLLER, Group.LEGAL),
}
"""The groups that each route asks, once each."""


@dataclass(frozen=True)
class StagePlan:
    """A stage as the policy says it.

    Attributes:
        seats: The groups side by side, each with how many of its people must agree.
        one_rejection_ends: Whether one rejection ends the request.
    """

    seats: tuple[tuple[Group, int], ...]
    one_rejection_ends: bool = True


def usual_stages(route: Route) -> tuple[StagePlan, ...]:
    """How a route is asked where the policy does not say: one person of each group, all side by side."""
    return (StagePlan(tuple((group, 1) for group in ASKED[route])),)


@dataclass(frozen=True)
class PathLimits:
    """What the published policy says about approvers, for one kind of request.

    Attributes:
        controller_alone: The most a Controller approves alone, in minor units of the base currency.
        legal_alone: The most Legal approves alone.
        clocks: Per approving group.
        fallbacks: Per group, who decides in its place should nobody of it be able to.
        stages: By name, how the people of a route are asked; a route's own bear its name.
    """

    controller_alone: int
    legal_alone: int
    clocks: Mapping[Group, Clock]
    fallbacks: Mapping[Group, Group] = field(default_factory=dict)
    stages: Mapping[str, tuple[StagePlan, ...]] = field(default_factory=dict)

    def planned(self, route: Route, name: str = "") -> tuple[StagePlan, ...]:
        """The stages of that name, or else of the route."""
        return self.stages.get(name or route.value) or usual_stages(route)


@dataclass(frozen=True)
class _Draft:
    """Stages before their clocks and fallbacks: seats side by side, and whether one rejection ends the request."""

    stages: tuple[tuple[tuple[Seat, ...], bool], ...] = ()
    notes: tuple[str, ...] = ()


def build_path(ruling: Ruling, requester: frozenset[Group], amount_minor: int, limits: PathLimits) -> ApprovalPath:
    """The path that a ruling means for this requester.

    A Controller's own request goes to Legal, and Legal's own to the Controller; above the limit of whoever is left,
    and wherever both were asked for, the CFO takes the requester's place. Where the requester is both, the CFO
    decides alone up to the limit of whom they replace, and beyond it as many people of that group as both places
    have, two at least. Whoever takes a place takes its quorum.

    Args:
        ruling: The decision table's answer.
        requester: The requester's groups.
        amount_minor: The amount in minor units of the base currency.
        limits: The published limits, clocks, stages and fallbacks.
    """
    if ruling.route is Route.AUTOMATIC and not ruling.ceiling:
        return ApprovalPath(ruling.rule, ruling.why)
    draft = _draft(ruling, requester, amount_minor, limits)
    stages, notes = list(draft.stages), draft.notes
    if ruling.ceiling and not any(seat.group is Group.CFO for seats, _ in stages for seat in seats):
        stages.append(((Seat(Group.CFO),), True))
    if ruling.ceiling:
        notes = (*notes, ruling.ceiling)
    if Group.CFO in requester and any(seat.group is Group.CFO for seats, _ in stages for seat in seats):
        notes = (*notes, "The requester is CFO: somebody else of that group must agree; with nobody else it waits.")
    return ApprovalPath(ruling.rule, ruling.why, _with_clocks(stages, requester, limits), notes)


def _draft(ruling: Ruling, requester: frozenset[Group], amount_minor: int, limits: PathLimits) -> _Draft:
    own = frozenset({Group.CONTROLLER, Group.LEGAL}) & requester
    if ruling.route is Route.AUTOMATIC:
        return _Draft()
    if not own:
        alone = None if ruling.route is Route.BOTH else limits
        planned = limits.planned(ruling.route, ruling.stages)
        return _Draft(_seated(planned, lambda group, n: Seat(group, _alone(group, alone), quorum=n)))
    if len(own) == 1:
        return _without(next(iter(own)), ruling, amount_minor, limits)
    return _of_cfo(ruling, amount_minor, limits)


def _without(mine: Group, ruling: Ruling, amount_minor: int, limits: PathLimits) -> _Draft:
    """Who decides when the requester is Controller, or is Legal."""
    other = Group.LEGAL if mine is Group.CONTROLLER else Group.CONTROLLER
    alone = _alone(other, limits)
    note = f"The requester is {mine.label}, who may not decide on it."
    if ruling.route is Route.BOTH or (alone is not None and amount_minor > alone):

        def seat(group: Group, n: int) -> Seat:
            return Seat(group, quorum=n) if group is other else Seat(Group.CFO, stands_for=mine, quorum=n)

        return _Draft(_seated(_for_both(ruling, limits), seat), (note, f"The CFO takes the place of {mine.label}."))
    planned = limits.planned(ruling.route, ruling.stages)
    if ruling.route.value == other.value:
        return _Draft(_seated(planned, lambda group, n: Seat(group, alone, quorum=n)))
    stages = _seated(planned, lambda _, n: Seat(other, alone, stands_for=mine, quorum=n))
    return _Draft(stages, (note, f"{other.label} takes the place of {mine.label}."))


def _of_cfo(ruling: Ruling, amount_minor: int, limits: PathLimits) -> _Draft:
    """Who decides when the requester is both Controller and Legal."""
    note = "The requester is Controller and Legal, who may not decide on it."
    replaced = Group.LEGAL if ruling.route is Route.LEGAL else Group.CONTROLLER
    alone = _alone(replaced, limits)
    if ruling.route is Route.BOTH or (alone is not None and amount_minor > alone):
        both = _for_both(ruling, limits)
        n = max(2, sum(quorum for stage in both for _, quorum in stage.seats))
        seat = Seat(Group.CFO, stands_for=Group.CONTROLLER, quorum=n)
        people = {2: "Two people"}.get(n, f"{n} people")
        less = "with one" if n == 2 else "with fewer"  # noqa: PLR2004 - two is a word of its own
        ends = any(stage.one_rejection_ends for stage in both)
        return _Draft((((seat,), ends),), (note, f"{people} of the CFO group must agree; {less} it waits."))
    planned = limits.planned(ruling.route, ruling.stages)
    stages = _seated(planned, lambda _, n: Seat(Group.CFO, alone, stands_for=replaced, quorum=n))
    return _Draft(stages, (note, f"The CFO takes the place of {replaced.label}."))


def _for_both(ruling: Ruling, limits: PathLimits) -> tuple[StagePlan, ...]:
    """How both places are asked; of a group that the table asks alone, no fewer people than it asks there."""
    if ruling.route is Route.BOTH:
        return limits.planned(ruling.route, ruling.stages)
    asked = {group: n for stage in limits.planned(ruling.route, ruling.stages) for group, n in stage.seats}
    return tuple(
        replace(stage, seats=tuple((group, max(n, asked.get(group, 1))) for group, n in stage.seats))
        for stage in limits.planned(Route.BOTH)
    )


def _seated(
    planned: tuple[StagePlan, ...], seat: Callable[[Group, int], Seat]
) -> tuple[tuple[tuple[Seat, ...], bool], ...]:
    """The planned stages with the seat of each group; whoever takes another's place comes last in its stage."""
    return tuple(
        (
            tuple(sorted((seat(group, n) for group, n in stage.seats), key=lambda one: one.group is Group.CFO)),
            stage.one_rejection_ends,
        )
        for stage in planned
    )


def _alone(group: Group, limits: PathLimits | None) -> int | None:
    if limits is None:
        return None
    return limits.legal_alone if group is Group.LEGAL else limits.controller_alone


def _with_clocks(
    stages: list[tuple[tuple[Seat, ...], bool]], requester: frozenset[Group], limits: PathLimits
) -> tuple[Stage, ...]:
    found = []
    for index, (seats, ends) in enumerate(stages):
        asked = {seat.group for later, _ in stages[index:] for seat in later}
        passed_over = asked | ({Group.CONTROLLER, Group.LEGAL} & requester)
        kept = tuple(replace(seat, fallback=_fallback(seat, passed_over, limits)) for seat in seats)
        found.append(_stage(kept, limits, one_rejection_ends=ends))
    return tuple(found)


def _fallback(seat: Seat, passed_over: set[Group], limits: PathLimits) -> Group | None:
    """Never a group that is asked itself, since two places want two people, nor one that the requester is of."""
    named = limits.fallbacks.get(seat.group)
    return None if named in passed_over else named


def _stage(seats: tuple[Seat, ...], limits: PathLimits, *, one_rejection_ends: bool) -> Stage:
    clocks = tuple(limits.clocks[seat.group] for seat in seats)
    if len(clocks) == 1:
        return Stage(seats, clocks[0], one_rejection_ends=one_rejection_ends)
    return Stage(seats, _last_of(clocks), clocks, one_rejection_ends)


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
