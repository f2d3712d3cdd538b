"""A decision: one person's signed verdict on one fingerprint."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from plixo.domain.escalation import acting_for
from plixo.domain.people import Group


class Verdict(StrEnum):
    """What a signed decision says."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"
    RETURN = "return"
    ANSWER = "answer"
    AMEND = "amend"
    WITHDRAW = "withdraw"
    DELEGATE = "delegate"
    REASSIGN = "reassign"
    NUDGE = "nudge"

    @property
    def by_requester(self) -> bool:
        """Whether only who asked for it says so."""
        return self in {Verdict.ANSWER, Verdict.AMEND, Verdict.WITHDRAW, Verdict.NUDGE}

    @property
    def settles(self) -> bool:
        """Whether it fills a seat or ends the request, so that the same voice says no more about it."""
        return self in {Verdict.APPROVE, Verdict.REJECT}

    @property
    def hands_on(self) -> bool:
        """Whether it names somebody else who may decide from then on."""
        return self in {Verdict.DELEGATE, Verdict.REASSIGN}


@dataclass(frozen=True)
class Decision:
    """One person's signed verdict on one fingerprint.

    Attributes:
        decision_id: Unique; also the update id.
        approval_id: The request it is about.
        round: The request's round when it was signed; another round needs another decision.
        stage: Index of the stage it was signed for.
        person_id: Who decided.
        group: The seat they decided for; None for what the requester says.
        verdict: What they said.
        digest: The fingerprint they saw.
        amount_minor: What they allow, in minor units of the request's currency.
        comment: Their words to colleagues.
        basis: On what it rests where they were not asked from the start: `delegate:p-controller`, `group:cfo`,
            `reassigned:p-administrator`.
        subject: Id of whom it hands a part of the decision to.
    """

    decision_id: str
    approval_id: str
    round: int
    stage: int
    person_id: str
    group: Group | None
    verdict: Verdict
    digest: str
    amount_minor: int
    comment: str = ""
    basis: str = ""
    subject: str = ""


def voices(decision: Decision) -> frozenset[str]:
    """Ids of who decided and, where they did so as a delegate, of whom they acted for: one voice, whoever raises it."""
    return frozenset({decision.person_id, acting_for(decision.basis)}) - {""}


def heard_once(decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions in their order, without those of a voice that was heard before."""
    heard: set[str] = set()
    found = []
    for known in decisions:
        if heard.isdisjoint(voices(known)):
            heard |= voices(known)
            found.append(known)
    return found
