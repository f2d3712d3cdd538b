"""Trusting signed rows alone: whoever asked for an activity proves nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from plixo.domain.decision import Decision
from plixo.domain.effects import Effect, plan, planned_against
from plixo.domain.mandate import Mandate, SignedRequest, concerned, decision_from_claims, mandate
from plixo.domain.refusals import NotAllowed
from plixo.ports import Record, StoredDecision, Transaction, Verifier


def verified_request(verifier: Verifier, record: Record, *, now: datetime | None) -> SignedRequest:
    """What the staff side signed, held against the row that people see.

    Args:
        verifier: Holds the staff side's public keys.
        record: The row.
        now: Refuse a signature that had expired by then; None once the request was opened.

    Raises:
        NotAllowed: The signature is not the staff side's, or the row says something else than what was signed.
    """
    request = SignedRequest.from_claims(verifier.verify(record.signed, "request", now=now))
    approval = record.approval
    copies = (approval.amount_minor, approval.digest, approval.kind)
    if request != record.request or copies != (request.change.amount.minor, request.change.digest, request.change.kind):
        raise NotAllowed.one("request", "row_altered", "The stored request is not what was signed.")
    return request


def verified_decision(verifier: Verifier, stored: StoredDecision, *, now: datetime | None) -> Decision:
    """What the staff side signed, held against the row.

    Raises:
        NotAllowed: The signature is not the staff side's, or the row says something else than what was signed.
    """
    decision = decision_from_claims(verifier.verify(stored.signed, "decision", now=now))
    if decision != stored.decision:
        raise NotAllowed.one("decision", "row_altered", "The stored decision is not what was signed.")
    return decision


async def verified_mandate(tx: Transaction, verifier: Verifier, record: Record) -> tuple[SignedRequest, Mandate]:
    """What the signed rows allow right now: the last check before money moves.

    Raises:
        NotAllowed: They do not allow it.
    """
    request = verified_request(verifier, record, now=None)
    recorded = [stored for stored in await tx.decisions(request.approval_id) if stored.status == "recorded"]
    decisions: Sequence[Decision] = [verified_decision(verifier, stored, now=None) for stored in recorded]
    people = await tx.people(concerned(decisions))
    return request, mandate(request, decisions, people)


async def unmandated(tx: Transaction, verifier: Verifier, record: Record, effect: Effect) -> str:
    """Why the signed rows do not allow a write that was intended before, in words; empty when they do."""
    try:
        request, allowed = await verified_mandate(tx, verifier, record)
    except NotAllowed as refusal:
        return str(refusal)
    then = planned_against(effect, request.change.target)
    signed = plan(request.approval_id, request.round, request.change, allowed.amount_minor, then)
    return "" if replace(effect, state=signed.state) == signed else "The stored effect is not what was signed."
