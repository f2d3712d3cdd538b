"""Requests that have not come to their end, however many there are."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import ENDED
from plixo.store.models import ApprovalRow

PAGE = 500
"""How many are read at once."""


async def page(session: AsyncSession, after: str, limit: int = PAGE) -> Sequence[str]:
    """Their ids in order, those behind one id alone; none when there are no more."""
    query = (
        select(ApprovalRow.approval_id)
        .where(ApprovalRow.approval_id > after, ApprovalRow.state.not_in([state.value for state in ENDED]))
        .order_by(ApprovalRow.approval_id)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()
