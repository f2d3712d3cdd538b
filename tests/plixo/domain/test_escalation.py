from collections.abc import Sequence
from dataclasses import replace

import pytest

from plixo.domain.approval import Approval, State
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import asked_elsewhere, basis_for, chair_for, check_decision
from plixo.domain.escalation import (
    Escalated,
    acting_for,
    basis_in_words,
    basis_of_delegate,
    basis_of_group,
    stands_in,
)
from plixo.domain.mandate import Mandate, SignedRequest, concerned, mandate
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Escalation, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Conflict, NotAllowed

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40, 0, (Escalation(8, "delegate"), Escalation(16, "cfo")))
ASKED = Person("p-c", "C", "c@plixo.example", frozenset({C}), delegate_id="p-f")
DELEGATE = Person("p-f", "F", "f@plixo.example", frozenset({Group.FINANCE}))
CHIEF = Person("p-cfo", "CFO", "cfo@plixo.example", frozenset({CFO}))
TO_DELEGATE = Escalated(C, "delegate", 1, (("p-f", "delegate:p-c"),))
TO_CFO = Escalated(C, "cfo", 2, (("p-cfo", "group:cfo"),))


def waiting(*stages: tuple[Seat, ...], escalated: tuple[Escalated, ...] = (), requester: str = "p-r") -> Approval:
    path = ApprovalPath("r", "w", tuple(Stage(seats, CLOCK) for seats in stages))
    return Approval("CR-1", requester, "digest", 5, path, "credit", state=State.WAITING, escalated=escalated)


def decision(person: str, group: Group, basis: str, said: Verdict = Verdict.APPROVE) -> Decision:
    return Decision("d", "CR-1", 0, 0, person, group, said, "digest", 5, "", basis)


def code(act: object) -> str:
    with pytest.raises(NotAllowed) as caught:
        act()  # type: ignore[operator]
    return caught.value.code


def test_a_stand_in_fills_the_seat_once_they_are_let_in_and_not_before() -> None:
    seat = Seat(C, 100)
    assert code(lambda: chair_for(waiting((seat,)), DELEGATE, "cus_1", 1)) == "not_asked"
    let_in = waiting((seat,), escalated=(TO_DELEGATE,))
    assert chair_for(let_in, DELEGATE, "cus_1", 100).seat == seat
    assert chair_for(let_in, DELEGATE, "cus_1", 101).most_minor == 4
    assert code(lambda: chair_for(let_in, CHIEF, "cus_1", 1)) == "not_asked"
    assert basis_for(let_in, DELEGATE, seat) == "delegate:p-c"
    assert basis_for(replace(let_in, escalated=(TO_DELEGATE, TO_CFO)), CHIEF, seat) == "group:cfo"
    assert basis_for(let_in, ASKED, seat) == ""


def test_neither_who_asked_nor_somebody_related_stands_in() -> None:
    let_in = waiting((Seat(C),), escalated=(TO_DELEGATE,), requester="p-f")
    assert code(lambda: chair_for(let_in, DELEGATE, "cus_1", 1)) == "own_request"
    related = replace(DELEGATE, related_customers=frozenset({"cus_1"}))
    assert code(lambda: chair_for(replace(let_in, requester_id="p-r"), related, "cus_1", 1)) == "related_customer"


def test_a_decision_of_a_stand_in_says_on_what_it_rests() -> None:
    let_in = waiting((Seat(C),), escalated=(TO_DELEGATE,))
    check_decision(let_in, decision("p-f", C, "delegate:p-c"), DELEGATE, "cus_1", 1)
    for basis in ("", "group:cfo", "delegate:p-x"):
        made = decision("p-f", C, basis)
        assert code(lambda made=made: check_decision(let_in, made, DELEGATE, "cus_1", 1)) == "not_asked"
    check_decision(let_in, decision("p-c", C, ""), ASKED, "cus_1", 1)


def test_nobody_stands_in_whom_an_open_seat_of_the_path_asks() -> None:
    for stages in (((Seat(C), Seat(CFO)),), ((Seat(C),), (Seat(CFO),))):
        approval = waiting(*stages, escalated=(TO_CFO,))
        assert asked_elsewhere(approval, CHIEF)
        assert basis_for(approval, CHIEF, Seat(C)) == ""
    decided = replace(waiting((Seat(C), Seat(CFO)), escalated=(TO_CFO,)), decisions=(decision("p-other", CFO, ""),))
    assert not asked_elsewhere(decided, CHIEF)
    assert chair_for(decided, CHIEF, "cus_1", 1).seat == Seat(C)
    past = replace(waiting((Seat(CFO),), (Seat(C),), escalated=(TO_CFO,)), stage=1)
    assert basis_for(past, CHIEF, Seat(C)) == "group:cfo"


def test_nobody_stands_in_for_a_seat_that_is_filled_or_another() -> None:
    both = waiting((Seat(C), Seat(L)), escalated=(TO_CFO,))
    assert basis_for(both, CHIEF, Seat(L)) == ""
    filled = replace(both, decisions=(decision("p-c", C, ""),))
    assert basis_for(filled, CHIEF, Seat(C)) == ""


def test_a_delegate_and_whom_they_act_for_are_one_voice() -> None:
    two = waiting((Seat(C, quorum=2),), escalated=(TO_DELEGATE,))
    by_asked = two.decided(decision("p-c", C, ""))
    assert basis_for(by_asked, DELEGATE, Seat(C, quorum=2)) == ""
    by_delegate = two.decided(decision("p-f", C, "delegate:p-c"))
    assert by_delegate.has_decided("p-c")
    for after, second in ((by_asked, decision("p-f", C, "delegate:p-c")), (by_delegate, decision("p-c", C, ""))):
        with pytest.raises(Conflict, match="already"):
            after.decided(replace(second, decision_id="d2"))
    other = replace(decision("p-c2", C, ""), decision_id="d3")
    assert by_delegate.decided(other).state is State.APPROVED


def mandated(*said: Decision, people: Sequence[Person], quorum: int = 1) -> Mandate:
    change = ProposedChange(
        "credit", "cus_1", Money(5, "USD"), Target(TargetKind.INVOICE, "in_1", "open", "USD"), Reason.GOODWILL
    )
    path = ApprovalPath("r", "w", (Stage((Seat(C, quorum=quorum),), CLOCK),))
    request = SignedRequest("CR-1", "p-r", change, path, 5, "1@abc")
    signed = [replace(one, digest=change.digest, decision_id=f"d{number}") for number, one in enumerate(said)]
    return mandate(request, signed, {person.person_id: person for person in people})


def test_money_moves_on_two_voices_where_two_are_asked() -> None:
    both = decision("p-c", C, ""), decision("p-f", C, "delegate:p-c")
    assert code(lambda: mandated(*both, people=(ASKED, DELEGATE), quorum=2)) == "one_person_twice"
    assert mandated(both[1], people=(ASKED, DELEGATE)).decided_by == ("p-f",)


def test_money_moves_on_no_stand_in_of_somebody_related_nor_on_support() -> None:
    said = decision("p-f", C, "delegate:p-c")
    related = replace(ASKED, related_customers=frozenset({"cus_1"}))
    assert code(lambda: mandated(said, people=(related, DELEGATE))) == "related_customer"
    helper = replace(DELEGATE, groups=frozenset({Group.SUPPORT}))
    assert code(lambda: mandated(said, people=(ASKED, helper))) == "not_eligible"


def test_the_next_stage_begins_without_stand_ins() -> None:
    series = waiting((Seat(C),), (Seat(L),), escalated=(TO_CFO,))
    assert series.decided(decision("p-c", C, "")).escalated == ()


@pytest.mark.parametrize(
    ("basis", "person", "asked", "holds"),
    [
        ("delegate:p-c", DELEGATE, ASKED, True),
        ("delegate:p-c", DELEGATE, None, False),
        ("delegate:p-c", CHIEF, ASKED, False),
        ("delegate:p-c", DELEGATE, replace(ASKED, active=False), False),
        ("delegate:p-c", DELEGATE, replace(ASKED, groups=frozenset({L})), False),
        ("group:cfo", CHIEF, None, True),
        ("group:cfo", DELEGATE, None, False),
        ("group:cfo", replace(CHIEF, active=False), None, False),
        ("group:legal", replace(CHIEF, groups=frozenset({L})), None, False),
        ("", CHIEF, ASKED, False),
        ("cfo", CHIEF, ASKED, False),
    ],
)
def test_a_stand_in_is_one_whom_the_signed_clock_names_and_the_directory_knows(
    basis: str, person: Person, asked: Person | None, *, holds: bool
) -> None:
    assert stands_in(basis, CLOCK, C, person, asked) == holds
    assert not stands_in(basis, replace(CLOCK, escalations=()), C, person, asked)


def test_what_was_let_in_comes_back_as_it_was_kept() -> None:
    for one in (TO_DELEGATE, TO_CFO):
        assert Escalated.from_claims(one.to_claims()) == one
    assert TO_CFO.to_claims() == {"seat": "controller", "to": "cfo", "since": 2, "stand_ins": [["p-cfo", "group:cfo"]]}
    with pytest.raises(ValueError, match="nobody"):
        Escalated.from_claims(TO_CFO.to_claims() | {"to": "nobody"})


def test_it_is_said_in_words() -> None:
    assert (TO_DELEGATE.label, TO_CFO.label) == ("their delegate", "CFO")
    assert (basis_of_delegate("p-c"), basis_of_group(CFO)) == ("delegate:p-c", "group:cfo")
    assert [acting_for(basis) for basis in ("delegate:p-c", "group:cfo", "")] == ["p-c", "", ""]
    assert [
        basis_in_words(basis, {"p-c": "Ann"}) for basis in ("delegate:p-c", "delegate:p-x", "group:cfo", "", "x")
    ] == [
        "as delegate of Ann",
        "as delegate of p-x",
        "as CFO",
        "",
        "",
    ]
    assert basis_in_words("group:nobody", {}) == ""


def test_whoever_was_acted_for_is_looked_up_as_well() -> None:
    made = [decision("p-f", C, "delegate:p-c"), decision("p-cfo", C, "group:cfo"), decision("p-l", L, "")]
    assert concerned(made) == {"p-f", "p-c", "p-cfo", "p-l"}
