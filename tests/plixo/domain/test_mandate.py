from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import canonical_json
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.decision import Decision, Verdict
from plixo.domain.mandate import (
    Mandate,
    SignedRequest,
    decision_claims,
    decision_from_claims,
    mandate,
)
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.reasons import Reason
from plixo.domain.refusals import NotAllowed

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)
TARGET = Target(TargetKind.INVOICE, "in_1", "open", "USD")
CHANGE = ProposedChange("credit", "cus_1", Money(1_000, "USD"), TARGET, Reason.GOODWILL, "note", "memo")
PATHS = [
    (Stage((Seat(C, 1_000),), CLOCK),),
    (Stage((Seat(C), Seat(L)), CLOCK),),
    (Stage((Seat(C), Seat(L)), CLOCK), Stage((Seat(CFO),), CLOCK)),
    (Stage((Seat(CFO, quorum=2),), CLOCK),),
    (Stage((Seat(L),), CLOCK), Stage((Seat(CFO, quorum=2),), CLOCK)),
]


@dataclass
class Case:
    """A request whose every seat has agreed."""

    request: SignedRequest
    decisions: list[Decision]
    people: dict[str, Person]

    def mandate(self) -> Mandate:
        return mandate(self.request, self.decisions, self.people)


def case(stages: tuple[Stage, ...]) -> Case:
    request = SignedRequest("CR-1", "p-admin", CHANGE, ApprovalPath("r", "w", stages), 1_000, "1@abc")
    decisions, people = [], {}
    for index, stage in enumerate(stages):
        for seat in stage.seats:
            for number in range(seat.quorum):
                who = f"p-{index}-{seat.group}-{number}"
                people[who] = Person(who, who, f"{who}@plixo.example", frozenset({seat.group}))
                decisions.append(
                    Decision(f"d-{who}", "CR-1", 0, index, who, seat.group, Verdict.APPROVE, CHANGE.digest, 1_000)
                )
    return Case(request, decisions, people)


def refusal(call: Callable[[], object]) -> tuple[str, str, str]:
    with pytest.raises(NotAllowed) as caught:
        call()
    (problem,) = caught.value.problems
    return problem.field, problem.code, problem.message


@pytest.mark.parametrize("stages", PATHS)
def test_every_seats_approval_makes_a_mandate(stages: tuple[Stage, ...]) -> None:
    full = case(stages)
    assert full.mandate() == Mandate(1_000, tuple(known.person_id for known in full.decisions))


def test_policy_alone_makes_a_mandate_where_nobody_is_asked() -> None:
    assert case(()).mandate() == Mandate(1_000, ())


@given(st.sampled_from(PATHS), st.data())
def test_without_any_one_needed_approval_there_is_no_mandate(stages: tuple[Stage, ...], data: st.DataObject) -> None:
    full = case(stages)
    full.decisions.pop(data.draw(st.integers(0, len(full.decisions) - 1)))
    assert refusal(full.mandate)[1] == "decision_missing"


ALTERED: dict[str, dict[str, Any]] = {
    "another request": {"approval_id": "CR-2"},
    "another round": {"round": 1},
    "another stage": {"stage": 7},
    "another fingerprint": {"digest": "other"},
    "a group that is not asked": {"group": Group.FINANCE},
    "no group": {"group": None},
}


@given(st.sampled_from(PATHS), st.sampled_from(sorted(ALTERED)), st.data())
def test_an_approval_of_something_else_does_not_count(stages: tuple[Stage, ...], how: str, data: st.DataObject) -> None:
    full = case(stages)
    which = data.draw(st.integers(0, len(full.decisions) - 1))
    full.decisions[which] = replace(full.decisions[which], **ALTERED[how])
    assert refusal(full.mandate)[1] == "decision_missing"


def moved(person: Person) -> Person:
    return replace(person, groups=frozenset({Group.FINANCE}))


UNFIT: dict[str, tuple[Callable[[Person], Person], str]] = {
    "inactive": (lambda person: replace(person, active=False), "not_eligible"),
    "moved": (moved, "not_eligible"),
    "related": (lambda person: replace(person, related_customers=frozenset({"cus_1"})), "related_customer"),
    "the requester": (lambda person: replace(person, person_id="p-admin"), "own_request"),
}


@given(st.sampled_from(PATHS), st.sampled_from(sorted(UNFIT)), st.data())
def test_an_approval_of_somebody_who_may_not_decide_today_is_refused(
    stages: tuple[Stage, ...], how: str, data: st.DataObject
) -> None:
    full = case(stages)
    which = data.draw(st.integers(0, len(full.decisions) - 1))
    who = full.decisions[which].person_id
    change, code = UNFIT[how]
    full.people[who] = change(full.people[who])
    assert refusal(full.mandate)[1] == code


@given(st.sampled_from(PATHS), st.data())
def test_an_approval_of_somebody_unknown_is_refused(stages: tuple[Stage, ...], data: st.DataObject) -> None:
    full = case(stages)
    del full.people[data.draw(st.sampled_from(sorted(full.people)))]
    assert refusal(full.mandate)[1] == "not_eligible"


@given(st.sampled_from(PATHS[1:]), st.data())
def test_one_person_never_fills_two_seats(stages: tuple[Stage, ...], data: st.DataObject) -> None:
    full = case(stages)
    one, two = data.draw(st.permutations(range(len(full.decisions))))[:2]
    who = full.decisions[one].person_id
    full.decisions[two] = replace(full.decisions[two], person_id=who)
    full.people[who] = replace(full.people[who], groups=frozenset({C, L, CFO}))
    assert refusal(full.mandate) == (
        "decisions",
        "one_person_twice",
        "Where two are asked, two different people decide.",
    )


@given(st.sampled_from(PATHS), st.sampled_from([Verdict.REJECT, Verdict.RETURN, Verdict.WITHDRAW]), st.data())
def test_a_refusal_beside_every_approval_leaves_no_mandate(
    stages: tuple[Stage, ...], verdict: Verdict, data: st.DataObject
) -> None:
    full = case(stages)
    against = replace(full.decisions[0], decision_id="d-x", person_id="p-x", verdict=verdict)
    full.decisions.insert(data.draw(st.integers(0, len(full.decisions))), against)
    assert refusal(full.mandate) == ("decisions", "not_approved", "The request was rejected, returned or withdrawn.")


@given(st.sampled_from(PATHS))
def test_a_rejection_of_another_request_takes_nothing_away(stages: tuple[Stage, ...]) -> None:
    full = case(stages)
    full.decisions.insert(0, replace(full.decisions[0], verdict=Verdict.REJECT, approval_id="CR-2"))
    assert full.mandate().amount_minor == 1_000


@given(
    st.sampled_from(PATHS),
    st.sampled_from([Verdict.REJECT, Verdict.WITHDRAW]),
    st.sampled_from([{"round": 1}, {"digest": "other"}]),
)
def test_what_was_rejected_or_taken_back_stays_so_whatever_it_was_then(
    stages: tuple[Stage, ...], verdict: Verdict, then: dict[str, Any]
) -> None:
    full = case(stages)
    full.decisions.insert(0, replace(full.decisions[0], verdict=verdict, **then))
    assert refusal(full.mandate)[1] == "not_approved"


@given(st.sampled_from(PATHS[1:]), st.lists(st.integers(1, 2_000), min_size=3, max_size=3))
def test_the_mandate_is_the_least_that_anybody_allows_and_never_more_than_was_asked(
    stages: tuple[Stage, ...], amounts: list[int]
) -> None:
    full = case(stages)
    full.decisions = [replace(known, amount_minor=amounts[known.stage]) for known in full.decisions]
    assert full.mandate().amount_minor == min(1_000, *amounts[: len(stages)])


def test_the_people_of_one_stage_agree_to_the_same_amount() -> None:
    full = case(PATHS[1])
    first, second = full.decisions
    lower = replace(second, amount_minor=400)
    full.decisions = [first, lower]
    assert refusal(full.mandate) == ("decisions", "decision_missing", "A signed approval of Controller is missing.")
    full.decisions.append(replace(first, decision_id="d-again", amount_minor=400))
    assert full.mandate() == Mandate(400, (first.person_id, second.person_id))


@pytest.mark.parametrize(("allowed", "stands"), [(-1, False), (0, False), (1, True)])
def test_nothing_at_or_below_zero_is_a_mandate(allowed: int, *, stands: bool) -> None:
    full = case(PATHS[0])
    full.decisions = [replace(full.decisions[0], amount_minor=allowed)]
    if stands:
        assert full.mandate().amount_minor == allowed
    else:
        expected = ("amount", "amount_not_positive", "What was approved is not above zero.")
        assert refusal(full.mandate) == expected


def test_a_surplus_approval_changes_nothing() -> None:
    full = case(PATHS[0])
    full.decisions.append(replace(full.decisions[0], decision_id="d-2", person_id="p-2", amount_minor=2_000))
    assert full.mandate() == Mandate(1_000, (full.decisions[0].person_id,))


def test_a_smaller_amount_is_held_against_limits_by_its_own_size() -> None:
    full = case(PATHS[0])
    (who,) = full.people
    full.people[who] = replace(full.people[who], limits={"credit": 600})
    full.decisions = [replace(full.decisions[0], amount_minor=601)]
    assert refusal(full.mandate)[1] == "above_limit"
    full.decisions = [replace(full.decisions[0], amount_minor=600)]
    assert full.mandate().amount_minor == 600


def test_an_amount_above_the_seats_or_the_persons_limit_is_no_mandate() -> None:
    full = case(PATHS[0])
    (who,) = full.people
    full.people[who] = replace(full.people[who], limits={"credit": 999})
    assert refusal(full.mandate)[1] == "above_limit"
    full.people[who] = replace(full.people[who], limits={"refund": 1})
    assert full.mandate().amount_minor == 1_000
    full.request = replace(full.request, base_minor=1_001)
    assert refusal(full.mandate)[1] == "above_limit"


def test_refusals_name_whose_approval_is_missing_or_void() -> None:
    full = case(PATHS[1])
    (who,) = [known.person_id for known in full.decisions if known.group is L]
    full.people[who] = moved(full.people[who])
    assert refusal(full.mandate) == ("decisions", "not_eligible", "Who approved is not Legal any more.")
    full.decisions.pop()
    assert refusal(full.mandate) == ("decisions", "decision_missing", "A signed approval of Legal is missing.")


decisions = st.builds(
    Decision,
    decision_id=st.text(),
    approval_id=st.text(),
    round=st.integers(0, 5),
    stage=st.integers(0, 5),
    person_id=st.text(),
    group=st.none() | st.sampled_from(Group),
    verdict=st.sampled_from(Verdict),
    digest=st.text(),
    amount_minor=st.integers(1, 10**8),
    comment=st.text(),
)


@given(decisions)
def test_a_decision_reads_back_from_its_claims(made: Decision) -> None:
    assert decision_from_claims(decision_claims(made)) == made


def test_decision_claims_are_plain_data() -> None:
    made = Decision("d", "CR-1", 2, 1, "p", C, Verdict.REJECT, "digest", 5, "why")
    assert decision_claims(made) == {
        "decision_id": "d",
        "approval_id": "CR-1",
        "round": 2,
        "stage": 1,
        "person_id": "p",
        "group": "controller",
        "verdict": "reject",
        "digest": "digest",
        "amount_minor": 5,
        "comment": "why",
    }, "as it was signed before there was a basis: audits hold the two against each other"
    assert decision_claims(replace(made, group=None))["group"] is None
    assert decision_claims(replace(made, basis="group:cfo"))["basis"] == "group:cfo"
    canonical_json(decision_claims(made))


@pytest.mark.parametrize("stages", [(), *PATHS])
def test_a_signed_request_reads_back_from_its_claims(stages: tuple[Stage, ...]) -> None:
    request = replace(case(stages).request, round=3, since_round=3)
    canonical_json(request.to_claims())
    assert SignedRequest.from_claims(request.to_claims()) == request
    assert request.to_claims() == {
        "approval_id": "CR-1",
        "requester_id": "p-admin",
        "change": CHANGE.to_claims(),
        "digest": CHANGE.digest,
        "path": request.path.to_claims(),
        "base_minor": 1_000,
        "policy": "1@abc",
        "round": 3,
    }, "as it was signed before it could be amended: audits hold the two against each other"
    amended = replace(request, since_round=1, amended_by="DE-1")
    assert SignedRequest.from_claims(amended.to_claims()) == amended
    assert amended.to_claims() == {**request.to_claims(), "since_round": 1, "amended_by": "DE-1"}


def test_a_first_round_is_round_0() -> None:
    assert case(()).request.round == 0


def test_a_request_whose_fingerprint_is_not_that_of_its_change_is_refused() -> None:
    claims = case(()).request.to_claims()
    claims["change"]["customer_id"] = "cus_2"
    expected = ("digest", "digest_mismatch", "The signed fingerprint is not that of the request.")
    assert refusal(lambda: SignedRequest.from_claims(claims)) == expected
