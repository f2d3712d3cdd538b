"""Reading what was approved, for the close: from the requests and their decisions."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.change import TargetKind
from plixo.domain.effects import EffectKind
from plixo.domain.ids import effect_id
from plixo.domain.money import Money
from plixo.domain.reconciling import Granted
from plixo.ports import Record
from plixo.store import applied, approvals
from plixo.store.models import ApprovalRow


async def every(session: AsyncSession) -> Sequence[Granted]:
    """Every request, with what its decisions allow."""
    ids = (await session.execute(select(ApprovalRow.approval_id))).scalars().all()
    records = [await approvals.load(session, approval_id, lock=False) for approval_id in ids]
    return [_granted(record) for record in records if record]


async def of(session: AsyncSession, ids: Collection[str]) -> Sequence[Granted]:
    """Those of the requests that there are, with what their decisions allow."""
    return [_granted(record) for record in await applied.with_decisions(session, ids)]


def _granted(record: Record) -> Granted:
    approval, change = record.approval, record.change
    balance = change.target.kind is TargetKind.CUSTOMER_BALANCE
    return Granted(
        approval_id=approval.approval_id,
        effect_id=effect_id(approval.approval_id),
        state=approval.state,
        kind=EffectKind.BALANCE_TRANSACTION if balance else EffectKind.CREDIT_NOTE,
        customer_id=change.customer_id,
        amount=Money(min(change.amount.minor, approval.agreed_minor), change.amount.currency),
        object_id=record.stripe_object,
    )
