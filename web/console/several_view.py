"""What deciding on several requests at once would do, told before it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plixo.domain.approval import State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import chair_for
from plixo.domain.money import Money
from plixo.domain.refusals import Refused
from plixo.domain.several import Shown, chosen, sums
from plixo.ports import Record, StoredDecision
from plixo.store import decisions, inbox, people
from web.console.deciding import deciding
from web.identity import Visit

UNKNOWN: Final = "There is no such request; look for it in your inbox."
STALE: Final = "So large an amount needs a fresh sign-in."


@dataclass(frozen=True)
class Line:
    """A request that can be decided.

    Attributes:
        record: The request.
        amount: What is left of it: what is approved.
        then: What follows, in words.
        shown: What goes with the form, so that this and nothing else is signed.
    """

    record: Record
    amount: Money
    then: str
    shown: Shown


@dataclass(frozen=True)
class LeftOut:
    """A request that the reader cannot decide on like this.

    Attributes:
        approval_id: Which.
        record: The request; None where they may not know of it.
        why: Why not, in words.
        stale: They could, after a fresh sign-in.
    """

    approval_id: str
    record: Record | None
    why: str
    stale: bool = False


@dataclass(frozen=True)
class Checked:
    """What a verdict on several requests would do.

    Attributes:
        verdict: Approve or reject.
        lines: Those that it would decide, in the order they were ticked.
        left_out: Those that it would not.
        names: People's names by id.
    """

    verdict: Verdict
    lines: Sequence[Line]
    left_out: Sequence[LeftOut]
    names: Mapping[str, str]

    @property
    def sums(self) -> tuple[Money, ...]:
        """What would be decided on, a sum for each currency."""
        return sums(line.amount for line in self.lines)

    @property
    def stale(self) -> bool:
        """Whether a fresh sign-in would let more of them through."""
        return any(one.stale for one in self.left_out)

    @property
    def ids(self) -> tuple[str, ...]:
        """All that were ticked."""
        return (*(line.shown.approval_id for line in self.lines), *(one.approval_id for one in self.left_out))


def parse_verdict(text: str) -> Verdict:
    """What is to be said about all of them.

    Raises:
        Refused: It is neither approve nor reject.
    """
    if text not in {Verdict.APPROVE, Verdict.REJECT}:
        raise Refused.one("verdict", "verdict_missing", "Choose: approve or reject.")
    return Verdict(text)


async def check(visit: Visit, verdict: Verdict, approval_ids: Sequence[str]) -> Checked:
    """Look at each of the requests as it stands now; nothing is kept.

    Raises:
        Refused: There are none, too many, or one is no request's id.
    """
    ids = chosen(approval_ids)
    async with visit.desk.ledger.read() as session:
        found = await inbox.by_ids(session, visit.person, ids)
        stored = await decisions.of_approvals(session, ids)
        requesters = await people.by_ids(session, {record.approval.requester_id for record in found.values()})
    looked = [_look(visit, verdict, one, found.get(one), stored[one]) for one in ids]
    return Checked(
        verdict,
        [one for one in looked if isinstance(one, Line)],
        [one for one in looked if isinstance(one, LeftOut)],
        {person_id: person.name for person_id, person in requesters.items()},
    )


def _look(
    visit: Visit, verdict: Verdict, approval_id: str, record: Record | None, stored: Sequence[StoredDecision]
) -> Line | LeftOut:
    if record is None:
        return LeftOut(approval_id, None, UNKNOWN)
    can = deciding(visit, record, list(stored))
    if can.stale:
        return LeftOut(approval_id, record, STALE, stale=True)
    if not can.open:
        return LeftOut(approval_id, record, can.why_not)
    if verdict is Verdict.APPROVE and can.most != can.agreed:
        return LeftOut(approval_id, record, f"You may approve {can.most} of it at most; open it to approve that.")
    try:
        then = _then(visit, verdict, record)
    except Refused as refusal:
        return LeftOut(approval_id, record, str(refusal))
    return Line(record, can.agreed, then, Shown.of(record.approval))


def _then(visit: Visit, verdict: Verdict, record: Record) -> str:
    """What the request does once the reader has said it."""
    approval, person = record.approval, visit.person
    seat = chair_for(approval, person, record.change.customer_id, record.base_minor).seat
    said = Decision(
        decision_id="",
        approval_id=approval.approval_id,
        round=approval.round,
        stage=approval.stage,
        person_id=person.person_id,
        group=seat.group,
        verdict=verdict,
        digest=approval.digest,
        amount_minor=approval.agreed_minor,
    )
    after = approval.decided(said)
    if after.state is State.WAITING:
        waiting = " and ".join(group.label for group in after.waiting_groups())
        return f"Then it waits on {waiting}."
    return _ENDS[after.state]


_ENDS: Final = {
    State.APPROVED: "It is applied in Stripe at once.",
    State.REJECTED: "It ends, and nothing is credited.",
}
