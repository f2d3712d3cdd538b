"""How a policy asks the people of a route: how many, in which order, and who decides in an empty group's place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import canonical_json
from plixo.domain.path import ApprovalPath, Clock, Route, Ruling, Seat
from plixo.domain.people import Group
from plixo.domain.planning import PathLimits, StagePlan, build_path, usual_stages

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCKS = {C: Clock(8, (4,), 40), L: Clock(16, (7,), 80), CFO: Clock(17, (9,), 90)}
PLAIN = PathLimits(controller_alone=2_500_000, legal_alone=500_000, clocks=CLOCKS)
LEGAL_FIRST = (StagePlan(((L, 1),)), StagePlan(((C, 2),), one_rejection_ends=False))
CEILING = "The company's credits of today pass its daily ceiling, so the CFO must agree as well."

quorums = st.integers(1, 9)


@st.composite
def plans(draw: st.DrawFn, groups: tuple[Group, ...]) -> tuple[StagePlan, ...]:
    seats = draw(st.permutations([(group, draw(quorums)) for group in groups]))
    if draw(st.booleans()):
        return (StagePlan(tuple(sorted(seats)), draw(st.booleans())),)
    return tuple(StagePlan((seat,), draw(st.booleans())) for seat in seats)


@st.composite
def policies(draw: st.DrawFn) -> PathLimits:
    stages = {"controller": draw(plans((C,))), "legal": draw(plans((L,))), "both": draw(plans((C, L)))}
    kept = draw(st.sets(st.sampled_from(sorted(stages))))
    fallbacks = {C: draw(st.sampled_from([None, L, CFO])), L: draw(st.sampled_from([None, C, CFO]))}
    return replace(
        PLAIN,
        stages={name: stages[name] for name in sorted(kept)},
        fallbacks={group: to for group, to in fallbacks.items() if to},
    )


routes = st.sampled_from([Route.CONTROLLER, Route.LEGAL, Route.BOTH])
requesters = st.frozensets(st.sampled_from([C, L, CFO, Group.BILLING_ADMIN]))
amounts = st.sampled_from([1, 500_000, 500_001, 2_500_000, 2_500_001])


def seats(path: ApprovalPath) -> list[tuple[Seat, ...]]:
    return [stage.seats for stage in path.stages]


def total(stages: tuple[StagePlan, ...]) -> int:
    return sum(n for stage in stages for _, n in stage.seats)


@given(policies(), routes, requesters, amounts, st.sampled_from(["", CEILING]))
def test_whatever_a_policy_says_two_places_want_two_people_and_nobody_of_the_requesters_group(
    limits: PathLimits, route: Route, requester: frozenset[Group], amount: int, ceiling: str
) -> None:
    path = build_path(Ruling(route, "r", "w", ceiling), requester, amount, limits)
    own = requester & {C, L}
    asked = [seat.group for stage in path.stages for seat in stage.seats]
    assert len(asked) == len(set(asked))
    assert not own & set(asked)
    assert (CFO in asked) or not ceiling
    if route is Route.BOTH:
        assert sum(seat.quorum for stage in path.stages for seat in stage.seats) >= 2
    for index, stage in enumerate(path.stages):
        later = {seat.group for following in path.stages[index:] for seat in following.seats}
        for seat in stage.seats:
            assert seat.fallback is None or (
                seat.fallback is limits.fallbacks[seat.group] and seat.fallback not in later | own
            )
    assert ApprovalPath.from_claims(path.to_claims()) == path
    canonical_json(path.to_claims())


@given(policies(), routes, requesters, amounts)
def test_whoever_asks_no_fewer_people_decide_than_the_policy_says(
    limits: PathLimits, route: Route, requester: frozenset[Group], amount: int
) -> None:
    path = build_path(Ruling(route, "r", "w"), requester, amount, limits)
    asked = sum(seat.quorum for stage in path.stages for seat in stage.seats)
    planned = limits.planned(route)
    assert asked >= total(planned)
    if not requester & {C, L}:
        assert [[(seat.group, seat.quorum) for seat in stage.seats] for stage in path.stages] == [
            list(stage.seats) for stage in planned
        ]
        assert [stage.one_rejection_ends for stage in path.stages] == [stage.one_rejection_ends for stage in planned]


@given(routes, requesters, amounts, st.sampled_from(["", CEILING]))
def test_a_policy_that_says_the_usual_makes_the_same_path_as_one_that_says_nothing(
    route: Route, requester: frozenset[Group], amount: int, ceiling: str
) -> None:
    ruling = Ruling(route, "r", "w", ceiling)
    said = replace(PLAIN, stages={one.value: usual_stages(one) for one in (Route.CONTROLLER, Route.LEGAL, Route.BOTH)})
    assert build_path(ruling, requester, amount, said) == build_path(ruling, requester, amount, PLAIN)


def path(requester: set[Group], route: Route = Route.BOTH, amount: int = 100, name: str = "") -> ApprovalPath:
    limits = replace(PLAIN, stages={"both": LEGAL_FIRST, "few": usual_stages(Route.BOTH)}, fallbacks={C: CFO, L: CFO})
    return build_path(Ruling(route, "r", "w", stages=name), frozenset(requester), amount, limits)


def test_legal_may_come_first_and_then_two_controllers() -> None:
    built = path(set())
    assert seats(built) == [(Seat(L, fallback=CFO),), (Seat(C, quorum=2, fallback=CFO),)]
    assert [stage.one_rejection_ends for stage in built.stages] == [True, False]
    assert built.describe() == ("Legal", "2 of Controller")
    assert [stage.clock for stage in built.stages] == [CLOCKS[L], CLOCKS[C]]
    assert built.to_claims()["stages"][1]["one_rejection_ends"] is False
    assert "one_rejection_ends" not in built.to_claims()["stages"][0]


def test_a_rule_may_name_stages_of_its_own() -> None:
    assert seats(path(set(), name="few")) == [(Seat(C, fallback=CFO), Seat(L, fallback=CFO))]


def test_who_takes_a_place_takes_its_quorum_and_its_turn() -> None:
    """And no place falls back to the CFO who is yet to be asked; once one of them has decided, another may."""
    assert seats(path({C})) == [(Seat(L),), (Seat(CFO, stands_for=C, quorum=2),)]
    assert seats(path({L})) == [(Seat(CFO, stands_for=L),), (Seat(C, quorum=2, fallback=CFO),)]
    built = path({C, L})
    assert seats(built) == [(Seat(CFO, stands_for=C, quorum=3),)]
    assert built.stages[0].one_rejection_ends, "one of the two places ends with a rejection"
    assert built.notes[1] == "3 people of the CFO group must agree; with fewer it waits."


@pytest.mark.parametrize(("n", "expected"), [(1, 2), (5, 5)])
def test_above_the_limit_of_who_is_left_no_fewer_of_a_place_decide_than_on_its_own_route(n: int, expected: int) -> None:
    limits = replace(PLAIN, stages={"controller": (StagePlan(((C, n),)),), "both": LEGAL_FIRST})
    built = build_path(Ruling(Route.CONTROLLER, "r", "w"), frozenset({C}), 500_001, limits)
    assert seats(built) == [(Seat(L),), (Seat(CFO, stands_for=C, quorum=expected),)]


def test_a_fallback_is_never_of_the_requesters_own_group() -> None:
    limits = replace(PLAIN, fallbacks={C: L, L: C})
    assert seats(build_path(Ruling(Route.CONTROLLER, "r", "w"), frozenset({L}), 100, limits)) == [(Seat(C, 2_500_000),)]
    assert seats(build_path(Ruling(Route.CONTROLLER, "r", "w"), frozenset(), 100, limits)) == [
        (Seat(C, 2_500_000, fallback=L),)
    ]


def test_in_series_an_empty_group_may_go_to_one_that_has_decided_before() -> None:
    limits = replace(PLAIN, fallbacks={C: L, L: C}, stages={"both": LEGAL_FIRST})
    assert seats(build_path(Ruling(Route.BOTH, "r", "w"), frozenset(), 100, limits)) == [
        (Seat(L),),
        (Seat(C, quorum=2, fallback=L),),
    ]
