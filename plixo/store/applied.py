"""Reading what was applied in Stripe in some time, for those who look back on it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import State
from plixo.ports import Record
from plixo.store.approvals import to_record
from plixo.store.models import ApprovalRow


async def between(
    session: AsyncSession, since: datetime, until: datetime, *, automatic: bool = False
) -> Sequence[Record]:
    """Requests that were applied from a moment until before another, oldest first; decisions are left out.

    Args:
        session: Reads the database.
        since: The first moment.
        until: The first that is not meant any more.
        automatic: Only those that nobody was asked about.
    """
    query = select(ApprovalRow).where(
        ApprovalRow.ended_at >= since,
        ApprovalRow.ended_at < until,
        ApprovalRow.ended_at.is_not(None),  # what the index holds
        ApprovalRow.state == State.EXECUTED.value,
    )
    if automatic:
        query = query.where(ApprovalRow.automatic)
    rows = await session.execute(query.order_by(ApprovalRow.ended_at, ApprovalRow.approval_id))
    return [to_record(row, ()) for row in rows.scalars()]
