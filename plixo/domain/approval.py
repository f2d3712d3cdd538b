"""The approval as a pure state machine: what stands, and what each message makes of it.

States: `routing -> waiting -> (needs_information | returned | withdrawn | rejected | approved)`, automatic ones
`routing -> approved`; a question that is answered leads back to `waiting`. What is returned lies with its requester,
who may change or withdraw it; after a while it is withdrawn in their place, as is at once what nobody signed. Only
`approved -> executing -> (executed | needs_attention)`: right before the effect an approved request whose facts no
longer hold is returned instead.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from plixo.domain.decision import Decision, Verdict, heard_once, voices
from plixo.domain.escalation import Escalated
from plixo.domain.path import ApprovalPath, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict


class State(StrEnum):
    """Where an approval request stands."""

    ROUTING = "routing"
    WAITING = "waiting"
    NEEDS_INFORMATION = "needs_information"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    APPROVED = "approved"
    EXECUTING = "executing"
    EXECUTED = "executed"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def label(self) -> str:
        """The state in the words of page, mail, CLI and Temporal UI."""
        return "Applied in Stripe" if self is State.EXECUTED else self.value.replace("_", " ").capitalize()


ENDED: Final = frozenset({State.WITHDRAWN, State.REJECTED, State.EXECUTED, State.NEEDS_ATTENTION})
"""States in which the workflow has nothing left to do."""

OPEN: Final = frozenset({State.WAITING, State.NEEDS_INFORMATION, State.RETURNED})
"""States in which it lies with people what becomes of it."""

COUNTED: Final = frozenset(State) - {State.RETURNED, State.WITHDRAWN, State.REJECTED}
"""States whose amounts count in the sums that limits depend on; what needs attention may have been granted."""


@dataclass(frozen=True)
class Approval:
    """What stands of one request.

    Attributes:
        approval_id: Its id.
        requester_id: Who asked.
        digest: The fingerprint of what was asked.
        amount_minor: What was asked for: the ceiling, in minor units of its currency.
        path: Who decides.
        kind: What is asked for, such as `credit`; a person's own limits depend on it.
        state: Where it stands.
        round: Counts fresh starts; the first is 0.
        stage: Index of the stage that waits.
        decisions: What was recorded, in order; appended to, never reset.
        escalated: Who may decide as well on the waiting stage by now.
        could: Per seat, how many people could decide when the waiting stage began.
        since_round: The first round whose decisions count: those that follow asked for less and changed nothing else.
        standing_in: Who may because somebody is away at the moment it is asked; worked out then, and never kept.
    """

    approval_id: str
    requester_id: str
    digest: str
    amount_minor: int
    path: ApprovalPath
    kind: str
    state: State = State.ROUTING
    round: int = 0
    stage: int = 0
    decisions: tuple[Decision, ...] = ()
    escalated: tuple[Escalated, ...] = ()
    could: tuple[tuple[Group, int], ...] = ()
    since_round: int = 0
    standing_in: tuple[Escalated, ...] = ()

    @property
    def current_stage(self) -> Stage | None:
        """The stage that waits, if one does."""
        return self.path.stages[self.stage] if self.state is State.WAITING else None

    @property
    def agreed_minor(self) -> int:
        """What is left of the amount, in minor units: the least that anybody approved whose decision counts.

        Nobody approves more than that after them, and the effect is never larger.
        """
        approved = [known.amount_minor for known in self.decisions if self._approves(known)]
        return min([self.amount_minor, *approved])

    def waiting_groups(self) -> tuple[Group, ...]:
        """Groups whose seat in the waiting stage is not filled yet."""
        stage = self.current_stage
        return tuple(seat.group for seat in stage.seats if not self._filled(seat)) if stage else ()

    @property
    def question(self) -> Decision | None:
        """The question that waits for the requester's answer, if one does."""
        asked = self.state is State.NEEDS_INFORMATION and self.decisions
        return self.decisions[-1] if asked and self.decisions[-1].verdict is Verdict.ASK else None

    def missing(self, seat: Seat) -> int:
        """How many people have yet to agree for a seat of the waiting stage."""
        agreed = heard_once(
            known
            for known in self.decisions
            if self._approves(known)
            and known.stage == self.stage
            and known.group is seat.group
            and self.allowed_by(known) == self.agreed_minor
        )
        return max(seat.quorum - len(agreed), 0)

    def rejections(self, stage: int) -> tuple[Decision, ...]:
        """What was rejected in that stage, of what counts."""
        return tuple(
            known
            for known in self.decisions
            if self.counts(known) and (known.stage, known.verdict) == (stage, Verdict.REJECT)
        )

    def handed_on(self, group: Group) -> tuple[Decision, ...]:
        """What hands a part of this group's open seat to somebody.

        The last word of each who was asked counts, and all that administrators said.
        """
        found = {
            (known.verdict, known.person_id, known.subject if known.verdict is Verdict.REASSIGN else ""): known
            for known in self.decisions
            if known.verdict.hands_on and (known.round, known.stage, known.group) == (self.round, self.stage, group)
        }
        return tuple(found.values())

    def has_decided(self, person_id: str) -> bool:
        """Whether what this person decided stands, or what was decided in their place.

        An approval of more than is left does not: they are asked again.
        """
        return any(self._stands(known) for known in self.decisions if person_id in voices(known))

    def counts(self, decision: Decision) -> bool:
        """Whether it was said in a round that still counts."""
        return self.since_round <= decision.round <= self.round

    def allowed_by(self, decision: Decision) -> int:
        """How much a decision allows by now, in minor units: who approved more agrees to the less asked since."""
        return min(decision.amount_minor, self.amount_minor)

    def check_takes(self, verdict: Verdict) -> None:
        """Refuse what a request in this state cannot take.

        Raises:
            Conflict: It names what stands.
        """
        if verdict in {Verdict.AMEND, Verdict.WITHDRAW}:
            self._expect(*OPEN)
        else:
            self._expect(State.NEEDS_INFORMATION if verdict is Verdict.ANSWER else State.WAITING)

    def opened(self) -> "Approval":
        """Routing is done: it waits for people, or is approved by policy."""
        self._expect(State.ROUTING)
        return replace(self, state=State.APPROVED if self.path.automatic else State.WAITING)

    def decided(self, decision: Decision) -> "Approval":
        """The request after a decision; the same one when it was recorded before.

        Raises:
            Conflict: It no longer waits, or the decision is for another stage, round, fingerprint or amount, or its
                seat or person has decided already.
        """
        if any(decision.decision_id == known.decision_id for known in self.decisions):
            return self
        self.check_takes(decision.verdict)
        self._check_fits(decision)
        after = replace(self, decisions=(*self.decisions, decision))
        if decision.verdict is Verdict.APPROVE:
            return after._advanced()  # noqa: SLF001 - the same class
        if decision.verdict is Verdict.REJECT and not after._ends(decision):  # noqa: SLF001 - the same class
            return after
        return replace(after, state=_AFTER[decision.verdict])

    def amended(
        self, decision: Decision, path: ApprovalPath, digest: str, amount_minor: int, *, keeps: bool
    ) -> "Approval":
        """The request as its requester changed it, in a round of its own.

        Until its effect is intended a change that was signed comes first: then everybody has decided on something that
        is asked for no longer.

        Args:
            decision: Says that they changed it.
            path: Who decides on it now.
            digest: The fingerprint of what is asked for now.
            amount_minor: What is asked for now, in minor units.
            keeps: Nothing but the amount is another, and it is smaller: what was decided before still counts.

        Raises:
            Conflict: It has come too far, or the change was signed for another round or fingerprint.
        """
        self.check_amendment(decision)
        now = State.APPROVED if path.automatic else State.WAITING
        after = replace(
            self,
            digest=digest,
            amount_minor=amount_minor,
            path=path,
            state=now,
            round=self.round + 1,
            decisions=(*self.decisions, decision),
        )
        if not keeps:
            return replace(after, stage=0, escalated=(), could=(), since_round=after.round)
        return after if path.automatic else after._advanced()  # noqa: SLF001 - the same class

    def check_amendment(self, decision: Decision) -> None:
        """Refuse a change that it takes no more, or that was signed for what it is no longer.

        Raises:
            Conflict: It names what stands.
        """
        self._expect(*OPEN, State.APPROVED)
        self._check_fits(decision)

    def returned(self) -> "Approval":
        """Time is up, or what it is about has changed in Stripe: it goes back to its requester."""
        self._expect(State.ROUTING, State.WAITING, State.NEEDS_INFORMATION, State.APPROVED)
        return replace(self, state=State.RETURNED)

    def withdrawn(self) -> "Approval":
        """Nobody signed it, or it lay with its requester for too long: it ends."""
        self._expect(State.ROUTING, State.APPROVED, *OPEN)
        return replace(self, state=State.WITHDRAWN)

    def executing(self) -> "Approval":
        """The effect is intended; asked again while it is under way, nothing changes."""
        self._expect(State.APPROVED, State.EXECUTING)
        return replace(self, state=State.EXECUTING)

    def executed(self) -> "Approval":
        """Stripe has it."""
        self._expect(State.EXECUTING)
        return replace(self, state=State.EXECUTED)

    def needs_attention(self) -> "Approval":
        """Stripe refused it, or its outcome cannot be told: a person must look."""
        self._expect(State.EXECUTING)
        return replace(self, state=State.NEEDS_ATTENTION)

    def _advanced(self) -> "Approval":
        if self.waiting_groups():
            return self
        if self.stage + 1 < len(self.path.stages):
            return replace(self, stage=self.stage + 1, escalated=(), could=())
        return replace(self, state=State.APPROVED)

    def _ends(self, rejection: Decision) -> bool:
        """Whether a rejection ends the request: any; where the stage says otherwise, once its quorum is out of reach.

        Where nobody counted who could decide, any does.
        """
        stage = self.path.stages[self.stage]
        seat = next(seat for seat in stage.seats if seat.group is rejection.group)
        rejected = sum(one.group is seat.group for one in self.rejections(self.stage))
        return stage.one_rejection_ends or dict(self.could).get(seat.group, 0) - rejected < seat.quorum

    def _check_fits(self, decision: Decision) -> None:
        if decision.approval_id != self.approval_id or decision.digest != self.digest:
            raise Conflict.one(
                "decision", "decision_for_something_else", "The decision was signed for another request."
            )
        if decision.round != self.round:
            raise Conflict.one("decision", "decision_out_of_date", "The request has changed since; read it again.")
        if decision.verdict.by_requester:
            return
        if decision.stage != self.stage:
            raise Conflict.one("decision", "stage_already_decided", "That stage is decided; another one waits now.")
        if any(self._settles(known, decision) for known in self.decisions):
            raise Conflict.one("decision", "already_decided", "You have decided on this request already.")
        if decision.verdict is Verdict.APPROVE and not 0 < decision.amount_minor <= self.agreed_minor:
            raise Conflict.one("amount", "amount_changed", "Another amount is asked for by now; read it again.")
        if decision.group not in self.waiting_groups():
            raise Conflict.one("decision", "seat_already_decided", "Your group has decided on this request already.")

    def _filled(self, seat: Seat) -> bool:
        return self.missing(seat) == 0

    def _approves(self, known: Decision) -> bool:
        return self.counts(known) and known.verdict is Verdict.APPROVE

    def _stands(self, known: Decision) -> bool:
        """Whoever approved more than is left now, in the stage that waits, is asked again."""
        asked_again = known.stage == self.stage and self.allowed_by(known) != self.agreed_minor
        return known.verdict.settles and self.counts(known) and not (self._approves(known) and asked_again)

    def _settles(self, known: Decision, decision: Decision) -> bool:
        """Whether an earlier decision keeps the same voice from this one; asked again, it keeps its seat."""
        mine = self.counts(known) and not voices(known).isdisjoint(voices(decision))
        return mine and known.verdict.settles and (self._stands(known) or known.group is not decision.group)

    def _expect(self, *states: State) -> None:
        if self.state not in states:
            raise Conflict.one("", f"already_{self.state}", f"The request is {self.state.label.lower()} already.")


_AFTER: Final = {
    Verdict.REJECT: State.REJECTED,
    Verdict.ASK: State.NEEDS_INFORMATION,
    Verdict.RETURN: State.RETURNED,
    Verdict.ANSWER: State.WAITING,
    Verdict.WITHDRAW: State.WITHDRAWN,
    Verdict.DELEGATE: State.WAITING,
    Verdict.REASSIGN: State.WAITING,
    Verdict.NUDGE: State.WAITING,
}
"""Where each verdict but an approval leads at once; what hands on or nudges leaves it waiting."""
