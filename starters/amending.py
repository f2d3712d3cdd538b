"""Amending a request: its requester asks for something else of the same customer and target, in a round of its own.

What they ask for is read from Stripe, routed and signed as a new request is, and kept together with the signed decision
that says so. The decision then goes the way of all decisions: it is stored before Temporal is told, and never lost.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from activities.verification import verified_request
from plixo.domain.amending import Amendment, changes, check_follows, keeps
from plixo.domain.approval import State
from plixo.domain.change import ProposedChange, TargetKind
from plixo.domain.credit import CreditForm, TypedCredit, parse_credit
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import base_of, check_requester
from plixo.domain.mandate import SignedRequest, decision_claims
from plixo.domain.money import Money, convert
from plixo.domain.people import Person
from plixo.domain.previewed import Previewed
from plixo.domain.refusals import Conflict, NotFound, Refused
from plixo.domain.texts import MAX_NOTE, parse_text
from plixo.ports import AuditEntry, Record
from plixo.store import amendments, decisions, sums
from plixo.store.ledger import SqlTransaction
from starters.credits import (
    Preview,
    Proposal,
    Routed,
    check_asks,
    check_pending,
    preview_path,
    preview_proposal,
    propose,
    route,
)
from starters.decisions import Answer, Saying, check_visible, deliver, existing, trace
from starters.desk import Desk


@dataclass(frozen=True)
class AmendForm:
    """What is to be another, as text; None where it stays as it is.

    Attributes:
        amount: In major units, gross, in the request's currency.
        reason: A reason code.
        note: For colleagues.
        memo: For the customer.
        round: The round that was read, so that nobody amends what they have not seen; None for whatever stands.
        seen: The token of the preview they were shown, if they were.
    """

    amount: str | None = None
    reason: str | None = None
    note: str | None = None
    memo: str | None = None
    round: int | None = None
    seen: str = ""


@dataclass(frozen=True)
class Amending:
    """What an amendment would mean; nothing was kept.

    Attributes:
        record: The request as it stands.
        preview: Who would have to approve what is asked for then, and what Stripe would be sent.
        keeps: What was decided before still counts: nothing but a smaller amount is asked for.
        changes: What is another, in words.
    """

    record: Record
    preview: Preview
    keeps: bool
    changes: tuple[str, ...]


async def preview_amendment(desk: Desk, approval_id: str, saying: Saying, form: AmendForm) -> Amending:
    """What amending a request would mean.

    Raises:
        Refused: As `amend` would refuse it.
    """
    async with desk.ledger.begin() as tx:
        record = await _read(tx, approval_id, saying)
        typed = _typed(record, form)
        _check_takes(record, typed, form)
    proposal = await propose(desk, typed)
    async with desk.ledger.begin() as tx:
        desk = await desk.up_to_date(tx.session)
        kept = await _keeps(desk, tx, saying.person, record, proposal)
    if kept:
        routed = _kept(record, proposal)
        preview = await preview_path(desk, saying.person, proposal, routed, record.policy, but=approval_id)
    else:
        preview = await preview_proposal(desk, saying.person, proposal, but=approval_id)
    return Amending(record, preview, kept, changes(record.change, proposal.change))


async def amend(desk: Desk, approval_id: str, saying: Saying, form: AmendForm) -> Answer:
    """Ask for something else than before; said again, it is the same amendment.

    Args:
        desk: The staff side.
        approval_id: Which request.
        saying: Who says so, with what words to colleagues.
        form: What is to be another.

    Raises:
        NotFound: There is no such request, or they may not know of it.
        NotAllowed: They did not ask for it, or may ask for nothing any more; the refusal is in the audit log.
        Conflict: The request takes no amendment any more, or was amended since it was read.
        Refused: A field is wrong, nothing is another, or Stripe could not take it.
    """
    saying = replace(saying, verdict=Verdict.AMEND, comment=parse_text(saying.comment, "comment", MAX_NOTE))
    shown = Previewed.parse(form.seen)
    try:
        record, decision_id = await _amend(desk, approval_id, saying, form, shown)
    except Refused as refusal:
        if type(refusal) is not Refused:  # what was mistyped is no attempt at anything
            await _leave_trace(desk, approval_id, saying, refusal)
        raise
    return await deliver(desk, record, decision_id, Verdict.AMEND)


async def _amend(
    desk: Desk, approval_id: str, saying: Saying, form: AmendForm, shown: Previewed | None
) -> tuple[Record, str]:
    """The request as it stood, and the decision that amends it."""
    async with desk.ledger.begin() as tx:
        record = await _read(tx, approval_id, saying)
        typed = _typed(record, form)
        decision_id = await _said_before(tx, record, typed, form)
        if not decision_id:
            _check_takes(record, typed, form)
    if decision_id:
        return record, decision_id
    proposal = await propose(desk, typed)
    async with desk.ledger.begin() as tx:
        await sums.lock(tx.session, "company", record.change.customer_id, saying.person.person_id)
        record = await _read(tx, approval_id, saying)
        decision_id = await _said_before(tx, record, typed, form)
        if not decision_id:
            _check_takes(record, typed, form)
            decision_id = await _keep(desk, tx, record, saying, proposal, shown=shown)
    return record, decision_id


async def _leave_trace(desk: Desk, approval_id: str, saying: Saying, refusal: Refused) -> None:
    async with desk.ledger.begin() as tx:
        try:
            record = await existing(tx, approval_id)
        except NotFound:
            return
        await trace(desk, tx, record, saying, refusal)


async def _read(tx: SqlTransaction, approval_id: str, saying: Saying) -> Record:
    """The request, locked, for whom it may be amended."""
    record = await existing(tx, approval_id)
    check_visible(record, saying.person)
    check_requester(record.approval, saying.person)
    check_asks(saying.person)
    return record


def _typed(record: Record, form: AmendForm) -> TypedCredit:
    """What is asked for, with what stays as it is filled in."""
    change = record.change

    def now(typed: str | None, before: str) -> str:
        return before if typed is None else typed

    return parse_credit(
        CreditForm(
            customer=change.customer_id,
            amount=now(form.amount, str(change.amount.major)),
            currency=change.amount.currency,
            reason=now(form.reason, change.reason.value),
            request_id=record.request_id,
            invoice=change.target.target_id if change.target.kind is TargetKind.INVOICE else "",
            note=now(form.note, change.note),
            memo=now(form.memo, change.memo),
        )
    )


def _check_takes(record: Record, typed: TypedCredit, form: AmendForm) -> None:
    approval = record.approval
    if form.round is not None and form.round != approval.round:
        raise Conflict.one("round", "decision_out_of_date", "The request has changed since; read it again.")
    approval.check_takes(Verdict.AMEND)
    if approval.state is not State.RETURNED and _terms(record.change) == _terms(typed):
        raise Refused.one("amount", "nothing_changed", "Nothing is another than before; change something first.")


def _terms(asked: TypedCredit | ProposedChange) -> tuple[object, ...]:
    """What can be amended."""
    return asked.amount, asked.reason, asked.note, asked.memo


async def _said_before(tx: SqlTransaction, record: Record, typed: TypedCredit, form: AmendForm) -> str:
    """The decision that amended it like this already, or is about to; empty where there is none.

    Raises:
        Conflict: Another amendment is about to.
    """
    approval = record.approval
    for said in reversed(await tx.amendments(approval.approval_id)):
        stored = await tx.decision(said.request.amended_by)
        same = _terms(said.request.change) == _terms(typed) and form.round in {None, said.request.round - 1}
        if stored and stored.status == "submitted":
            if same:
                return stored.decision.decision_id
            words = "You have changed it a moment ago, and that is still being taken up; read it again then."
            raise Conflict.one("round", "amendment_under_way", words)
        asks_again = form.round is None and approval.state is State.RETURNED
        if same and not asks_again and said.request.amended_by == record.amended_by:
            return record.amended_by
    return ""


async def _keep(
    desk: Desk, tx: SqlTransaction, record: Record, saying: Saying, proposal: Proposal, *, shown: Previewed | None
) -> str:
    """Route, sign and store it; the id of the decision that says so."""
    approval, now = record.approval, desk.clock()
    await check_pending(tx.session, proposal, but=approval.approval_id)
    before = verified_request(desk.trust.verifier, record, now=None)
    desk = await desk.up_to_date(tx.session)
    kept = await _keeps(desk, tx, saying.person, record, proposal)
    if kept:
        routed, policy = _kept(record, proposal), before.policy
    else:
        routed = await route(desk, tx.session, saying.person, proposal, but=approval.approval_id)
        policy = desk.policy.reference
    decision = _decision(record, saying, proposal, nth=len(await tx.amendments(approval.approval_id)))
    request = SignedRequest(
        approval_id=approval.approval_id,
        requester_id=approval.requester_id,
        change=proposal.change,
        path=routed.path,
        base_minor=routed.base.minor,
        policy=policy,
        round=approval.round + 1,
        since_round=before.since_round if kept else approval.round + 1,
        amended_by=decision.decision_id,
    )
    check_follows(before, request)
    await decisions.insert(tx.session, decision, desk.signer.sign("decision", decision_claims(decision), now=now), now)
    amendment = Amendment(
        request=request,
        signed=desk.signer.sign("request", request.to_claims(), now=now),
        replaced=record.signed,
        amounts=proposal.amounts,
        base_currency=routed.base.currency,
        created_at=now,
        rate=routed.rate[0] if routed.rate else None,
        rate_as_of=routed.rate[1] if routed.rate else None,
    )
    await amendments.insert(tx.session, amendment)
    detail = _detail(before, amendment, decision, shown)
    await tx.audit(AuditEntry(approval.approval_id, "decision_signed", saying.person.person_id, detail), now)
    return decision.decision_id


async def _keeps(desk: Desk, tx: SqlTransaction, person: Person, record: Record, proposal: Proposal) -> bool:
    """Whether the path stays and, with it, what was decided.

    What was returned counted in no sum meanwhile: it is routed anew, and keeps only a path that would be the same.
    """
    approval = record.approval
    if approval.path.automatic or not keeps(record.change, proposal.change):
        return False
    if approval.state is not State.RETURNED:
        return True
    anew = await route(desk, tx.session, person, proposal, but=approval.approval_id)
    return anew.path == approval.path


def _kept(record: Record, proposal: Proposal) -> Routed:
    """The path as it was made, and the smaller amount at the rate that it was made with."""
    amount, known = proposal.change.amount, record.rate
    if known is None:
        whole = record.change.amount.minor
        base = Money(base_of(record.base_minor, amount.minor, whole), record.base_currency)
        return Routed(record.approval.path, base, None)
    base = convert(amount, Decimal(known), record.base_currency)
    assert record.rate_as_of is not None, "a rate is kept with its moment"
    return Routed(record.approval.path, base, (known, record.rate_as_of))


def _decision(record: Record, saying: Saying, proposal: Proposal, *, nth: int) -> Decision:
    approval, change = record.approval, proposal.change
    parts = (approval.approval_id, approval.round, saying.person.person_id, "amend", change.digest, change.amount, nth)
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return Decision(
        decision_id=f"DE-{base64.b32encode(digest).decode()[:26]}",
        approval_id=approval.approval_id,
        round=approval.round,
        stage=approval.stage,
        person_id=saying.person.person_id,
        group=None,
        verdict=Verdict.AMEND,
        digest=approval.digest,
        amount_minor=change.amount.minor,
        comment=saying.comment,
    )


def _detail(before: SignedRequest, amendment: Amendment, decision: Decision, shown: Previewed | None) -> dict[str, Any]:
    """What the request's history keeps of it."""
    after, kept = amendment.request, amendment.request.since_round != amendment.request.round
    differs = shown.difference(after.path, after.policy) if shown else ""
    at = amendment.rate_as_of
    return {
        "decision_id": decision.decision_id,
        "verdict": decision.verdict.value,
        "round": after.round,
        "amount": str(after.change.amount),
        "changes": list(changes(before.change, after.change)),
        "keeps": kept,
        "digest": after.change.digest,
        "policy": after.policy,
        "rule": after.path.rule,
        "path": list(after.path.describe()),
        **({"rate": amendment.rate, "rate_as_of": at.isoformat()} if amendment.rate and at else {}),
        **({"changed_since_preview": differs} if differs else {}),
    }
