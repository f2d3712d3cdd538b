"""Deciding on a request: signed and stored first, then Temporal is told.

A decision is never lost: whatever happens after it is stored, the sweeper sends it again until its request has taken
it.
"""

import base64
import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from plixo.domain.approval import ENDED, Approval
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import basis_for, chair_for, check_comment, check_independent, check_requester, may_see
from plixo.domain.ids import is_approval_id, workflow_of
from plixo.domain.mandate import decision_claims
from plixo.domain.money import Money, parse_amount
from plixo.domain.path import Seat
from plixo.domain.people import Person
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.domain.several import Shown
from plixo.domain.texts import MAX_NOTE, parse_text
from plixo.messages.approvals import Decide, Recorded
from plixo.ports import AuditEntry, Clock, Record, StoredDecision
from plixo.store import approvals, decisions
from plixo.store.ledger import SqlLedger, SqlTransaction
from plixo.temporal.codec import PayloadUnreadable
from starters import handing_on
from starters.desk import Desk
from starters.revival import latest_run, take_up_again
from starters.workflows import TemporalAway, ensure_started, reaching
from workflows.approval import ApprovalWorkflow

UPDATE_SECONDS: Final = 5.0
"""How long a person waits for the workflow's answer before the decision is sent as a signal instead."""

SIGNAL_SECONDS: Final = 3.0
"""How long a signal may take to be delivered before it is left to the sweeper."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saying:
    """What somebody says about a request.

    Attributes:
        person: Who is signed in.
        verdict: What they say.
        comment: Their words to colleagues; all but an approval and a withdrawal need some.
        signed_in_at: When they proved who they are.
        amount: How much they approve, as it was typed, in the request's currency; empty for all that is asked.
        shown: What they saw of the request; where it is another one by now, they decide nothing.
        round: The round they have read; None where they do not say.
        to: To whom they hand it: a person's id or address.
        group: Whose part an administrator gives to somebody; may be empty where one group alone is waited for.
    """

    person: Person
    verdict: Verdict
    comment: str
    signed_in_at: datetime
    amount: str = ""
    shown: Shown | None = None
    round: int | None = None
    to: str = ""
    group: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of a decision.

    Attributes:
        decision_id: Which one.
        answer: `accepted`, `already_received`, `conflict`, `refused`, or `kept`: signed and stored, and taken up as
            soon as Temporal is back.
        why: What stands, in words.
        record: The request as it stands now.
    """

    decision_id: str
    answer: str
    why: str
    record: Record


async def decide(desk: Desk, approval_id: str, saying: Saying) -> Answer:
    """Decide on a request, or say something else about it: ask, answer, return, withdraw.

    Args:
        desk: The staff side.
        approval_id: Which request.
        saying: Who says what about it.

    Raises:
        NotFound: There is no such request, or they may not know of it.
        NotAllowed: They may not decide on it; the refusal is in the audit log.
        Conflict: The request no longer waits for this.
        Refused: The amount cannot be read, or is more than is asked for.
    """
    saying = replace(saying, comment=parse_text(saying.comment, "comment", MAX_NOTE))
    refusal: Refused | None = None
    async with desk.ledger.begin() as tx:
        record = await existing(tx, approval_id)
        try:
            check_visible(record, saying.person)
            decision_id = await _sign(desk, tx, record, saying)
        except Refused as caught:
            refusal = caught
            await trace(desk, tx, record, saying, caught)
    if refusal:
        raise refusal
    return await deliver(desk, record, decision_id, saying.verdict)


async def deliver(desk: Desk, record: Record, decision_id: str, verdict: Verdict) -> Answer:
    """Tell the workflow of a stored decision and wait for its answer."""
    approval_id = record.approval.approval_id
    try:
        await ensure_started(desk.temporal, record)
        async with reaching(UPDATE_SECONDS + 1):  # the deadline given to the call bounds each of its tries alone
            recorded = await _update(desk.temporal, approval_id, decision_id, verdict)
    except _NO_ANSWER as failure:
        log.warning("decision %s got no answer (%s); it is sent as a signal", decision_id, type(failure).__name__)
        return await _from_the_rows(desk, approval_id, decision_id)
    except RPCError as failure:
        if failure.status is not RPCStatusCode.NOT_FOUND:
            raise
        log.warning("decision %s is kept: its workflow is not to be found", decision_id)
        return await _from_the_rows(desk, approval_id, decision_id)
    return Answer(decision_id, recorded.answer, recorded.why, await _reread(desk, approval_id))


async def send(ledger: SqlLedger, temporal: Client, decision: Decision, clock: Clock) -> bool:
    """Send a stored decision as a signal: nobody waits for the answer.

    A request that has ended takes no decision any more: the decision is then settled as a conflict, by the rows alone.
    One that has not ended and has no workflow any more gets a new one, which takes the decision up.

    Returns:
        Whether Temporal could be reached.
    """
    if await _settled_as_ended(ledger, decision, clock):
        return True
    try:
        if not await signal(temporal, decision):
            run = await latest_run(temporal, decision.approval_id)
            await take_up_again(ledger, temporal, run, clock)
            await signal(temporal, decision)
    except TemporalAway:
        return False
    return True


async def signal(temporal: Client, decision: Decision) -> bool:
    """Tell a request's workflow of a stored decision; told again, it takes it up no second time.

    Returns:
        Whether there is such a workflow that runs, and its run takes signals: so many and no more go to one.

    Raises:
        TemporalAway: It cannot be reached.
    """
    handle = temporal.get_workflow_handle(workflow_of(decision.approval_id))
    message = Decide(decision.approval_id, decision.decision_id)
    withdrawal = decision.verdict is Verdict.WITHDRAW
    submit = ApprovalWorkflow.submit_withdrawal if withdrawal else ApprovalWorkflow.submit_decision
    try:
        async with reaching(SIGNAL_SECONDS):
            await handle.signal(submit, message)
    except RPCError as failure:
        if failure.status not in _NOT_TAKEN:
            raise
        return False
    return True


_NOT_TAKEN: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})
"""What Temporal answers where there is no such run, and where it has had as many signals as one may."""


async def _update(temporal: Client, approval_id: str, decision_id: str, verdict: Verdict) -> Recorded:
    handle = temporal.get_workflow_handle(workflow_of(approval_id))
    update = ApprovalWorkflow.withdraw if verdict is Verdict.WITHDRAW else ApprovalWorkflow.decide
    return await handle.execute_update(
        update,
        Decide(approval_id, decision_id),
        id=decision_id,
        rpc_timeout=timedelta(seconds=UPDATE_SECONDS),
    )


async def _from_the_rows(desk: Desk, approval_id: str, decision_id: str) -> Answer:
    """The workflow gave no answer: send the decision once more, then let the rows say what stands."""
    stored = await _stored(desk.ledger, decision_id)
    if stored.status == "submitted":
        await send(desk.ledger, desk.temporal, stored.decision, desk.clock)
        stored = await _stored(desk.ledger, decision_id)
    why = stored.why or (KEPT if stored.status == "submitted" else "")
    return Answer(decision_id, _ANSWERS[stored.status], why, await _reread(desk, approval_id))


_NO_ANSWER: Final = (
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateFailedError,
    TemporalAway,
    PayloadUnreadable,  # a worker has a newer key than we do
)
KEPT: Final = "Your decision is signed and kept; it is taken up as soon as the workflow can be reached."
_ANSWERS: Final = {"submitted": "kept", "recorded": "accepted", "conflict": "conflict", "refused": "refused"}


async def _settled_as_ended(ledger: SqlLedger, decision: Decision, clock: Clock) -> bool:
    """Whether the request has ended; a decision that was not taken up until then is a conflict."""
    async with ledger.read() as session:
        seen = await approvals.load(session, decision.approval_id, lock=False)
    if seen is None or seen.approval.state not in ENDED:
        return False
    async with ledger.begin() as tx:
        record = await tx.approval(decision.approval_id)
        stored = await tx.decision(decision.decision_id)
        if record and stored and stored.status == "submitted":
            why = f"The request is {record.approval.state.label.lower()} already."
            await tx.settle_decision(decision.decision_id, "conflict", why, clock())
            detail = {"decision_id": decision.decision_id, "why": why}
            await tx.audit(AuditEntry(decision.approval_id, "decision_conflict", decision.person_id, detail), clock())
    return True


async def _stored(ledger: SqlLedger, decision_id: str) -> StoredDecision:
    async with ledger.read() as session:
        stored = await decisions.load(session, decision_id)
    assert stored is not None, "decisions are never removed"
    return stored


async def _reread(desk: Desk, approval_id: str) -> Record:
    async with desk.ledger.read() as session:
        record = await approvals.load(session, approval_id, lock=False)
    assert record is not None
    return record


_UNKNOWN: Final = ("approval_id", "approval_unknown", "There is no such request; look for it in your inbox.")


async def existing(tx: SqlTransaction, approval_id: str) -> Record:
    """The request, locked until the transaction ends.

    Raises:
        NotFound: There is no such request.
    """
    record = await tx.approval(approval_id) if is_approval_id(approval_id) else None
    if record is None:
        raise NotFound.one(*_UNKNOWN)
    return record


def check_visible(record: Record, person: Person) -> None:
    """Who may not know of a request is told what everybody is told of none; the log keeps that they tried.

    Raises:
        NotFound: They may not.
    """
    if not may_see(person, record.approval.requester_id):
        raise NotFound.one(*_UNKNOWN)


async def _sign(desk: Desk, tx: SqlTransaction, record: Record, saying: Saying) -> str:
    """Check, sign and store; the same person saying the same again is the same decision."""
    approval, now = record.approval, desk.clock()
    earlier = [stored for stored in await tx.decisions(approval.approval_id) if _by(stored, saying.person, approval)]
    amount_minor = _amount(record, saying)
    subject = await handing_on.colleague(tx, saying.to, "to") if saying.verdict.hands_on else None
    same = next((one.decision for one in reversed(earlier) if _the_same(one, saying, amount_minor, subject)), None)
    if same and (same not in approval.decisions or _still_said(approval, same)):
        return same.decision_id
    if saying.shown:
        saying.shown.check(approval)
    if saying.round not in {None, approval.round}:
        raise Conflict.one("decision", "decision_out_of_date", "The request has changed since; read it again.")
    record = await handing_on.prepared(desk, tx, record, saying.person, saying.verdict)
    seat = _check(desk, record, saying, amount_minor)
    if subject:
        wish = handing_on.Wish(saying.verdict, saying.person, subject, saying.group)
        seat, amount_minor = await handing_on.check(tx, record, wish, now)
    decision = _decision(record, saying, seat, amount_minor, nth=len(earlier))
    decision = replace(decision, subject=subject.person_id) if subject else decision
    await handing_on.check_acted_for(tx, record, decision)
    approval.decided(decision)
    signed = desk.signer.sign("decision", decision_claims(decision), now=now)
    await decisions.insert(tx.session, decision, signed, now)
    detail = {"decision_id": decision.decision_id, "verdict": saying.verdict.value}
    await tx.audit(AuditEntry(approval.approval_id, "decision_signed", saying.person.person_id, detail), now)
    return decision.decision_id


def _amount(record: Record, saying: Saying) -> int:
    """How much they approve, in minor units; who rejects or withdraws says so of all that is asked."""
    approval, currency = record.approval, record.change.amount.currency
    if saying.verdict is Verdict.APPROVE and saying.shown:
        return saying.shown.amount_minor
    if saying.verdict is not Verdict.APPROVE or not saying.amount.strip():
        return approval.agreed_minor
    amount = parse_amount(saying.amount, currency)
    if amount.minor > approval.agreed_minor:
        most = Money(approval.agreed_minor, currency)
        raise Refused.one("amount", "amount_above_asked", f"Approve {most} or less; more is not asked for.")
    return amount.minor


def _the_same(stored: StoredDecision, saying: Saying, amount_minor: int, subject: Person | None) -> bool:
    said = stored.decision
    amount_told = said.amount_minor == amount_minor or saying.verdict is not Verdict.APPROVE
    words_told = said.comment == saying.comment or saying.verdict not in {Verdict.ASK, Verdict.ANSWER}
    same = said.verdict is saying.verdict and said.subject == (subject.person_id if subject else "")
    return same and amount_told and words_told and stored.status in _STANDING


def _still_said(approval: Approval, said: Decision) -> bool:
    """Whether what was recorded still stands, so that to say it again says nothing new."""
    if said.verdict.hands_on and said.group:
        return said in approval.handed_on(said.group)
    if said.verdict is Verdict.NUDGE:
        return False
    return approval.has_decided(said.person_id) if said.verdict.settles else approval.decisions[-1] == said


def _check(desk: Desk, record: Record, saying: Saying, amount_minor: int) -> Seat | None:
    """The seat they decide for; None for what the requester says."""
    check_comment(saying.verdict, saying.comment)
    if saying.verdict.by_requester:
        check_requester(record.approval, saying.person)
        record.approval.check_takes(saying.verdict)
        return None
    check_independent(record.approval.requester_id, saying.person, record.change.customer_id)
    record.approval.check_takes(saying.verdict)
    if saying.verdict is Verdict.REASSIGN:
        _check_fresh(desk, record, saying.signed_in_at)
        return None
    chair = chair_for(record.approval, saying.person, record.change.customer_id, record.base_minor)
    if saying.verdict is Verdict.APPROVE and amount_minor > chair.most_minor:
        most = Money(chair.most_minor, record.change.amount.currency)
        raise NotAllowed.one("amount", "above_limit", f"You may approve {most} at most; approve that, or ask somebody.")
    _check_fresh(desk, record, saying.signed_in_at)
    return chair.seat


def _decision(record: Record, saying: Saying, seat: Seat | None, amount_minor: int, *, nth: int) -> Decision:
    approval = record.approval
    return Decision(
        decision_id=_decision_id(approval, saying, amount_minor, nth),
        approval_id=approval.approval_id,
        round=approval.round,
        stage=approval.stage,
        person_id=saying.person.person_id,
        group=seat.group if seat else None,
        verdict=saying.verdict,
        digest=approval.digest,
        amount_minor=amount_minor,
        comment=saying.comment,
        basis=basis_for(approval, saying.person, seat) if seat and saying.verdict is not Verdict.REASSIGN else "",
    )


_STANDING: Final = frozenset({"submitted", "recorded"})


def _by(stored: StoredDecision, person: Person, approval: Approval) -> bool:
    decision = stored.decision
    return decision.person_id == person.person_id and approval.counts(decision)


def _check_fresh(desk: Desk, record: Record, signed_in_at: datetime) -> None:
    minutes = desk.policy.fresh_sign_in_minutes
    old = desk.clock() - signed_in_at > timedelta(minutes=minutes)
    if record.base_minor > desk.policy.fresh_sign_in_above and old:
        wanted = f"So large a decision needs a sign-in of the last {minutes} minutes: sign in again, then decide."
        raise NotAllowed.one("session", "fresh_sign_in_needed", wanted)


def _decision_id(approval: Approval, saying: Saying, amount_minor: int, nth: int) -> str:
    """The same words give the same id, so that a form posted a hundred times is one decision."""
    where = (approval.approval_id, approval.round, approval.stage)
    parts = (*where, saying.person.person_id, saying.verdict.value, amount_minor, nth)
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return f"DE-{base64.b32encode(digest).decode()[:26]}"


async def trace(desk: Desk, tx: SqlTransaction, record: Record, saying: Saying, refusal: Refused) -> None:
    """Keep in the request's history that somebody was refused."""
    event = "decision_conflict" if isinstance(refusal, Conflict) else "decision_refused"
    detail = {"verdict": saying.verdict.value, "code": refusal.code, "why": str(refusal)}
    await tx.audit(AuditEntry(record.approval.approval_id, event, saying.person.person_id, detail), desk.clock())
