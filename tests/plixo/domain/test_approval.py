from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.approval import COUNTED, ENDED, OPEN, Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)
ONE = ApprovalPath("r", "w", (Stage((Seat(C),), CLOCK),))
SIDE_BY_SIDE = ApprovalPath("r", "w", (Stage((Seat(C), Seat(L)), CLOCK),))
IN_TURN = ApprovalPath("r", "w", (Stage((Seat(C), Seat(L)), CLOCK), Stage((Seat(CFO),), CLOCK)))
TWO_OF_ONE = ApprovalPath("r", "w", (Stage((Seat(CFO, quorum=2),), CLOCK),))
AUTOMATIC = ApprovalPath("r", "w")
PATHS = [ONE, SIDE_BY_SIDE, IN_TURN, TWO_OF_ONE, AUTOMATIC]


def asked(path: ApprovalPath = ONE) -> Approval:
    return Approval("CR-1", "p-admin", "digest", 100, path, "credit")


def waiting(path: ApprovalPath = ONE) -> Approval:
    return asked(path).opened()


def decision(
    group: Group | None = C, verdict: Verdict = Verdict.APPROVE, *, stage: int = 0, person: str = "", number: int = 0
) -> Decision:
    who = person or f"p-{group}"
    return Decision(f"{who}-{verdict}-{stage}-{number}", "CR-1", 0, stage, who, group, verdict, "digest", 100)


def conflict(call: Callable[[], Approval]) -> tuple[str, str, str]:
    with pytest.raises(Conflict) as caught:
        call()
    (problem,) = caught.value.problems
    return problem.field, problem.code, problem.message


def test_a_new_request_is_being_routed() -> None:
    new = asked()
    assert (new.state, new.round, new.stage, new.decisions, new.kind) == (State.ROUTING, 0, 0, (), "credit")
    assert new.current_stage is None
    assert new.waiting_groups() == ()


def test_a_routed_request_waits_for_its_first_stage() -> None:
    opened = waiting(IN_TURN)
    assert opened.state is State.WAITING
    assert opened.current_stage == IN_TURN.stages[0]
    assert opened.waiting_groups() == (C, L)


def test_an_automatic_request_is_approved_at_once() -> None:
    opened = waiting(AUTOMATIC)
    assert opened.state is State.APPROVED
    assert opened.current_stage is None


def test_one_approval_of_the_only_seat_approves() -> None:
    after = waiting().decided(decision())
    assert after.state is State.APPROVED
    assert after.decisions == (decision(),)
    assert after.waiting_groups() == ()


@pytest.mark.parametrize(("first", "second"), [(C, L), (L, C)])
def test_two_seats_side_by_side_fill_in_either_order(first: Group, second: Group) -> None:
    half = waiting(SIDE_BY_SIDE).decided(decision(first))
    assert half.state is State.WAITING
    assert half.waiting_groups() == (second,)
    assert half.decided(decision(second)).state is State.APPROVED


def test_the_next_stage_waits_once_the_one_before_has_agreed() -> None:
    half = waiting(IN_TURN).decided(decision(C)).decided(decision(L))
    assert (half.state, half.stage, half.waiting_groups()) == (State.WAITING, 1, (CFO,))
    done = half.decided(decision(CFO, stage=1))
    assert (done.state, done.stage) == (State.APPROVED, 1)
    assert [known.group for known in done.decisions] == [C, L, CFO]


def test_a_quorum_of_two_takes_two_people() -> None:
    half = waiting(TWO_OF_ONE).decided(decision(CFO, person="p-1"))
    assert (half.state, half.waiting_groups()) == (State.WAITING, (CFO,))
    assert conflict(lambda: half.decided(decision(CFO, person="p-1", number=1)))[1] == "already_decided"
    assert half.decided(decision(CFO, person="p-2")).state is State.APPROVED


def test_one_rejection_ends_it_whoever_else_agreed() -> None:
    ended = waiting(SIDE_BY_SIDE).decided(decision(C)).decided(decision(L, Verdict.REJECT))
    assert ended.state is State.REJECTED
    assert len(ended.decisions) == 2


def test_the_requester_withdraws_at_any_stage() -> None:
    half = waiting(IN_TURN).decided(decision(C)).decided(decision(L))
    withdrawal = decision(None, Verdict.WITHDRAW, stage=0, person="p-admin")
    ended = half.decided(withdrawal)
    assert ended.state is State.WITHDRAWN
    assert ended.decisions[-1] == withdrawal


def test_a_withdrawal_of_another_round_is_out_of_date() -> None:
    old = replace(decision(None, Verdict.WITHDRAW, person="p-admin"), round=1)
    assert conflict(lambda: waiting().decided(old))[1] == "decision_out_of_date"


def test_a_decision_recorded_before_changes_nothing_in_any_state() -> None:
    half = waiting(SIDE_BY_SIDE).decided(decision(C))
    assert half.decided(decision(C)) is half
    done = half.decided(decision(L))
    assert done.decided(decision(C)) is done
    assert done.executing().executed().decided(decision(L)).state is State.EXECUTED


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"approval_id": "CR-2"},
            ("decision", "decision_for_something_else", "The decision was signed for another request."),
        ),
        (
            {"digest": "other"},
            ("decision", "decision_for_something_else", "The decision was signed for another request."),
        ),
        ({"round": 1}, ("decision", "decision_out_of_date", "The request has changed since; read it again.")),
        ({"stage": 1}, ("decision", "stage_already_decided", "That stage is decided; another one waits now.")),
        (
            {"group": CFO},
            ("decision", "seat_already_decided", "Your group has decided on this request already."),
        ),
        (
            {"group": C},
            ("decision", "seat_already_decided", "Your group has decided on this request already."),
        ),
        (
            {"person_id": "p-controller"},
            ("decision", "already_decided", "You have decided on this request already."),
        ),
    ],
)
def test_a_decision_that_does_not_fit_is_a_conflict_that_names_what_stands(
    change: dict[str, object], expected: tuple[str, str, str]
) -> None:
    half = waiting(SIDE_BY_SIDE).decided(decision(C))
    other = replace(decision(L), **change)  # type: ignore[arg-type]
    assert conflict(lambda: half.decided(other)) == expected
    assert half.decided(decision(L)).state is State.APPROVED


def test_nobody_decides_twice_in_two_stages() -> None:
    half = waiting(IN_TURN).decided(decision(C, person="p-1")).decided(decision(L, person="p-2"))
    assert conflict(lambda: half.decided(decision(CFO, stage=1, person="p-1")))[1] == "already_decided"


def test_decisions_of_an_earlier_round_fill_no_seat_and_bar_nobody() -> None:
    again = replace(waiting(SIDE_BY_SIDE), round=1, since_round=1, decisions=(decision(C), decision(L)))
    assert again.waiting_groups() == (C, L)
    after = again.decided(replace(decision(C, number=1), round=1))
    assert after.waiting_groups() == (L,)
    assert len(after.decisions) == 3


def test_a_decision_of_an_earlier_stage_fills_no_seat_of_a_later_one() -> None:
    path = ApprovalPath("r", "w", (Stage((Seat(C),), CLOCK), Stage((Seat(C),), CLOCK)))
    half = waiting(path).decided(decision(C, person="p-1"))
    assert (half.stage, half.waiting_groups()) == (1, (C,))
    assert half.decided(decision(C, stage=1, person="p-2")).state is State.APPROVED


def test_a_rejection_fills_no_seat() -> None:
    odd = replace(waiting(SIDE_BY_SIDE), decisions=(decision(C, Verdict.REJECT),))
    assert odd.waiting_groups() == (C, L)


STEPS: dict[str, Callable[[Approval], Approval]] = {
    "opened": Approval.opened,
    "returned": Approval.returned,
    "withdrawn": Approval.withdrawn,
    "executing": Approval.executing,
    "executed": Approval.executed,
    "needs_attention": Approval.needs_attention,
    "decided": lambda approval: approval.decided(decision()),
}
ALLOWED = {
    ("opened", State.ROUTING): State.WAITING,
    ("returned", State.ROUTING): State.RETURNED,
    ("returned", State.WAITING): State.RETURNED,
    ("returned", State.NEEDS_INFORMATION): State.RETURNED,
    ("returned", State.APPROVED): State.RETURNED,
    ("withdrawn", State.ROUTING): State.WITHDRAWN,
    ("withdrawn", State.WAITING): State.WITHDRAWN,
    ("withdrawn", State.NEEDS_INFORMATION): State.WITHDRAWN,
    ("withdrawn", State.RETURNED): State.WITHDRAWN,
    ("withdrawn", State.APPROVED): State.WITHDRAWN,
    ("executing", State.APPROVED): State.EXECUTING,
    ("executing", State.EXECUTING): State.EXECUTING,
    ("executed", State.EXECUTING): State.EXECUTED,
    ("needs_attention", State.EXECUTING): State.NEEDS_ATTENTION,
    ("decided", State.WAITING): State.APPROVED,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_starts_from_its_own_states_only(step: str, state: State) -> None:
    approval = replace(asked(), state=state)
    if (step, state) in ALLOWED:
        assert STEPS[step](approval).state is ALLOWED[step, state]
    else:
        label = state.label.lower()
        expected = ("", f"already_{state.value}", f"The request is {label} already.")
        assert conflict(lambda: STEPS[step](approval)) == expected


def test_states_are_shown_in_the_words_of_people() -> None:
    assert {state: state.label for state in State} == {
        State.ROUTING: "Routing",
        State.WAITING: "Waiting",
        State.NEEDS_INFORMATION: "Needs information",
        State.RETURNED: "Returned",
        State.WITHDRAWN: "Withdrawn",
        State.REJECTED: "Rejected",
        State.APPROVED: "Approved",
        State.EXECUTING: "Executing",
        State.EXECUTED: "Applied in Stripe",
        State.NEEDS_ATTENTION: "Needs attention",
    }


def test_what_was_given_back_no_longer_counts_in_the_sums() -> None:
    assert set(State) - COUNTED == {State.RETURNED, State.WITHDRAWN, State.REJECTED}
    assert set(State) - ENDED == {State.ROUTING, State.APPROVED, State.EXECUTING} | OPEN
    assert {State.WAITING, State.NEEDS_INFORMATION, State.RETURNED} == OPEN


def any_decision(draw: st.DrawFn) -> Decision:
    group = draw(st.sampled_from([C, L, CFO, None]))
    return Decision(
        decision_id=draw(st.sampled_from([f"d-{number}" for number in range(6)])),
        approval_id=draw(st.sampled_from(["CR-1", "CR-1", "CR-1", "CR-2"])),
        round=draw(st.sampled_from([0, 0, 0, 1])),
        stage=draw(st.sampled_from([0, 0, 1])),
        person_id=draw(st.sampled_from(["p-1", "p-2", "p-3", "p-4"])),
        group=group,
        verdict=draw(
            st.sampled_from(
                [Verdict.APPROVE] * 8 + [one for one in Verdict if one not in {Verdict.APPROVE, Verdict.AMEND}]
            )
        ),
        digest=draw(st.sampled_from(["digest", "digest", "digest", "other"])),
        amount_minor=100,
    )


@st.composite
def steps(draw: st.DrawFn) -> Callable[[Approval], Approval]:
    name = draw(st.sampled_from([*STEPS, "any", "any", "any", "any"]))
    if name == "any":
        made = any_decision(draw)
        return lambda approval: approval.decided(made)
    return STEPS[name]


def agreed_by_all(approval: Approval) -> bool:
    """Counted anew, by hand: each seat of each stage has its quorum of different people."""
    for index, stage in enumerate(approval.path.stages):
        for seat in stage.seats:
            people = {
                known.person_id
                for known in approval.decisions
                if (known.stage, known.group, known.verdict) == (index, seat.group, Verdict.APPROVE)
            }
            if len(people) < seat.quorum:
                return False
    return True


@given(st.sampled_from(PATHS), st.lists(steps(), max_size=25))
def test_whatever_comes_in_whatever_order_an_end_stays_and_nothing_is_done_without_every_seat(
    path: ApprovalPath, sequence: list[Callable[[Approval], Approval]]
) -> None:
    now = asked(path)
    for step in sequence:
        before = now
        try:
            now = step(before)
        except Conflict:
            continue
        assert now.decisions[: len(before.decisions)] == before.decisions
        assert len(now.decisions) - len(before.decisions) <= 1
        assert len({known.decision_id for known in now.decisions}) == len(now.decisions)
        if before.state in ENDED:
            assert now is before
        if now.state in {State.APPROVED, State.EXECUTING, State.EXECUTED, State.NEEDS_ATTENTION}:
            assert agreed_by_all(now)
            assert all(known.verdict is Verdict.APPROVE for known in now.decisions)
        if now.state is State.EXECUTED:
            assert before.state in {State.EXECUTING, State.EXECUTED}
        assert (now.approval_id, now.requester_id, now.digest, now.amount_minor, now.path, now.round) == (
            "CR-1",
            "p-admin",
            "digest",
            100,
            path,
            0,
        )
        assert bool(now.waiting_groups()) == (now.state is State.WAITING)


@given(st.permutations(["approve", "reject", "withdraw", "expire"]))
def test_racing_messages_leave_one_outcome_and_the_others_get_it_as_their_answer(order: list[str]) -> None:
    races: dict[str, Callable[[Approval], Approval]] = {
        "approve": lambda approval: approval.decided(decision(C)),
        "reject": lambda approval: approval.decided(decision(C, Verdict.REJECT, person="p-2")),
        "withdraw": lambda approval: approval.decided(decision(None, Verdict.WITHDRAW, person="p-admin")),
        "expire": Approval.returned,
    }
    first = races[order[0]](waiting())
    assert first.state in {State.APPROVED, State.REJECTED, State.WITHDRAWN, State.RETURNED}
    for name in order[1:]:
        if (first.state, name) in {(State.APPROVED, "expire"), (State.RETURNED, "withdraw")}:
            continue  # what is returned can still be withdrawn, and what is approved be returned
        assert conflict(lambda name=name: races[name](first))[1] == f"already_{first.state.value}"  # type: ignore[misc]


TAKES = {
    Verdict.WITHDRAW: OPEN,
    Verdict.AMEND: OPEN,
    Verdict.ANSWER: {State.NEEDS_INFORMATION},
    **{one: {State.WAITING} for one in (Verdict.APPROVE, Verdict.REJECT, Verdict.ASK, Verdict.RETURN)},
    **{one: {State.WAITING} for one in (Verdict.DELEGATE, Verdict.REASSIGN, Verdict.NUDGE)},
}


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("state", list(State))
def test_each_state_takes_what_can_be_said_in_it(state: State, verdict: Verdict) -> None:
    request = replace(asked(), state=state)
    if state in TAKES[verdict]:
        request.check_takes(verdict)
        return
    with pytest.raises(Conflict) as caught:
        request.check_takes(verdict)
    assert caught.value.code == f"already_{state}"


def test_a_question_stops_the_stage_until_it_is_answered() -> None:
    question = decision(C, Verdict.ASK)
    held = waiting(SIDE_BY_SIDE).decided(question)
    assert (held.state, held.question, held.waiting_groups()) == (State.NEEDS_INFORMATION, question, ())
    assert not held.has_decided(question.person_id)
    again = held.decided(decision(None, Verdict.ANSWER, person="p-admin"))
    assert (again.state, again.question, again.waiting_groups()) == (State.WAITING, None, (C, L))
    assert again.decided(decision(C, number=1)).waiting_groups() == (L,)


def test_whoever_asked_may_ask_again_once_it_was_answered() -> None:
    once = waiting().decided(decision(C, Verdict.ASK)).decided(decision(None, Verdict.ANSWER, person="p-admin"))
    assert once.decided(decision(C, Verdict.ASK, number=1)).state is State.NEEDS_INFORMATION


def test_what_was_approved_before_a_question_stays_approved() -> None:
    half = waiting(SIDE_BY_SIDE).decided(decision(C))
    answered = half.decided(decision(L, Verdict.ASK)).decided(decision(None, Verdict.ANSWER, person="p-admin"))
    assert answered.waiting_groups() == (L,)
    assert answered.decided(decision(L, number=1)).state is State.APPROVED


def test_who_has_decided_asks_nothing_more() -> None:
    half = waiting(SIDE_BY_SIDE).decided(decision(C))
    assert conflict(lambda: half.decided(decision(C, Verdict.ASK, number=1)))[1] == "already_decided"


def test_what_an_approver_returns_lies_with_its_requester_who_may_withdraw_it() -> None:
    back = waiting().decided(decision(C, Verdict.RETURN))
    assert back.state is State.RETURNED
    assert back.decided(decision(None, Verdict.WITHDRAW, person="p-admin")).state is State.WITHDRAWN


def less(group: Group, amount: int, *, person: str = "", number: int = 0, stage: int = 0) -> Decision:
    return replace(decision(group, person=person, number=number, stage=stage), amount_minor=amount)


def test_a_smaller_amount_is_what_is_left() -> None:
    after = waiting(ONE).decided(less(C, 60))
    assert (after.state, after.agreed_minor, after.amount_minor) == (State.APPROVED, 60, 100)


def test_whoever_approved_more_beside_it_is_asked_again() -> None:
    both = waiting(SIDE_BY_SIDE).decided(less(L, 100))
    assert both.has_decided("p-legal")
    lower = both.decided(less(C, 60))
    assert (lower.state, lower.waiting_groups()) == (State.WAITING, (L,))
    assert not lower.has_decided("p-legal")
    assert lower.has_decided("p-controller")
    assert lower.decided(less(L, 60, number=1)).state is State.APPROVED


def test_asked_again_one_may_go_lower_still() -> None:
    lower = waiting(SIDE_BY_SIDE).decided(less(L, 100)).decided(less(C, 60)).decided(less(L, 40, number=1))
    assert (lower.agreed_minor, lower.waiting_groups()) == (40, (C,))
    assert lower.decided(less(C, 40, number=1)).state is State.APPROVED


def test_asked_again_somebody_else_of_the_group_may_answer() -> None:
    lower = waiting(SIDE_BY_SIDE).decided(less(L, 100)).decided(less(C, 60))
    assert lower.decided(less(L, 60, person="p-other")).state is State.APPROVED


def test_an_earlier_stage_is_not_asked_again() -> None:
    first = waiting(IN_TURN).decided(less(C, 100)).decided(less(L, 100))
    after = first.decided(less(CFO, 70, stage=1))
    assert (after.state, after.agreed_minor) == (State.APPROVED, 70)


@pytest.mark.parametrize("amount", [61, 100, 0, -1])
def test_nobody_approves_more_than_is_left_or_nothing(amount: int) -> None:
    lower = waiting(SIDE_BY_SIDE).decided(less(C, 60))
    expected = ("amount", "amount_changed", "Another amount is asked for by now; read it again.")
    assert conflict(lambda: lower.decided(less(L, amount))) == expected


def test_asked_again_one_keeps_the_own_seat() -> None:
    lower = waiting(SIDE_BY_SIDE).decided(less(L, 100)).decided(less(C, 60))
    other_seat = less(C, 60, person="p-legal", number=2)
    assert conflict(lambda: lower.decided(other_seat))[1] == "already_decided"


@given(st.lists(st.tuples(st.sampled_from([C, L]), st.integers(1, 100)), max_size=12))
def test_side_by_side_nothing_is_approved_unless_both_agree_to_the_same(said: list[tuple[Group, int]]) -> None:
    approval, told = waiting(SIDE_BY_SIDE), {C: 0, L: 0}
    for number, (group, amount) in enumerate(said):
        try:
            approval = approval.decided(less(group, amount, number=number))
        except Conflict:
            continue
        told[group] = amount
    if approval.state is State.APPROVED:
        assert told[C] == told[L] == approval.agreed_minor
    else:
        assert told[C] != told[L] or not said
