"""n of m, side by side and in series, with rejections and empty groups: what is recorded, and what moves money."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plixo.domain.approval import Approval, State
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.decision import Decision, Verdict, voices
from plixo.domain.duties import basis_for, chair_for, check_decision
from plixo.domain.escalation import Escalated, basis_in_words, basis_of_fallback
from plixo.domain.mandate import Mandate, SignedRequest, mandate
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Route, Ruling, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.planning import PathLimits, StagePlan, build_path
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Conflict, NotAllowed, Refused
from plixo.domain.seating import Case, seatings

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)
TARGET = Target(TargetKind.INVOICE, "in_1", "open", "USD")
CHANGE = ProposedChange("credit", "cus_1", Money(1_000, "USD"), TARGET, Reason.GOODWILL)
PLAIN = PathLimits(1_000, 1_000, {C: CLOCK, L: CLOCK, CFO: CLOCK})


def person(name: str, *groups: Group, **changed: Any) -> Person:
    return replace(Person(f"p-{name}", name, f"{name}@plixo.example", frozenset(groups)), **changed)


STAFF = (
    *(person(f"c{number}", C) for number in range(4)),
    *(person(f"l{number}", L) for number in range(3)),
    *(person(f"f{number}", CFO) for number in range(3)),
    person("cl", C, L),
)


@dataclass
class Played:
    """A request and who is there; stages begin as the activity begins them."""

    approval: Approval
    people: tuple[Person, ...]
    number: int = 0

    @property
    def request(self) -> SignedRequest:
        approval = self.approval
        return SignedRequest("CR-1", approval.requester_id, CHANGE, approval.path, 1_000, "1@abc")

    def begin(self) -> None:
        stage = self.approval.current_stage
        if stage is None:
            return
        found = seatings(stage, self.people, Case(self.approval, "cus_1", 1_000))
        instead = tuple(
            Escalated(
                one.seat.group,
                one.fallback.value,
                0,
                tuple((who.person_id, basis_of_fallback(one.fallback)) for who in one.able),
                fallback=True,
            )
            for one in found
            if one.fallback
        )
        could = tuple((one.seat.group, len(one.able)) for one in found)
        self.approval = replace(self.approval, escalated=instead, could=could)

    def say(self, who: Person, verdict: Verdict = Verdict.APPROVE, amount: int = 0) -> None:
        """As the staff side signs it and the activity records it.

        Raises:
            Refused: By either.
        """
        before = self.approval
        seat = chair_for(before, who, "cus_1", 1_000).seat
        self.number += 1
        said = Decision(
            decision_id=f"d{self.number}",
            approval_id="CR-1",
            round=0,
            stage=before.stage,
            person_id=who.person_id,
            group=seat.group,
            verdict=verdict,
            digest=CHANGE.digest,
            amount_minor=amount or before.agreed_minor,
            comment="because",
            basis=basis_for(before, who, seat),
        )
        after = before.decided(said)
        check_decision(before, said, who, "cus_1", 1_000)
        self.approval = after
        if after.stage != before.stage:
            self.begin()

    def mandate(self) -> Mandate:
        return mandate(self.request, self.approval.decisions, {one.person_id: one for one in self.people})


def played(path: ApprovalPath, people: Sequence[Person] = STAFF) -> Played:
    found = Played(Approval("CR-1", "p-admin", CHANGE.digest, 1_000, path, "credit").opened(), tuple(people))
    found.begin()
    return found


def stages(*plan: StagePlan, fallback: Group | None = None) -> ApprovalPath:
    """A path of these stages; the fallback is the Controller's and Legal's."""
    fallbacks = {C: fallback, L: fallback} if fallback else {}
    groups = {group for stage in plan for group, _ in stage.seats}
    route = Route.BOTH if len(groups) == 2 else Route(next(iter(groups)).value)
    limits = replace(PLAIN, stages={route.value: plan}, fallbacks=fallbacks)
    return build_path(Ruling(route, "r", "w"), frozenset(), 1_000, limits)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def named(*names: str) -> list[Person]:
    return [one for name in names for one in STAFF if one.name == name]


C0, C1, C2, C3, L0, L1, F0, F1, CL = named("c0", "c1", "c2", "c3", "l0", "l1", "f0", "f1", "cl")
TWO_OF_C = StagePlan(((C, 2),), one_rejection_ends=False)


def test_two_of_three_agree_though_one_rejects() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2, F0])
    assert play.approval.could == ((C, 3),)
    play.say(C0)
    assert code(play.mandate) == "decision_missing"
    play.say(C1, Verdict.REJECT)
    assert (play.approval.state, play.approval.waiting_groups()) == (State.WAITING, (C,))
    assert code(play.mandate) == "decision_missing"
    play.say(C2)
    assert play.approval.state is State.APPROVED
    assert play.mandate() == Mandate(1_000, ("p-c0", "p-c2"))


def test_it_ends_with_the_rejection_that_puts_the_quorum_out_of_reach() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2])
    play.say(C0)
    play.say(C1, Verdict.REJECT)
    play.say(C2, Verdict.REJECT)
    assert play.approval.state is State.REJECTED
    assert [one.person_id for one in play.approval.rejections(0)] == ["p-c1", "p-c2"]
    assert play.approval.rejections(1) == ()


def test_who_has_rejected_does_not_agree_later() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2])
    play.say(C0, Verdict.REJECT)
    assert code(lambda: play.say(C0)) == "already_decided"


def test_where_one_rejection_ends_it_it_does_whatever_the_quorum() -> None:
    play = played(stages(StagePlan(((C, 2),))), [C0, C1, C2, C3])
    play.say(C0, Verdict.REJECT)
    assert play.approval.state is State.REJECTED
    assert code(play.mandate) == "not_approved"


def test_where_nobody_counted_who_could_decide_one_rejection_ends_it() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2])
    play.approval = replace(play.approval, could=())
    play.say(C0, Verdict.REJECT)
    assert play.approval.state is State.REJECTED


def test_side_by_side_each_group_counts_its_own_people() -> None:
    play = played(stages(StagePlan(((C, 2), (L, 1)), one_rejection_ends=False)), [C0, C1, C2, L0])
    play.say(C0, Verdict.REJECT)
    assert play.approval.state is State.WAITING
    play.say(L0, Verdict.REJECT)
    assert play.approval.state is State.REJECTED


def test_legal_first_and_then_the_controller() -> None:
    play = played(stages(StagePlan(((L, 1),)), StagePlan(((C, 1),))), [C0, L0])
    assert code(lambda: play.say(C0)) == "not_asked"
    play.say(L0)
    assert (play.approval.stage, play.approval.waiting_groups(), play.approval.could) == (1, (C,), ((C, 1),))
    play.say(C0)
    assert play.mandate().decided_by == ("p-l0", "p-c0")


def test_a_rejection_in_an_earlier_stage_is_not_counted_in_a_later_one() -> None:
    play = played(stages(StagePlan(((L, 1),), one_rejection_ends=False), TWO_OF_C), [C0, C1, L0, L1])
    play.say(L0, Verdict.REJECT)
    play.say(L1)
    play.say(C0)
    play.say(C1)
    assert play.approval.state is State.APPROVED
    assert play.mandate().decided_by == ("p-l1", "p-c0", "p-c1")


def test_a_smaller_amount_asks_those_of_the_same_quorum_again_and_no_rejection() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2, C3])
    play.say(C0)
    play.say(C1, Verdict.REJECT)
    play.say(C2, amount=600)
    assert play.approval.state is State.WAITING
    assert not play.approval.has_decided("p-c0")
    assert play.approval.has_decided("p-c1")
    assert code(lambda: play.say(C1)) == "already_decided"
    play.say(C0, amount=600)
    assert play.mandate() == Mandate(600, ("p-c2", "p-c0"))


def test_an_empty_group_goes_to_its_fallback_within_the_limit_of_whom_it_replaces() -> None:
    path = stages(StagePlan(((C, 1),)), fallback=CFO)
    play = played(path, [replace(C0, related_customers=frozenset({"cus_1"})), F0])
    play.say(F0)
    assert play.approval.decisions[0].basis == "fallback:cfo"
    assert play.mandate().decided_by == ("p-f0",)
    low = replace(path.stages[0], seats=(Seat(C, 999, fallback=CFO),))
    poor = replace(play.request, path=replace(path, stages=(low,)))
    assert code(lambda: mandate(poor, play.approval.decisions, {"p-f0": F0})) == "above_limit"


@pytest.mark.parametrize(
    ("seat", "who", "expected"),
    [
        (Seat(C), F0, "not_eligible"),
        (Seat(C, fallback=L), F0, "not_eligible"),
        (Seat(C, fallback=CFO), L0, "not_eligible"),
        (Seat(C, fallback=CFO), replace(F0, active=False), "not_eligible"),
        (Seat(C, fallback=CFO), replace(F0, related_customers=frozenset({"cus_1"})), "related_customer"),
        (Seat(C, fallback=CFO), replace(F0, person_id="p-admin"), "own_request"),
    ],
    ids=["no-fallback", "another-fallback", "not-of-it", "left", "related", "requester"],
)
def test_money_moves_on_no_fallback_but_the_signed_one(seat: Seat, who: Person, expected: str) -> None:
    path = ApprovalPath("r", "w", (Stage((seat,), CLOCK),))
    said = Decision("d", "CR-1", 0, 0, who.person_id, C, Verdict.APPROVE, CHANGE.digest, 1_000, "", "fallback:cfo")
    request = SignedRequest("CR-1", "p-admin", CHANGE, path, 1_000, "1@abc")
    assert code(lambda: mandate(request, [said], {who.person_id: who})) == expected


def test_a_group_that_is_not_empty_keeps_its_seat() -> None:
    play = played(stages(StagePlan(((C, 1),)), fallback=CFO), [C0, F0])
    assert code(lambda: play.say(F0)) == "not_asked"


def test_one_person_of_the_fallback_does_not_fill_two_empty_seats() -> None:
    play = played(stages(StagePlan(((C, 1), (L, 1))), fallback=CFO), [F0, F1])
    play.say(F0)
    assert code(lambda: play.say(F0)) == "already_decided"
    play.say(F1)
    assert play.mandate().decided_by == ("p-f0", "p-f1")
    assert [one.basis for one in play.approval.decisions] == ["fallback:cfo"] * 2


def test_money_moves_on_nobody_who_has_rejected_beside_it() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2])
    play.say(C0)
    play.say(C1, Verdict.REJECT)
    play.say(C2)
    forged = replace(play.approval.decisions[1], decision_id="d9", person_id="p-c2")
    play.approval = replace(play.approval, decisions=(*play.approval.decisions, forged))
    assert code(play.mandate) == "one_person_twice"


def test_a_rejection_of_no_stage_of_the_path_is_none_that_it_goes_on_after() -> None:
    play = played(stages(TWO_OF_C), [C0, C1, C2])
    play.say(C0)
    play.say(C1)
    for stage in (-1, 1):
        strange = replace(play.approval.decisions[0], decision_id="d9", verdict=Verdict.REJECT, stage=stage)
        forged = replace(play.approval, decisions=(*play.approval.decisions, strange))
        assert code(Played(forged, play.people).mandate) == "not_approved"


def test_in_words_somebody_decides_as_the_fallback() -> None:
    assert basis_in_words("fallback:cfo", {}) == "as CFO, since nobody of them could"
    assert basis_in_words("fallback:nobody", {}) == ""


def test_that_a_seat_went_to_its_fallback_comes_back_as_it_was_kept() -> None:
    told = Escalated(C, "cfo", 7, (("p-f0", "fallback:cfo"),), fallback=True)
    assert Escalated.from_claims(told.to_claims()) == told
    assert "fallback" not in replace(told, fallback=False).to_claims()


@st.composite
def plans(draw: st.DrawFn) -> tuple[StagePlan, ...]:
    groups = draw(st.permutations(draw(st.sampled_from([(C,), (L,), (C, L)]))))
    seats = [(group, draw(st.integers(1, 3))) for group in groups]
    if draw(st.booleans()):
        return (StagePlan(tuple(seats), draw(st.booleans())),)
    return tuple(StagePlan((seat,), draw(st.booleans())) for seat in seats)


verdicts = st.sampled_from([Verdict.APPROVE] * 3 + [Verdict.REJECT])
words = st.lists(st.tuples(st.sampled_from(STAFF), verdicts, st.sampled_from([0, 0, 0, 700, 400])), max_size=30)


@settings(max_examples=300)
@given(plans(), st.sampled_from([None, CFO]), st.sets(st.sampled_from([one.name for one in STAFF])), words)
def test_whatever_is_said_in_whatever_order_what_is_approved_moves_money_and_nothing_else_does(
    plan: tuple[StagePlan, ...],
    fallback: Group | None,
    related: set[str],
    said: list[tuple[Person, Verdict, int]],
) -> None:
    people = [replace(one, related_customers=frozenset({"cus_1"} if one.name in related else ())) for one in STAFF]
    by_id = {one.person_id: one for one in people}
    play = played(stages(*plan, fallback=fallback), people)
    for who, verdict, amount in said:
        before = play.approval
        try:
            play.say(by_id[who.person_id], verdict, amount)
        except (Conflict, NotAllowed):
            continue
        _check_step(before, play.approval, people)
    _check_end(play, by_id)


def _check_step(before: Approval, after: Approval, people: Sequence[Person]) -> None:
    """Rejections and the people who could decide, counted by hand."""
    said, stage = after.decisions[-1], before.path.stages[before.stage]
    seat = next(one for one in stage.seats if one.group is said.group)
    earlier = {one.person_id for one in before.decisions if one.stage < before.stage}
    free = [one for one in people if not one.related_customers and one.person_id not in earlier]
    could = sum(one.belongs_to(seat.group) for one in free)
    if not could:
        could = sum(one.belongs_to(CFO) for one in free) if seat.fallback else 0
    rejected = sum(
        (one.stage, one.group, one.verdict) == (before.stage, seat.group, Verdict.REJECT) for one in after.decisions
    )
    ends = said.verdict is Verdict.REJECT and (stage.one_rejection_ends or could - rejected < seat.quorum)
    assert (after.state is State.REJECTED) == ends


def _check_end(play: Played, by_id: dict[str, Person]) -> None:
    approval = play.approval
    if approval.state is not State.APPROVED:
        assert code(play.mandate) in {"not_approved", "decision_missing"}
        return
    allowed = play.mandate()
    assert allowed.amount_minor == approval.agreed_minor
    counted = [one for one in approval.decisions if one.person_id in allowed.decided_by]
    assert len(set(allowed.decided_by)) == len(allowed.decided_by)
    for index, stage in enumerate(approval.path.stages):
        least = min(one.amount_minor for one in counted if one.stage == index and one.verdict is Verdict.APPROVE)
        for seat in stage.seats:
            agreed = {
                one.person_id
                for one in counted
                if (one.stage, one.group, one.verdict, one.amount_minor) == (index, seat.group, Verdict.APPROVE, least)
            }
            assert len(agreed) == seat.quorum
            assert all(by_id[who].belongs_to(seat.group) or by_id[who].belongs_to(CFO) for who in agreed)
            assert not any(by_id[who].related_customers for who in agreed)
    heard = [voice for one in approval.rejections(approval.stage) for voice in voices(one)]
    assert not set(heard) & set(allowed.decided_by)
