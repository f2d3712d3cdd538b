"""What an amendment keeps of what was decided before, and what it never allows."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.amending import changes, check_follows, check_rounds, keeps
from plixo.domain.approval import Approval, State
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.decision import Decision, Verdict, heard_once
from plixo.domain.mandate import SignedRequest, mandate
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Conflict, NotAllowed, Refused

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)
TARGET = Target(TargetKind.INVOICE, "in_1", "open", "USD", "INV-1")
CHANGE = ProposedChange("credit", "cus_1", Money(1_000, "USD"), TARGET, Reason.GOODWILL, "note", "memo")
PATHS = [
    (Stage((Seat(C),), CLOCK),),
    (Stage((Seat(C), Seat(L)), CLOCK),),
    (Stage((Seat(C), Seat(L)), CLOCK), Stage((Seat(CFO),), CLOCK)),
    (Stage((Seat(CFO, quorum=2),), CLOCK),),
]
PEOPLE = {
    f"p-{group}-{number}": Person(f"p-{group}-{number}", "", "", frozenset({group}))
    for group in (C, L, CFO)
    for number in (0, 1, 2)
}


def asked(stages: tuple[Stage, ...], amount: int = 1_000) -> Approval:
    change = replace(CHANGE, amount=Money(amount, "USD"))
    return Approval("CR-1", "p-admin", change.digest, amount, ApprovalPath("r", "w", stages), "credit").opened()


def approve(approval: Approval, group: Group, who: str, amount: int, **changed: Any) -> Decision:
    said = Decision(
        f"{who}-{len(approval.decisions)}", "CR-1", approval.round, approval.stage, who, group, Verdict.APPROVE,
        approval.digest, amount,
    )  # fmt: skip
    return replace(said, **changed)


def amend(approval: Approval, amount: int, *, keep: bool, stages: tuple[Stage, ...] | None = None) -> Approval:
    said = Decision(
        f"amend-{approval.round}", "CR-1", approval.round, approval.stage, "p-admin", None, Verdict.AMEND,
        approval.digest, amount,
    )  # fmt: skip
    path = approval.path if stages is None else ApprovalPath("r", "w", stages)
    return approval.amended(said, path, approval.digest, amount, keeps=keep)


def signed(approval: Approval) -> SignedRequest:
    change = replace(CHANGE, amount=Money(approval.amount_minor, "USD"))
    said = [one.decision_id for one in approval.decisions if one.verdict is Verdict.AMEND]
    return SignedRequest(
        "CR-1", "p-admin", change, approval.path, approval.amount_minor, "1@abc", approval.round,
        approval.since_round, said[-1] if said else "",
    )  # fmt: skip


AMOUNTS = [300, 600, 1_000, 1_400]
"""Few, so that people agree."""

STEPS = st.lists(
    st.tuples(st.sampled_from(["approve", "approve", "less", "more"]), st.sampled_from(AMOUNTS), st.integers(0, 8)),
    max_size=14,
)


def play(stages: tuple[Stage, ...], steps: list[tuple[str, int, int]]) -> Approval:
    """Whatever of it the request takes: approvals of somebody's, and changes of the amount."""
    approval = asked(stages)
    for what, amount, number in steps:
        if approval.state is not State.WAITING:
            break
        if what == "approve":
            who = sorted(PEOPLE)[number]
            (group,) = PEOPLE[who].groups
            try:
                approval = approval.decided(approve(approval, group, who, min(amount, approval.agreed_minor)))
            except Conflict:
                continue
        elif (what == "less") == (amount < approval.amount_minor):
            approval = amend(approval, amount, keep=what == "less")
    return approval


@given(st.sampled_from(PATHS), STEPS)
def test_whatever_is_approved_and_changed_a_mandate_never_allows_more_than_its_last_round_or_any_counted_word(
    stages: tuple[Stage, ...], steps: list[tuple[str, int, int]]
) -> None:
    approval = play(stages, steps)
    request = signed(approval)
    try:
        allowed = mandate(request, approval.decisions, PEOPLE)
    except Refused:
        assert approval.state is not State.APPROVED
        return
    assert approval.state is State.APPROVED
    assert allowed.amount_minor == approval.agreed_minor <= approval.amount_minor
    counted = [one for one in approval.decisions if one.verdict is Verdict.APPROVE and approval.counts(one)]
    assert all(allowed.amount_minor <= one.amount_minor for one in counted)
    assert {one.person_id for one in counted} >= set(allowed.decided_by)
    assert all(one.round >= approval.since_round for one in counted)
    assert len(allowed.decided_by) == len(set(allowed.decided_by))


@given(st.sampled_from(PATHS), STEPS, st.integers(1, 1_000))
def test_a_smaller_amount_takes_no_seat_from_anybody(
    stages: tuple[Stage, ...], steps: list[tuple[str, int, int]], amount: int
) -> None:
    before = play(stages, steps)
    if before.state is not State.WAITING or amount >= before.amount_minor:
        return
    after = amend(before, amount, keep=True)
    assert (after.stage, set(after.waiting_groups())) <= (after.stage, set(before.waiting_groups())) or (
        after.stage > before.stage
    )
    assert (after.round, after.since_round) == (before.round + 1, before.since_round)
    assert after.agreed_minor == min(before.agreed_minor, amount)


@given(st.sampled_from(PATHS), STEPS, st.integers(1, 2_000))
def test_any_other_change_asks_everybody_anew(
    stages: tuple[Stage, ...], steps: list[tuple[str, int, int]], amount: int
) -> None:
    before = play(stages, steps)
    if before.state is not State.WAITING:
        return
    after = amend(before, amount, keep=False, stages=PATHS[2])
    assert (after.stage, after.waiting_groups(), after.agreed_minor) == (0, (C, L), amount)
    assert (after.escalated, after.since_round) == ((), after.round)
    assert not any(after.has_decided(person) for person in PEOPLE)


def test_a_word_of_a_round_that_counts_no_longer_makes_no_mandate() -> None:
    approval = asked(PATHS[1])
    approval = approval.decided(approve(approval, C, "p-controller-0", 900))
    approval = amend(approval, 1_400, keep=False)
    approval = approval.decided(approve(approval, L, "p-legal-0", 900))
    with pytest.raises(NotAllowed, match="approval of Controller is missing"):
        mandate(signed(approval), approval.decisions, PEOPLE)


def test_a_change_to_what_nobody_is_asked_about_is_approved_at_once() -> None:
    assert amend(asked(PATHS[0]), 5, keep=False, stages=()).state is State.APPROVED


def test_one_person_who_approved_twice_fills_one_of_two_seats() -> None:
    """First all of it, then the less that somebody else had allowed; asked for even less, both words say the same."""
    both = asked(PATHS[3])
    both = both.decided(approve(both, CFO, "p-cfo-0", 1_000))
    third = replace(both, path=ApprovalPath("r", "w", (Stage((Seat(CFO, quorum=3),), CLOCK),)))
    third = third.decided(approve(third, CFO, "p-cfo-1", 600))
    third = third.decided(approve(third, CFO, "p-cfo-0", 600))
    less = amend(third, 500, keep=True)
    assert less.waiting_groups() == (CFO,), "two people agreed, and three are asked"
    done = less.decided(approve(less, CFO, "p-cfo-2", 500))
    assert done.state is State.APPROVED
    assert mandate(signed(done), done.decisions, PEOPLE).decided_by == ("p-cfo-0", "p-cfo-1", "p-cfo-2")
    assert [one.person_id for one in heard_once(less.decisions[:3])] == ["p-cfo-0", "p-cfo-1"]


def test_a_delegate_and_whom_they_act_for_are_one_voice_in_an_amended_request_too() -> None:
    one = approve(asked(PATHS[3]), CFO, "p-cfo-0", 1_000)
    other = replace(one, decision_id="d", person_id="p-legal-0", basis="delegate:p-cfo-0", amount_minor=600)
    assert heard_once([one, other]) == [one]


@pytest.mark.parametrize("state", list(State))
def test_until_its_effect_is_intended_a_signed_change_is_taken_and_never_after_its_end(state: State) -> None:
    approval = replace(asked(PATHS[0]), state=state)
    takes = {State.WAITING, State.NEEDS_INFORMATION, State.RETURNED, State.APPROVED}
    if state in takes:
        assert amend(approval, 900, keep=True).round == 1
        return
    with pytest.raises(Conflict, match="already"):
        amend(approval, 900, keep=True)


@pytest.mark.parametrize("changed", [{"round": 1}, {"digest": "other"}, {"approval_id": "CR-2"}], ids=str)
def test_a_change_that_was_signed_for_something_else_is_none(changed: dict[str, Any]) -> None:
    approval = asked(PATHS[0])
    said = replace(approve(approval, C, "p-admin", 900), verdict=Verdict.AMEND, group=None, **changed)
    with pytest.raises(Conflict):
        approval.amended(said, approval.path, approval.digest, 900, keeps=True)


def test_a_return_is_answered_by_a_change_and_a_rejection_by_none() -> None:
    approval = amend(replace(asked(PATHS[0]), state=State.RETURNED), 900, keep=True)
    said = approve(approval, C, "p-controller-0", 900)
    returned = replace(said, decision_id="d-r", round=0, verdict=Verdict.RETURN, person_id="p-controller-1")
    assert mandate(signed(approval), [returned, said], PEOPLE).amount_minor == 900
    for verdict, round_ in ((Verdict.REJECT, 0), (Verdict.WITHDRAW, 0), (Verdict.RETURN, 1)):
        against = replace(returned, verdict=verdict, round=round_)
        with pytest.raises(NotAllowed, match="rejected, returned or withdrawn"):
            mandate(signed(approval), [against, said], PEOPLE)


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ({"amount": Money(999, "USD")}, True),
        ({"amount": Money(999, "USD"), "target": replace(TARGET, number="INV-2")}, True),
        ({"amount": Money(1_000, "USD")}, False),
        ({"amount": Money(1_001, "USD")}, False),
        ({"amount": Money(999, "EUR")}, False),
        ({"amount": Money(999, "USD"), "reason": Reason.DISPUTE}, False),
        ({"amount": Money(999, "USD"), "note": ""}, False),
        ({"amount": Money(999, "USD"), "memo": ""}, False),
        ({"amount": Money(999, "USD"), "target": replace(TARGET, status="paid")}, False),
    ],
    ids=["less", "less and a number", "same", "more", "currency", "reason", "note", "memo", "status"],
)
def test_nothing_but_a_smaller_amount_keeps_what_was_decided(after: dict[str, Any], *, kept: bool) -> None:
    assert keeps(CHANGE, replace(CHANGE, **after)) is kept


FIRST = SignedRequest("CR-1", "p-admin", CHANGE, ApprovalPath("r", "w", PATHS[0]), 1_000, "1@abc")
LESS = replace(
    FIRST, change=replace(CHANGE, amount=Money(900, "USD")), base_minor=900, round=1, since_round=0, amended_by="DE-1"
)
OTHER = replace(
    LESS, change=replace(CHANGE, note="x"), path=ApprovalPath("x", "y"), policy="2@def", round=2, since_round=2,
    amended_by="DE-2",
)  # fmt: skip


def test_rounds_that_follow_each_other_hold() -> None:
    check_rounds([FIRST])
    check_rounds([FIRST, LESS])
    check_rounds([FIRST, LESS, OTHER])


WRONG: dict[str, tuple[SignedRequest, str]] = {
    "another request": (replace(LESS, approval_id="CR-2"), "amendment_of_another"),
    "another requester": (replace(LESS, requester_id="p-x"), "amendment_of_another"),
    "another customer": (
        replace(LESS, change=replace(LESS.change, customer_id="cus_2"), since_round=1),
        "amendment_of_another",
    ),
    "another target": (
        replace(LESS, change=replace(LESS.change, target=replace(TARGET, target_id="in_2")), since_round=1),
        "amendment_of_another",
    ),
    "another currency": (
        replace(LESS, change=replace(LESS.change, amount=Money(900, "EUR")), since_round=1),
        "amendment_of_another",
    ),
    "no decision": (replace(LESS, amended_by=""), "amendment_of_another"),
    "the same round": (replace(LESS, round=0), "round_missing"),
    "a round left out": (replace(LESS, round=2), "round_missing"),
    "more, with decisions kept": (
        replace(LESS, change=replace(CHANGE, amount=Money(1_001, "USD"))),
        "decisions_not_kept",
    ),
    "another path, with decisions kept": (replace(LESS, path=ApprovalPath("r", "w")), "decisions_not_kept"),
    "another policy, with decisions kept": (replace(LESS, policy="2@def"), "decisions_not_kept"),
    "another note, with decisions kept": (
        replace(LESS, change=replace(LESS.change, note="x")),
        "decisions_not_kept",
    ),
}


@pytest.mark.parametrize("how", sorted(WRONG))
def test_what_does_not_follow_is_refused(how: str) -> None:
    after, code = WRONG[how]
    with pytest.raises(NotAllowed) as caught:
        check_follows(FIRST, after)
    assert caught.value.code == code


@pytest.mark.parametrize("rounds", [[], [LESS], [FIRST, OTHER], [replace(FIRST, amended_by="DE-1")]], ids=len)
def test_rounds_without_their_first_or_with_a_gap_are_refused(rounds: list[SignedRequest]) -> None:
    with pytest.raises(NotAllowed) as caught:
        check_rounds(rounds)
    assert caught.value.code == "round_missing"


def test_what_is_another_is_said_in_words() -> None:
    target = replace(TARGET, status="paid")
    after = replace(CHANGE, amount=Money(900, "USD"), reason=Reason.DISPUTE, note="x", memo="y", target=target)
    assert changes(CHANGE, after) == (
        "the amount is 9.00 USD instead of 10.00 USD",
        "the reason is Dispute instead of Goodwill",
        "the note is another",
        "the memo is another",
        "the invoice is paid, and was open",
    )
    assert changes(CHANGE, CHANGE) == ()
