"""Trusting signed rows alone: whoever asked for an activity proves nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from activities.instead import verified_absences
from plixo.domain.absence import Absence
from plixo.domain.amending import Amendment, check_follows, check_rounds
from plixo.domain.decision import Decision
from plixo.domain.effects import Effect, plan, planned_against
from plixo.domain.escalation import acting_for
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


def verified_amendment(verifier: Verifier, amendment: Amendment, record: Record) -> SignedRequest:
    """What the staff side signed of a request's next round, held against its row and against the request as it stands.

    Raises:
        NotAllowed: The signature is not the staff side's, the row says something else than what was signed, or it does
            not follow what the request is now.
    """
    after = SignedRequest.from_claims(verifier.verify(amendment.signed, "request", now=None))
    if after != amendment.request:
        raise NotAllowed.one("amendment", "row_altered", "The stored change is not what was signed.")
    check_follows(verified_request(verifier, record, now=None), after)
    return after


async def passed_over(tx: Transaction, record: Record) -> Amendment | None:
    """What its requester made of a request last, where the request is not that: nothing else may be done for them.

    A change that was signed counts whether or not it was taken up. Nobody but the staff side writes one, so nobody who
    holds a worker can go back to what was asked before.
    """
    known = await tx.amendments(record.approval.approval_id)
    last = known[-1] if known else None
    return last if last and last.request.amended_by != record.amended_by else None


async def _rounds_before(
    tx: Transaction, verifier: Verifier, record: Record, request: SignedRequest
) -> list[SignedRequest]:
    """The rounds before this one: each was signed, and follows the one before it.

    Raises:
        NotAllowed: One is missing, or does not.
    """
    known = await tx.amendments(request.approval_id)
    if known and known[-1].request.amended_by != request.amended_by:
        raise NotAllowed.one("amendment", "amended_since", "Its requester has changed it since.")
    replaced = {one.signed: one.replaced for one in known}
    rounds, signed = [request], record.signed
    while signed in replaced:
        signed = replaced.pop(signed)
        rounds.insert(0, SignedRequest.from_claims(verifier.verify(signed, "request", now=None)))
    check_rounds(rounds)
    return rounds[:-1]


async def verified_mandate(tx: Transaction, verifier: Verifier, record: Record) -> tuple[SignedRequest, Mandate]:
    """What the signed rows allow right now: the last check before money moves.

    Raises:
        NotAllowed: They do not allow it.
    """
    request = verified_request(verifier, record, now=None)
    earlier = await _rounds_before(tx, verifier, record, request)
    recorded = [stored for stored in await tx.decisions(request.approval_id) if stored.status == "recorded"]
    decisions: Sequence[Decision] = [verified_decision(verifier, stored, now=None) for stored in recorded]
    instead = {
        stored.decision.decision_id: verifier.signed_at(stored.signed) for stored in recorded if _instead(stored)
    }
    absences: list[Absence] = []
    if instead:
        absences = verified_absences(verifier, await tx.absences(min(instead.values())))
    named = {person_id for one in absences for person_id in (one.person_id, one.delegate_id)}
    people = await tx.people(concerned(decisions) | named)
    return request, mandate(request, decisions, people, earlier, absences=absences, signed_at=instead)


def _instead(stored: StoredDecision) -> bool:
    return bool(acting_for(stored.decision.basis))


async def unmandated(tx: Transaction, verifier: Verifier, record: Record, effect: Effect) -> str:
    """Why the signed rows do not allow a write that was intended before, in words; empty when they do."""
    try:
        request, allowed = await verified_mandate(tx, verifier, record)
    except NotAllowed as refusal:
        return str(refusal)
    then = planned_against(effect, request.change.target)
    signed = plan(request.approval_id, request.round, request.change, allowed.amount_minor, then)
    return "" if replace(effect, state=signed.state) == signed else "The stored effect is not what was signed."
