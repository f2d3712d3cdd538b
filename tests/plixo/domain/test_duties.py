from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.approval import Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import (
    base_of,
    chair_for,
    check_comment,
    check_decision,
    check_independent,
    check_limit,
    check_requester,
    may_see,
)
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)


def person(who: str, *groups: Group, **rest: object) -> Person:
    return Person(who, who, f"{who}@plixo.example", frozenset(groups), **rest)  # type: ignore[arg-type]


def waiting(*seats: Seat, requester: str = "p-admin") -> Approval:
    return Approval("CR-1", requester, "digest", 100, ApprovalPath("r", "w", (Stage(seats, CLOCK),)), "credit").opened()


def decision(who: str, group: Group | None, verdict: Verdict = Verdict.APPROVE, comment: str = "") -> Decision:
    return Decision(f"{who}-{verdict}", "CR-1", 0, 0, who, group, verdict, "digest", 100, comment)


def refusal(call: Callable[[], object]) -> tuple[str, str, str]:
    with pytest.raises(NotAllowed) as caught:
        call()
    (problem,) = caught.value.problems
    return problem.field, problem.code, problem.message


CONTROLLER = person("p-c", C)
LEGAL = person("p-l", L)


def test_somebody_of_the_asked_group_gets_its_seat() -> None:
    assert chair_for(waiting(Seat(C, 500)), CONTROLLER, "cus_1", 500).seat == Seat(C, 500)
    assert chair_for(waiting(Seat(C), Seat(L)), LEGAL, "cus_1", 10**9).seat == Seat(L)


def test_who_is_in_two_asked_groups_gets_the_seat_that_is_open() -> None:
    both = person("p-b", C, L)
    approval = waiting(Seat(C), Seat(L))
    assert chair_for(approval, both, "cus_1", 1).seat.group is C
    assert chair_for(approval.decided(decision("p-c", C)), both, "cus_1", 1).seat.group is L


def test_who_comes_after_their_group_decided_still_gets_its_seat_and_hears_of_it_when_deciding() -> None:
    approval = waiting(Seat(C), Seat(L)).decided(decision("p-c", C))
    assert chair_for(approval, person("p-c2", C), "cus_1", 1).seat.group is C


@pytest.mark.parametrize(
    ("approval", "who", "message"),
    [
        (waiting(Seat(C), Seat(L)), person("p", CFO), "This request waits for Controller and Legal; you are CFO."),
        (waiting(Seat(C)), person("p"), "This request waits for Controller; you are no group."),
        (waiting(Seat(C)).returned(), CONTROLLER, "This request waits for nobody; you are Controller."),
    ],
)
def test_who_is_not_asked_hears_who_is(approval: Approval, who: Person, message: str) -> None:
    assert refusal(lambda: chair_for(approval, who, "cus_1", 1)) == ("person", "not_asked", message)


def test_nobody_decides_on_their_own_request() -> None:
    expected = ("person", "own_request", "Nobody decides on their own request; ask somebody of the path.")
    assert refusal(lambda: chair_for(waiting(Seat(C), requester="p-c"), CONTROLLER, "cus_1", 1)) == expected
    assert refusal(lambda: check_independent("p-c", CONTROLLER, "cus_1")) == expected


def test_nobody_decides_for_a_customer_they_are_related_to() -> None:
    related = replace(CONTROLLER, related_customers=frozenset({"cus_1"}))
    expected = ("person", "related_customer", "You are related to this customer; somebody else decides.")
    assert refusal(lambda: chair_for(waiting(Seat(C)), related, "cus_1", 1)) == expected
    assert chair_for(waiting(Seat(C)), related, "cus_2", 1).seat.group is C


def test_who_has_left_decides_nothing() -> None:
    gone = replace(CONTROLLER, active=False)
    expected = ("person", "not_active", "This person no longer works here.")
    assert refusal(lambda: chair_for(waiting(Seat(C)), gone, "cus_1", 1)) == expected


@pytest.mark.parametrize(
    ("limit", "own", "amount", "allowed"),
    [
        (500, {}, 500, True),
        (500, {}, 501, False),
        (500, {"credit": 200}, 200, True),
        (500, {"credit": 200}, 201, False),
        (500, {"credit": 900}, 500, True),
        (500, {"credit": 900}, 501, False),
        (500, {"refund": 1}, 500, True),
        (500, {"credit": 0}, 1, False),
        (0, {}, 1, False),
        (None, {}, 10**9, True),
        (None, {"credit": 1}, 10**9, True),
    ],
)
def test_a_persons_limit_can_only_lower_the_seats(
    limit: int | None, own: dict[str, int], amount: int, *, allowed: bool
) -> None:
    who = replace(CONTROLLER, limits=own)
    expected = ("amount", "above_limit", "The amount is above what you may approve alone.")
    if allowed:
        check_limit(Seat(C, limit), who, amount, "credit")
        chair_for(waiting(Seat(C, limit)), who, "cus_1", amount)
        check_decision(waiting(Seat(C, limit)), decision("p-c", C), who, "cus_1", amount)
    else:
        assert refusal(lambda: check_limit(Seat(C, limit), who, amount, "credit")) == expected
        assert (
            refusal(lambda: check_decision(waiting(Seat(C, limit)), decision("p-c", C), who, "cus_1", amount))
            == expected
        )


def test_limits_are_those_of_the_requests_own_kind() -> None:
    refund = replace(waiting(Seat(C, 500)), kind="refund")
    who = replace(CONTROLLER, limits={"refund": 1})
    assert chair_for(refund, who, "cus_1", 2).most_minor == 50
    assert refusal(lambda: check_decision(refund, decision("p-c", C), who, "cus_1", 2))[1] == "above_limit"


def test_a_decision_of_somebody_asked_stands() -> None:
    check_decision(waiting(Seat(C), Seat(L)), decision("p-l", L), LEGAL, "cus_1", 1)
    check_decision(waiting(Seat(C)), decision("p-c", C, Verdict.REJECT, "too much"), CONTROLLER, "cus_1", 1)


@pytest.mark.parametrize(
    ("approval", "made", "who", "code", "message"),
    [
        (
            waiting(Seat(C)),
            decision("p-l", L),
            LEGAL,
            "not_asked",
            "This request does not wait for Legal.",
        ),
        (
            waiting(Seat(C)),
            decision("p-l", C),
            LEGAL,
            "not_asked",
            "This request does not wait for Legal.",
        ),
        (
            waiting(Seat(C)).returned(),
            decision("p-c", C),
            CONTROLLER,
            "not_asked",
            "This request does not wait for Controller.",
        ),
        (
            waiting(Seat(C), requester="p-c"),
            decision("p-c", C),
            CONTROLLER,
            "own_request",
            "Nobody decides on their own request; ask somebody of the path.",
        ),
        (
            waiting(Seat(C)),
            decision("p-c", C),
            replace(CONTROLLER, related_customers=frozenset({"cus_1"})),
            "related_customer",
            "You are related to this customer; somebody else decides.",
        ),
        (
            waiting(Seat(C)),
            decision("p-c", C),
            replace(CONTROLLER, active=False),
            "not_active",
            "This person no longer works here.",
        ),
        (
            waiting(Seat(C)),
            decision("p-c", C, Verdict.REJECT),
            CONTROLLER,
            "comment_missing",
            "Say why you reject it; the requester will read it.",
        ),
        (
            waiting(Seat(C)),
            decision("p-c", None, Verdict.WITHDRAW),
            CONTROLLER,
            "not_requester",
            "Only who asked for it can answer, nudge or withdraw.",
        ),
    ],
)
def test_a_decision_is_checked_again_when_it_is_recorded(
    approval: Approval, made: Decision, who: Person, code: str, message: str
) -> None:
    assert refusal(lambda: check_decision(approval, made, who, "cus_1", 1))[1:] == (code, message)


def test_only_the_requester_withdraws() -> None:
    admin = person("p-admin", Group.BILLING_ADMIN)
    check_requester(waiting(Seat(C)), admin)
    check_decision(waiting(Seat(C)), decision("p-admin", None, Verdict.WITHDRAW), admin, "cus_1", 1)
    expected = ("person", "not_requester", "Only who asked for it can answer, nudge or withdraw.")
    assert refusal(lambda: check_requester(waiting(Seat(C)), CONTROLLER)) == expected


@pytest.mark.parametrize("comment", ["", "  \n"])
def test_a_rejection_says_why_and_nothing_else_must(comment: str) -> None:
    expected = ("comment", "comment_missing", "Say why you reject it; the requester will read it.")
    assert refusal(lambda: check_comment(Verdict.REJECT, comment)) == expected
    check_comment(Verdict.REJECT, "why")
    check_comment(Verdict.APPROVE, comment)
    check_comment(Verdict.WITHDRAW, comment)


@pytest.mark.parametrize("group", Group)
def test_every_group_but_support_sees_requests_of_others(group: Group) -> None:
    assert may_see(person("p", group), "p-admin") is (group is not Group.SUPPORT)
    assert may_see(person("p", group, Group.SUPPORT), "p-admin") is (group is not Group.SUPPORT)


def test_who_asked_sees_their_own_request_and_who_has_left_sees_none() -> None:
    assert may_see(person("p", Group.SUPPORT), "p")
    assert may_see(person("p"), "p")
    assert not may_see(person("p"), "p-admin")
    assert not may_see(person("p", Group.SUPPORT, active=False), "p")
    assert not may_see(person("p", C, active=False), "p-admin")


people = st.builds(
    person,
    st.sampled_from(["p-1", "p-2"]),
    st.sampled_from(Group),
    st.sampled_from(Group),
    active=st.booleans(),
    related_customers=st.sampled_from([frozenset(), frozenset({"cus_1"})]),
)


@given(people, st.sampled_from([(C,), (L,), (C, L), (CFO,)]))
def test_a_seat_is_given_exactly_to_who_is_independent_and_asked(who: Person, asked: tuple[Group, ...]) -> None:
    approval = waiting(*[Seat(group) for group in asked], requester="p-1")
    fit = who.active and who.person_id != "p-1" and not who.related_customers and bool(who.groups & set(asked))
    try:
        seat = chair_for(approval, who, "cus_1", 1).seat
    except NotAllowed:
        assert not fit
        return
    assert fit
    assert seat.group in who.groups & set(asked)
    assert approval.decided(decision(who.person_id, seat.group)).state in {State.WAITING, State.APPROVED}


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_most_that_somebody_may_approve_is_within_their_limit_and_no_smaller_than_it_must_be(
    asked: int, base: int, limit: int
) -> None:
    approval = replace(waiting(Seat(C, limit)), amount_minor=asked)
    try:
        most = chair_for(approval, CONTROLLER, "cus_1", base).most_minor
    except NotAllowed:
        assert base_of(base, 1, asked) > limit
        return
    assert 1 <= most <= asked
    assert base_of(base, most, asked) <= limit
    assert most == asked or base_of(base, most + 1, asked) > limit


def test_a_smaller_amount_is_held_against_the_limit_by_its_own_size() -> None:
    approval, who = waiting(Seat(C, 500)), replace(CONTROLLER, limits={"credit": 250})
    half = replace(decision("p-c", C), amount_minor=50)
    check_decision(approval, half, who, "cus_1", 500)
    expected = ("amount", "above_limit", "The amount is above what you may approve alone.")
    more = replace(half, amount_minor=51)
    assert refusal(lambda: check_decision(approval, more, who, "cus_1", 500)) == expected


def test_who_may_approve_nothing_may_still_not_decide() -> None:
    who = replace(CONTROLLER, limits={"credit": 0})
    expected = ("amount", "above_limit", "You may approve nothing of this kind.")
    assert refusal(lambda: chair_for(waiting(Seat(C, 500)), who, "cus_1", 500)) == expected
