import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import canonical_json
from plixo.domain.path import ApprovalPath, Clock, Escalation, Route, Ruling, Seat, Stage
from plixo.domain.people import APPROVERS, Group
from plixo.domain.planning import PathLimits, build_path

CLOCKS = {Group.CONTROLLER: Clock(8, (4,), 40), Group.LEGAL: Clock(16, (7,), 80), Group.CFO: Clock(17, (9,), 90)}
LIMITS = PathLimits(controller_alone=2_500_000, legal_alone=500_000, clocks=CLOCKS)
C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CEILING = "The company's credits of today pass its daily ceiling, so the CFO must agree as well."
CFO_NOTE = "The requester is CFO: somebody else of that group must agree; with nobody else it waits."

groups = st.frozensets(st.sampled_from(Group))
rulings = st.builds(Ruling, st.sampled_from(Route), st.just("rule"), st.just("why"), st.sampled_from(["", CEILING]))
amounts = st.one_of(st.integers(1, 10**9), st.sampled_from([500_000, 500_001, 2_500_000, 2_500_001]))


def path(route: Route, requester: set[Group], amount: int = 100, ceiling: str = "") -> ApprovalPath:
    return build_path(Ruling(route, "a-rule", "Because.", ceiling), frozenset(requester), amount, LIMITS)


def seats(built: ApprovalPath) -> list[tuple[Seat, ...]]:
    return [stage.seats for stage in built.stages]


@given(rulings, groups, amounts)
def test_nobody_is_asked_only_when_policy_itself_approves(
    ruling: Ruling, requester: frozenset[Group], amount: int
) -> None:
    built = build_path(ruling, requester, amount, LIMITS)
    assert built.automatic == (ruling.route is Route.AUTOMATIC and not ruling.ceiling)
    assert all(stage.seats for stage in built.stages)
    assert (built.rule, built.why) == ("rule", "why")


@given(rulings, groups, amounts)
def test_the_requesters_own_group_is_never_asked_but_another_cfo_where_nobody_else_is_left(
    ruling: Ruling, requester: frozenset[Group], amount: int
) -> None:
    built = build_path(ruling, requester, amount, LIMITS)
    asked = {group for stage in built.stages for group in stage.groups}
    assert asked <= APPROVERS
    assert asked & requester <= {CFO}
    assert (CFO_NOTE in built.notes) == (CFO in asked & requester)


@given(rulings, groups, amounts)
def test_no_group_has_two_seats(ruling: Ruling, requester: frozenset[Group], amount: int) -> None:
    asked = [group for stage in build_path(ruling, requester, amount, LIMITS).stages for group in stage.groups]
    assert len(asked) == len(set(asked))


@given(rulings, groups, amounts)
def test_an_amount_above_a_seats_limit_never_reaches_that_seat(
    ruling: Ruling, requester: frozenset[Group], amount: int
) -> None:
    built = build_path(ruling, requester, amount, LIMITS)
    own = requester & {C, L}
    limits = [seat.limit_minor for stage in built.stages for seat in stage.seats if seat.limit_minor is not None]
    if own:
        assert all(amount <= limit for limit in limits)
    if ruling.route is Route.BOTH:
        assert sum(seat.quorum for stage in built.stages for seat in stage.seats) >= 2
        assert not limits


@given(rulings, groups, amounts)
def test_a_ceiling_always_asks_the_cfo_and_says_so(ruling: Ruling, requester: frozenset[Group], amount: int) -> None:
    built = build_path(ruling, requester, amount, LIMITS)
    assert (CEILING in built.notes) == bool(ruling.ceiling)
    if ruling.ceiling:
        assert CFO in {group for stage in built.stages for group in stage.groups}


@given(rulings, groups, amounts)
def test_a_path_reads_back_from_its_claims(ruling: Ruling, requester: frozenset[Group], amount: int) -> None:
    built = build_path(ruling, requester, amount, LIMITS)
    canonical_json(built.to_claims())
    assert ApprovalPath.from_claims(built.to_claims()) == built


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Route.CONTROLLER, (Seat(C, 2_500_000),)),
        (Route.LEGAL, (Seat(L, 500_000),)),
        (Route.BOTH, (Seat(C), Seat(L))),
    ],
)
@pytest.mark.parametrize("requester", [Group.SUPPORT, Group.BILLING_ADMIN, Group.CFO])
def test_the_usual_path_asks_whom_the_table_names(route: Route, expected: tuple[Seat, ...], requester: Group) -> None:
    built = path(route, {requester})
    assert seats(built) == [expected]
    assert built.notes == ()
    assert (built.rule, built.why) == ("a-rule", "Because.")


def test_an_automatic_path_keeps_its_rule_and_asks_nobody() -> None:
    built = path(Route.AUTOMATIC, {Group.BILLING_ADMIN})
    assert built == ApprovalPath("a-rule", "Because.")
    assert built.describe() == ("automatic",)


NOT_C = "The requester is Controller, who may not decide on it."
NOT_L = "The requester is Legal, who may not decide on it."
NOT_BOTH = "The requester is Controller and Legal, who may not decide on it."
FOR_C = "The CFO takes the place of Controller."
FOR_L = "The CFO takes the place of Legal."
TWO = "Two people of the CFO group must agree; with one it waits."


@pytest.mark.parametrize(
    ("requester", "route", "amount", "expected", "notes"),
    [
        ({C}, Route.CONTROLLER, 1, (Seat(L, 500_000, C),), (NOT_C, "Legal takes the place of Controller.")),
        ({C}, Route.CONTROLLER, 500_000, (Seat(L, 500_000, C),), (NOT_C, "Legal takes the place of Controller.")),
        ({C}, Route.CONTROLLER, 500_001, (Seat(L), Seat(CFO, None, C)), (NOT_C, FOR_C)),
        ({C}, Route.LEGAL, 500_000, (Seat(L, 500_000),), ()),
        ({C}, Route.LEGAL, 500_001, (Seat(L), Seat(CFO, None, C)), (NOT_C, FOR_C)),
        ({C}, Route.BOTH, 1, (Seat(L), Seat(CFO, None, C)), (NOT_C, FOR_C)),
        ({L}, Route.LEGAL, 2_500_000, (Seat(C, 2_500_000, L),), (NOT_L, "Controller takes the place of Legal.")),
        ({L}, Route.LEGAL, 2_500_001, (Seat(C), Seat(CFO, None, L)), (NOT_L, FOR_L)),
        ({L}, Route.CONTROLLER, 2_500_000, (Seat(C, 2_500_000),), ()),
        ({L}, Route.CONTROLLER, 2_500_001, (Seat(C), Seat(CFO, None, L)), (NOT_L, FOR_L)),
        ({L}, Route.BOTH, 1, (Seat(C), Seat(CFO, None, L)), (NOT_L, FOR_L)),
        ({C, L}, Route.CONTROLLER, 2_500_000, (Seat(CFO, 2_500_000, C),), (NOT_BOTH, FOR_C)),
        ({C, L}, Route.CONTROLLER, 2_500_001, (Seat(CFO, None, C, 2),), (NOT_BOTH, TWO)),
        ({C, L}, Route.LEGAL, 500_000, (Seat(CFO, 500_000, L),), (NOT_BOTH, FOR_L)),
        ({C, L}, Route.LEGAL, 500_001, (Seat(CFO, None, C, 2),), (NOT_BOTH, TWO)),
        ({C, L}, Route.BOTH, 1, (Seat(CFO, None, C, 2),), (NOT_BOTH, TWO)),
        ({C, CFO}, Route.BOTH, 1, (Seat(L), Seat(CFO, None, C)), (NOT_C, FOR_C, CFO_NOTE)),
    ],
)
def test_who_stands_in_for_a_requester_who_would_have_been_asked(
    requester: set[Group], route: Route, amount: int, expected: tuple[Seat, ...], notes: tuple[str, ...]
) -> None:
    built = path(route, requester, amount)
    assert seats(built) == [expected]
    assert built.notes == notes


def test_beyond_a_ceiling_the_cfo_agrees_in_a_stage_of_their_own_after_the_others() -> None:
    built = path(Route.BOTH, {Group.SUPPORT}, ceiling=CEILING)
    assert seats(built) == [(Seat(C), Seat(L)), (Seat(CFO),)]
    assert built.notes == (CEILING,)
    assert built.describe() == ("Controller and Legal", "CFO")


def test_beyond_a_ceiling_an_automatic_credit_asks_the_cfo_alone() -> None:
    built = path(Route.AUTOMATIC, {Group.BILLING_ADMIN}, ceiling=CEILING)
    assert seats(built) == [(Seat(CFO),)]
    assert built.describe() == ("CFO",)


def test_a_cfo_who_stands_in_already_is_not_asked_twice_by_a_ceiling() -> None:
    built = path(Route.BOTH, {C}, ceiling=CEILING)
    assert seats(built) == [(Seat(L), Seat(CFO, None, C))]
    assert built.notes == (NOT_C, FOR_C, CEILING)


def test_a_stage_reminds_as_early_and_waits_as_long_as_any_of_its_groups() -> None:
    assert path(Route.CONTROLLER, set()).stages[0].clock == Clock(8, (4,), 40)
    assert path(Route.LEGAL, set()).stages[0].clock == Clock(16, (7,), 80)
    assert path(Route.BOTH, set()).stages[0].clock == Clock(due_hours=16, remind_hours=(4,), expire_hours=80)
    assert path(Route.AUTOMATIC, set(), ceiling=CEILING).stages[0].clock == Clock(17, (9,), 90)


def test_each_of_several_seats_keeps_its_own_clock() -> None:
    both = path(Route.BOTH, set()).stages[0]
    assert both.clocked() == ((Seat(C), CLOCKS[C]), (Seat(L), CLOCKS[L]))
    alone = path(Route.CONTROLLER, set()).stages[0]
    assert (alone.clocks, alone.clocked()) == ((), ((Seat(C, 2_500_000), CLOCKS[C]),))


def test_a_stage_that_one_of_its_groups_never_returns_never_expires() -> None:
    for endless in (C, L):
        clocks = CLOCKS | {endless: replace(CLOCKS[endless], expire_hours=0)}
        built = build_path(Ruling(Route.BOTH, "r", "w"), frozenset(), 100, replace(LIMITS, clocks=clocks))
        assert built.stages[0].clock.expire_hours == 0


def test_a_path_that_was_signed_before_clocks_could_say_more_is_read_and_written_as_it_was_signed() -> None:
    """Whoever audits holds what was signed then against what is written now."""
    seats = [
        {"group": "controller", "limit_minor": None, "stands_for": None, "quorum": 1},
        {"group": "legal", "limit_minor": 5, "stands_for": "controller", "quorum": 2},
    ]
    clock = {"due_hours": 1, "remind_hours": 2, "expire_hours": 3}
    plain = {"rule": "r", "why": "w", "notes": [], "stages": [{"clock": clock, "seats": seats}]}
    read = ApprovalPath.from_claims(json.loads(canonical_json(plain)))
    assert read.stages == (Stage((Seat(C), Seat(L, 5, C, 2)), Clock(1, (2,), 3)),)
    assert canonical_json(read.to_claims()) == canonical_json(plain)


def test_a_clock_that_says_more_comes_back_as_it_was_signed() -> None:
    more = Clock(1, (2, 3), 0, 40, (Escalation(8, "delegate"), Escalation(16, "cfo")), "Mon-Thu 08:00-16:00 Asia/Tokyo")
    built = ApprovalPath("r", "w", (Stage((Seat(C), Seat(L)), more, (more, CLOCKS[L])),))
    assert ApprovalPath.from_claims(json.loads(canonical_json(built.to_claims()))) == built


def test_who_is_escalated_to_is_said_in_words() -> None:
    assert [(one.group, one.label) for one in (Escalation(8, "delegate"), Escalation(16, "cfo"))] == [
        (None, "their delegate"),
        (CFO, "CFO"),
    ]


def test_a_path_is_described_by_who_is_asked() -> None:
    assert path(Route.CONTROLLER, set()).describe() == ("Controller",)
    assert path(Route.BOTH, {C, L}).describe() == ("2 of CFO",)
    assert path(Route.BOTH, set()).stages[0].groups == (C, L)


def test_claims_are_plain_data() -> None:
    clock = Clock(1, (2, 3), 3, 4, (Escalation(2, "cfo"),), "Mon-Thu 08:00-16:00 UTC")
    built = ApprovalPath("r", "w", (Stage((Seat(L, 5, C, 2), Seat(CFO)), clock),), ("n",))
    assert built.to_claims() == {
        "rule": "r",
        "why": "w",
        "notes": ["n"],
        "stages": [
            {
                "clock": {
                    "due_hours": 1,
                    "remind_hours": [2, 3],
                    "expire_hours": 3,
                    "remind_every": 4,
                    "escalations": [{"hours": 2, "to": "cfo"}],
                    "office": "Mon-Thu 08:00-16:00 UTC",
                },
                "seats": [
                    {"group": "legal", "limit_minor": 5, "stands_for": "controller", "quorum": 2},
                    {"group": "cfo", "limit_minor": None, "stands_for": None, "quorum": 1},
                ],
            }
        ],
    }
