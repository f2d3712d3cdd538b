"""The mandate: what the signed rows allow, worked out anew right before money moves.

Whoever asks for the effect proves nothing. Only a signed request, with a signed approval of somebody eligible today
for every seat of its path, allows one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from plixo.domain.absence import Absence
from plixo.domain.change import ProposedChange
from plixo.domain.decision import Decision, Verdict, heard_once, voices
from plixo.domain.duties import base_of, check_independent, check_limit, may_see_all
from plixo.domain.escalation import acting_for, falls_back, stands_in
from plixo.domain.instead import Instead
from plixo.domain.path import ApprovalPath, Clock, Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed


@dataclass(frozen=True)
class SignedRequest:
    """What the staff side signed when the request was made.

    Attributes:
        approval_id: Its id.
        requester_id: Who asked.
        change: The exact thing to be done.
        path: Who decides.
        base_minor: The amount in minor units of the policy's base currency, at the rate kept on the request.
        policy: Version and hash of the policy that made the path, such as `3@9f2c…`.
        round: Counts what its requester made of it since: amended, it goes into the next one.
        since_round: The first round whose decisions count; its own, unless it only asks for less than the one before.
        amended_by: Id of the decision that says that it was amended; empty in the first round.
    """

    approval_id: str
    requester_id: str
    change: ProposedChange
    path: ApprovalPath
    base_minor: int
    policy: str
    round: int = 0
    since_round: int = 0
    amended_by: str = ""

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be signed; one that was never amended reads as those from before that could be."""
        said: dict[str, Any] = {
            "approval_id": self.approval_id,
            "requester_id": self.requester_id,
            "change": self.change.to_claims(),
            "digest": self.change.digest,
            "path": self.path.to_claims(),
            "base_minor": self.base_minor,
            "policy": self.policy,
            "round": self.round,
        }
        if self.since_round != self.round:
            said["since_round"] = self.since_round
        return said | ({"amended_by": self.amended_by} if self.amended_by else {})

    @classmethod
    def from_claims(cls, plain: Mapping[str, Any]) -> "SignedRequest":
        """The request that `to_claims` wrote.

        Raises:
            NotAllowed: The signed fingerprint is not that of the signed change.
        """
        change = ProposedChange.from_claims(plain["change"])
        if plain["digest"] != change.digest:
            raise NotAllowed.one("digest", "digest_mismatch", "The signed fingerprint is not that of the request.")
        return cls(
            approval_id=plain["approval_id"],
            requester_id=plain["requester_id"],
            change=change,
            path=ApprovalPath.from_claims(plain["path"]),
            base_minor=plain["base_minor"],
            policy=plain["policy"],
            round=plain["round"],
            since_round=plain.get("since_round", plain["round"]),
            amended_by=plain.get("amended_by", ""),
        )


def decision_claims(decision: Decision) -> dict[str, Any]:
    """A decision as plain data, to be signed; what it does not say is left out."""
    return {
        "decision_id": decision.decision_id,
        "approval_id": decision.approval_id,
        "round": decision.round,
        "stage": decision.stage,
        "person_id": decision.person_id,
        "group": decision.group.value if decision.group else None,
        "verdict": decision.verdict.value,
        "digest": decision.digest,
        "amount_minor": decision.amount_minor,
        "comment": decision.comment,
    } | {name: said for name, said in (("basis", decision.basis), ("subject", decision.subject)) if said}


def decision_from_claims(plain: Mapping[str, Any]) -> Decision:
    """The decision that `decision_claims` wrote."""
    return Decision(
        decision_id=plain["decision_id"],
        approval_id=plain["approval_id"],
        round=plain["round"],
        stage=plain["stage"],
        person_id=plain["person_id"],
        group=Group(plain["group"]) if plain["group"] else None,
        verdict=Verdict(plain["verdict"]),
        digest=plain["digest"],
        amount_minor=plain["amount_minor"],
        comment=plain["comment"],
        basis=plain.get("basis", ""),
        subject=plain.get("subject", ""),
    )


def concerned(decisions: Iterable[Decision]) -> set[str]:
    """Ids of everybody on whom it depends what decisions allow: who decided, for whom, and to whom it was handed."""
    found = {person_id for one in decisions for person_id in (one.person_id, acting_for(one.basis), one.subject)}
    return found - {""}


@dataclass(frozen=True)
class Mandate:
    """What may be done, and on whose word.

    Attributes:
        amount_minor: The most the effect may move, in minor units of the request's currency.
        decided_by: Ids of the people whose approvals count; empty when policy alone approved it.
    """

    amount_minor: int
    decided_by: tuple[str, ...]


def mandate(
    request: SignedRequest,
    decisions: Sequence[Decision],
    people: Mapping[str, Person],
    earlier: Sequence[SignedRequest] = (),
    *,
    absences: Sequence[Absence] = (),
    signed_at: Mapping[str, datetime] = MappingProxyType({}),
) -> Mandate:
    """What the signed rows allow.

    Args:
        request: Verified.
        decisions: Verified; those of other rounds, stages or fingerprints do not count.
        people: Everybody `concerned`, as they stand in the directory now, by id.
        earlier: The request as it was signed for the rounds before.
        absences: Verified.
        signed_at: When each decision in somebody's place was signed, by its id.

    Raises:
        NotAllowed: Somebody returned or withdrew it, or rejected it where one rejection ends it, a seat lacks its
            approvals, one of them is of somebody who may not decide on it, or they allow nothing above zero.
    """
    concerning = [known for known in decisions if _concerns(known, request)]
    paths = {one.round: one.path for one in (*earlier, request)}
    if any(_forbids(known, request, paths) for known in decisions):
        raise NotAllowed.one("decisions", "not_approved", "The request was rejected, returned or withdrawn.")
    rejected = [known for known in concerning if known.verdict is Verdict.REJECT]
    valid = [known for known in concerning if known.verdict is Verdict.APPROVE]
    instead = Instead(request.requester_id, request.change.customer_id, concerning, people, absences, signed_at)
    counted: list[Decision] = []
    for index, stage in enumerate(request.path.stages):
        for seat, clock in stage.clocked():
            found = _approvals(seat, index, valid, request.change.amount.minor)
            for known in found:
                _check_eligible(known, seat, clock, request, instead)
            counted += found
    decided_by = tuple(known.person_id for known in counted)
    heard = [voice for known in (*counted, *rejected) for voice in voices(known)]
    if len(set(heard)) != len(heard):
        raise NotAllowed.one("decisions", "one_person_twice", "Where two are asked, two different people decide.")
    most = min([request.change.amount.minor, *(known.amount_minor for known in counted)])
    if most <= 0:
        # Turned round it would take money from the customer.
        raise NotAllowed.one("amount", "amount_not_positive", "What was approved is not above zero.")
    return Mandate(most, decided_by)


_ENDING: Final = frozenset({Verdict.REJECT, Verdict.WITHDRAW})


def _concerns(decision: Decision, request: SignedRequest) -> bool:
    return (
        decision.approval_id == request.approval_id
        and request.since_round <= decision.round <= request.round
        and decision.digest == request.change.digest
    )


def _forbids(decision: Decision, request: SignedRequest, paths: Mapping[int, ApprovalPath]) -> bool:
    """Whether it ends the request, in whatever round it was said, or returned it and it was not amended since.

    A rejection does not where the stage, as it was signed for its round, says so and its quorum is there.
    """
    if decision.approval_id != request.approval_id:
        return False
    stages = paths.get(decision.round, request.path).stages
    if decision.verdict is Verdict.REJECT and 0 <= decision.stage < len(stages):
        return stages[decision.stage].one_rejection_ends
    returned = decision.verdict is Verdict.RETURN and decision.round >= request.round
    return decision.verdict in _ENDING or returned


def _approvals(seat: Seat, stage: int, decisions: Sequence[Decision], ceiling_minor: int) -> list[Decision]:
    """What fills a seat; who approved more in an earlier round agrees to the less that is asked for now."""
    capped = (replace(known, amount_minor=min(known.amount_minor, ceiling_minor)) for known in decisions)
    here = [known for known in capped if known.stage == stage]
    least = min((known.amount_minor for known in here), default=0)
    # Who approved more was asked again, or should have been: the others of a stage agree to the same amount.
    found = [known for known in here if known.group is seat.group and known.amount_minor == least]
    once = heard_once(found)
    found = (once if len(once) >= seat.quorum else found)[: seat.quorum]
    if len(found) < seat.quorum:
        raise NotAllowed.one("decisions", "decision_missing", f"A signed approval of {seat.group.label} is missing.")
    return found


def _check_eligible(known: Decision, seat: Seat, clock: Clock, request: SignedRequest, instead: Instead) -> None:
    person = instead.people.get(known.person_id)
    asked_id = acting_for(known.basis)
    asked = instead.people.get(asked_id) if asked_id != request.requester_id else None
    base_minor = base_of(request.base_minor, known.amount_minor, request.change.amount.minor)
    if person is None or not (
        person.belongs_to(seat.group)
        or _instead(known.basis, seat, clock, person, asked)
        or (may_see_all(person) and instead.carries(known, seat, base_minor, request.change.kind))
    ):
        raise NotAllowed.one("decisions", "not_eligible", f"Who approved is not {seat.group.label} any more.")
    if asked:
        check_independent(request.requester_id, asked, request.change.customer_id)
    check_independent(request.requester_id, person, request.change.customer_id)
    check_limit(seat, person, base_minor, request.change.kind)


def _instead(basis: str, seat: Seat, clock: Clock, person: Person, asked: Person | None) -> bool:
    named = falls_back(basis, seat, person) or stands_in(basis, clock, seat.group, person, asked)
    return named and may_see_all(person)
