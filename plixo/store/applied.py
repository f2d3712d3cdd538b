"""Reading what was applied in Stripe in some time, for those who look back on it."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import State
from plixo.ports import Record
from plixo.store.approvals import to_record
from plixo.store.decisions import recorded_of
from plixo.store.models import ApprovalRow

_AT_ONCE: Final = 500
"""How many ids a statement names."""


async def automatically(session: AsyncSession, since: datetime, until: datetime) -> Sequence[Record]:
    """Requests that were applied from a moment until before another, and that nobody was asked about; oldest first."""
    query = select(ApprovalRow).where(*_in_time(since, until), ApprovalRow.automatic)
    rows = await session.execute(query.order_by(ApprovalRow.ended_at, ApprovalRow.approval_id))
    return [to_record(row, ()) for row in rows.scalars()]


async def ids_between(session: AsyncSession, since: datetime, until: datetime) -> Sequence[str]:
    """Which requests were applied from a moment until before another, oldest first."""
    query = select(ApprovalRow.approval_id).where(*_in_time(since, until))
    return (await session.execute(query.order_by(ApprovalRow.ended_at, ApprovalRow.approval_id))).scalars().all()


async def with_decisions(session: AsyncSession, ids: Collection[str]) -> Sequence[Record]:
    """Requests by id with what was recorded of them; ids without a request are missing."""
    found: list[Record] = []
    ordered = sorted(set(ids))
    for begin in range(0, len(ordered), _AT_ONCE):
        some = ordered[begin : begin + _AT_ONCE]
        rows = (await session.execute(select(ApprovalRow).where(ApprovalRow.approval_id.in_(some)))).scalars().all()
        said = await recorded_of(session, some)
        found += [to_record(row, said.get(row.approval_id, ())) for row in rows]
        await asyncio.sleep(0)  # SQLite never waits: let others have their turn between two batches
    return found


def _in_time(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ApprovalRow.ended_at >= since,
        ApprovalRow.ended_at < until,
        ApprovalRow.ended_at.is_not(None),  # what the index holds
        ApprovalRow.state == State.EXECUTED.value,
    )
