"""Reading and writing what requesters made of their requests."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.amending import Amendment
from plixo.domain.change import ProposedChange
from plixo.domain.effects import Amounts
from plixo.domain.mandate import SignedRequest
from plixo.domain.path import ApprovalPath
from plixo.store.models import AmendmentRow
from plixo.store.statements import Statement, everything_of, insert_into

_NEW: Final = Statement(insert_into(AmendmentRow))
_OF_APPROVAL: Final = Statement(
    everything_of(AmendmentRow)
    .where(AmendmentRow.approval_id == bindparam("approval_id"))
    .order_by(AmendmentRow.round, AmendmentRow.created_at, AmendmentRow.decision_id)
)


async def insert(session: AsyncSession, amendment: Amendment) -> None:
    """Keep what a requester made of a request, beside the decision that says so."""
    request, amounts = amendment.request, amendment.amounts
    row = {
        "decision_id": request.amended_by,
        "approval_id": request.approval_id,
        "requester_id": request.requester_id,
        "round": request.round,
        "since_round": request.since_round,
        "change": request.change.to_claims(),
        "digest": request.change.digest,
        "amount_minor": request.change.amount.minor,
        "base_minor": request.base_minor,
        "base_currency": amendment.base_currency,
        "rate": amendment.rate,
        "rate_as_of": amendment.rate_as_of,
        "net_minor": amounts.net_minor,
        "tax_minor": amounts.tax_minor,
        "gross_minor": amounts.gross_minor,
        "policy": request.policy,
        "path": request.path.to_claims(),
        "automatic": request.path.automatic,
        "signed": amendment.signed,
        "replaced": amendment.replaced,
        "created_at": amendment.created_at,
        "routed_at": amendment.created_at if request.since_round == request.round else None,
    }
    await _NEW.change(session, **row)


async def of_approval(session: AsyncSession, approval_id: str) -> Sequence[Amendment]:
    """Everything that its requester made of a request, in the order of signing."""
    return [_amendment(row) for row in await _OF_APPROVAL.rows(session, approval_id=approval_id)]


def _amendment(row: AmendmentRow) -> Amendment:
    change = ProposedChange.from_claims(row.change)
    request = SignedRequest(
        approval_id=row.approval_id,
        requester_id=row.requester_id,
        change=change,
        path=ApprovalPath.from_claims(row.path),
        base_minor=row.base_minor,
        policy=row.policy,
        round=row.round,
        since_round=row.since_round,
        amended_by=row.decision_id,
    )
    return Amendment(
        request=request,
        signed=row.signed,
        replaced=row.replaced,
        amounts=Amounts(row.net_minor, row.tax_minor, row.gross_minor, change.amount.currency),
        base_currency=row.base_currency,
        created_at=row.created_at,
        rate=row.rate,
        rate_as_of=row.rate_as_of,
    )
