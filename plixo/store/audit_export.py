"""Reading the audit log out of the database, request by request."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from sqlalchemy import select, union
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.amending import Amendment
from plixo.domain.canonical import can_be_hashed
from plixo.domain.documents import Document
from plixo.domain.ids import ABSENCE_CHAIN, POLICY_CHAIN, effect_id
from plixo.domain.mandate import decision_claims
from plixo.ports import Record, StoredDecision
from plixo.store import amendments, approvals, audit, decisions, documents
from plixo.store.audit_file import UNREADABLE, Block
from plixo.store.models import ApprovalRow, AuditRow, EffectRow

MISSING: Final = "missing"
"""The state of a request of which there are audit entries alone."""

_UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError, RecursionError, DataError)
"""What rows lead to that nobody here wrote: a moment that no calendar has is the database driver's `DataError`."""


async def known_ids(session: AsyncSession) -> Sequence[str]:
    """Every request that has a row or an audit entry, in order: a chain without its request must show, too."""
    both = union(select(ApprovalRow.approval_id), select(AuditRow.approval_id)).subquery()
    return (await session.execute(select(both.c.approval_id).order_by(both.c.approval_id))).scalars().all()


async def blocks(session: AsyncSession, ids: Sequence[str]) -> AsyncIterator[Block]:
    """What an auditor needs of each request; ids that nothing is known of are passed over."""
    for approval_id in ids:
        chain = await audit.lines(session, approval_id)
        beside = await _beside(session, approval_id)
        if chain or beside["state"] != MISSING:
            yield {**beside, "chain": [asdict(line) for line in chain]}


async def _beside(session: AsyncSession, approval_id: str) -> Block:
    """What the rows say of a request; nothing but that, where they were changed until no file can hold it."""
    try:
        record = await approvals.load(session, approval_id, lock=False)
        made = await decisions.of_approval(session, approval_id)
        added = [_document(one) for one in await documents.of_approval(session, approval_id)]
        found = {**_block(approval_id, record, made, await _effect(session, approval_id)), "documents": added}
        if amended := await amendments.of_approval(session, approval_id):
            found["amendments"] = [_amendment(one) for one in amended]
    except _UNREADABLE:
        found = {}
    return found if found and can_be_hashed(found) else {**_block(approval_id, None, (), None), "state": UNREADABLE}


_NO_REQUESTS: Final = {POLICY_CHAIN: POLICY_CHAIN, ABSENCE_CHAIN: ABSENCE_CHAIN}
"""Chains of their own, and what stands where a request has its state."""


def _block(
    approval_id: str, record: Record | None, made: Sequence[StoredDecision], effect: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "approval_id": approval_id,
        "customer_name": record.customer_name if record else "",
        "state": record.approval.state.value if record else _NO_REQUESTS.get(approval_id, MISSING),
        "request": record.request.to_claims() if record else None,
        "signed": record.signed if record else "",
        "decisions": [_decision(stored) for stored in made],
        "effect": effect,
        "documents": [],
    }


def _decision(stored: StoredDecision) -> dict[str, Any]:
    return {
        "decision": decision_claims(stored.decision),
        "signed": stored.signed,
        "status": stored.status,
        "submitted_at": stored.submitted_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "why": stored.why,
    }


def _document(document: Document) -> dict[str, Any]:
    at = document.added_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {**vars(document), "kind": document.kind.value, "added_at": at}


def _amendment(amendment: Amendment) -> dict[str, Any]:
    """A request as its requester changed it, and as it was signed before."""
    return {"request": amendment.request.to_claims(), "signed": amendment.signed, "replaced": amendment.replaced}


async def _effect(session: AsyncSession, approval_id: str) -> dict[str, Any] | None:
    """What Stripe was sent, and what it made of it.

    Raises:
        ValueError: It holds what nobody can have sent.
    """
    row = await session.get(EffectRow, effect_id(approval_id))
    if row is None:
        return None
    params: Any = row.params
    if not isinstance(params, dict) or not can_be_hashed(params):
        raise ValueError("its params cannot be hashed")
    return {
        "effect_id": row.effect_id,
        "kind": row.kind,
        "key": row.key,
        "params": params,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "state": row.state,
        "stripe_object": row.stripe_object,
        "why": row.why,
    }
