"""Who could fill a seat, who decides in an empty group's place, and whether there are enough for all of them."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.approval import Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.seating import Case, Seating, path_seatings, remarks, seatings, short

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)


def person(name: str, *groups: Group, related: str = "", limit: int | None = None, active: bool = True) -> Person:
    limits = {} if limit is None else {"credit": limit}
    about = frozenset({related} if related else ())
    found = Person(f"p-{name}", name, f"{name}@plixo.example", frozenset(groups), limits)
    return replace(found, related_customers=about, active=active)


ANN, BEN, LEO, CHIEF = person("Ann", C), person("Ben", C), person("Leo", L), person("Chief", CFO)


def approval(*stages: Stage, requester: str = "p-admin") -> Approval:
    return Approval("CR-1", requester, "digest", 1_000, ApprovalPath("r", "w", stages), "credit", state=State.WAITING)


def stage(*seats: Seat, ends: bool = True) -> Stage:
    return Stage(seats, CLOCK, one_rejection_ends=ends)


def found(seat: Seat, *people: Person, **changed: str) -> Seating:
    (one,) = seatings(stage(seat), people, Case(approval(stage(seat), **changed), "cus_1", 1_000))
    return one


def names(one: Seating) -> list[str]:
    return [known.name for known in one.able]


def test_everybody_of_the_group_who_may_decide_could_fill_it() -> None:
    one = found(Seat(C, 1_000, fallback=CFO), ANN, BEN, LEO, CHIEF)
    assert (names(one), one.unable, one.fallback) == (["Ann", "Ben"], (), None)


@pytest.mark.parametrize(
    ("nobody", "why"),
    [
        (person("Ann", C, related="cus_1"), "is related to the customer"),
        (person("Ann", C, limit=999), "may not approve so much"),
        (replace(ANN, person_id="p-admin"), "asked for it"),
    ],
    ids=["related", "limit", "requester"],
)
def test_where_nobody_of_the_group_may_decide_it_goes_to_its_fallback(nobody: Person, why: str) -> None:
    one = found(Seat(C, 1_000, fallback=CFO), nobody, LEO, CHIEF)
    assert (names(one), one.unable, one.fallback) == (["Chief"], ((nobody, why),), CFO)
    alone = found(Seat(C, 1_000), nobody, LEO, CHIEF)
    assert (names(alone), alone.unable, alone.fallback) == ([], ((nobody, why),), None)


def test_who_left_is_not_of_the_group() -> None:
    one = found(Seat(C, fallback=CFO), person("Ann", C, active=False), CHIEF)
    assert (names(one), one.unable, one.fallback) == (["Chief"], (), CFO)


@pytest.mark.parametrize(
    "chief",
    [
        person("Chief", CFO, related="cus_1"),
        person("Chief", CFO, limit=999),
        person("Chief", CFO, active=False),
        replace(CHIEF, person_id="p-admin"),
    ],
    ids=["related", "limit", "left", "requester"],
)
def test_whoever_decides_in_its_place_is_bound_by_the_same(chief: Person) -> None:
    one = found(Seat(C, 1_000, fallback=CFO), chief)
    assert (names(one), one.fallback) == ([], CFO)


def test_one_is_enough_for_a_group_not_to_be_empty_even_where_more_must_agree() -> None:
    one = found(Seat(C, quorum=2, fallback=CFO), ANN, CHIEF)
    assert (names(one), one.fallback) == (["Ann"], None)
    assert short([one]) == (one,)


def test_nobody_fills_an_empty_seat_who_is_asked_for_another_open_one() -> None:
    both = person("Both", CFO, C)
    side = (stage(Seat(C), Seat(L, fallback=CFO)),)
    ask = Case(approval(*side), "cus_1", 1_000)
    assert [names(one) for one in seatings(side[0], [both, CHIEF], ask)] == [["Both"], ["Chief"]]
    then = (stage(Seat(L, fallback=CFO)), stage(Seat(C)))
    assert [names(one) for one in seatings(then[0], [both], Case(approval(*then), "cus_1", 1_000))] == [[]]


def test_who_has_decided_in_an_earlier_stage_could_not_fill_a_later_one() -> None:
    stages = (stage(Seat(L)), stage(Seat(C)))
    said = Decision("d", "CR-1", 0, 0, "p-Ann", L, Verdict.APPROVE, "digest", 1_000)
    later = replace(approval(*stages), stage=1, decisions=(said,))
    (one,) = seatings(stages[1], [ANN, BEN], Case(later, "cus_1", 1_000))
    assert (names(one), one.unable) == (["Ben"], ((ANN, "has decided already"),))
    (again,) = seatings(stages[1], [ANN, BEN], Case(replace(later, round=1, since_round=1), "cus_1", 1_000))
    assert names(again) == ["Ann", "Ben"]


def test_a_preview_looks_at_every_stage_and_says_what_is_unusual() -> None:
    ann = person("Ann", C, related="cus_1")
    stages = (stage(Seat(L, fallback=CFO)), stage(Seat(C, quorum=2, fallback=CFO), ends=False))
    asked = replace(approval(*stages), state=State.ROUTING)
    seats = path_seatings(asked, [ann, BEN, LEO, CHIEF], "cus_1", 1_000)
    assert [[names(one) for one in some] for some in seats] == [[["Leo"]], [["Ben"]]]
    assert remarks(asked.path, seats) == (
        "Should nobody of Legal be able to when it is asked, CFO decides in its place.",
        "Ann of Controller could not: is related to the customer.",
        "Should nobody of Controller be able to when it is asked, CFO decides in its place.",
        "One rejection of stage 2 does not end it, as long as 2 of Controller can still agree.",
    )
    assert short([one for some in seats for one in some]) == (seats[1][0],)


def test_of_an_empty_group_the_preview_says_who_decides_and_nothing_of_nobody() -> None:
    path = ApprovalPath("r", "w", (stage(Seat(C, fallback=CFO), ends=False),))
    seats = path_seatings(replace(approval(), path=path), [CHIEF], "cus_1", 1_000)
    assert remarks(path, seats) == (
        "Nobody of Controller could decide, so CFO decides in its place.",
        "One rejection does not end it, as long as Controller can still agree.",
    )
    assert remarks(path, path_seatings(replace(approval(), path=path), [], "cus_1", 1_000))[:-1] == ()


def test_who_is_in_two_groups_fills_one_seat() -> None:
    both = person("Both", C, L)
    one, two = Seating(Seat(C), (both,)), Seating(Seat(L), (both,))
    assert short([one, two]) == (two,)
    assert short([one, Seating(Seat(L), (both, LEO))]) == ()
    assert short([Seating(Seat(C), (both, ANN)), two]) == (), "Ann makes room"


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.frozensets(st.sampled_from([ANN.name, BEN.name, LEO.name, CHIEF.name]))),
        min_size=1,
        max_size=3,
    )
)
def test_it_is_short_exactly_where_no_way_to_share_people_out_fills_every_seat(
    wanted: list[tuple[int, frozenset[str]]],
) -> None:
    known = {one.name: one for one in (ANN, BEN, LEO, CHIEF)}
    seats = [Seating(Seat(C, quorum=n), tuple(known[name] for name in sorted(able))) for n, able in wanted]
    places = [one for one in seats for _ in range(one.seat.quorum)]
    ways = permutations(known.values(), len(places)) if len(places) <= len(known) else ()
    possible = any(all(who in place.able for who, place in zip(way, places, strict=True)) for way in ways)
    assert (short(seats) == ()) == possible
