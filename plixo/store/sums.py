"""The sums that limits depend on, read under a lock so that two requests at once cannot both slip under."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import COUNTED
from plixo.domain.facts import Sums
from plixo.store.models import ApprovalRow


async def lock(session: AsyncSession, *names: str) -> None:
    """Hold every name until the transaction ends, always in the same order so that nobody waits in a circle.

    SQLite has one writer at a time already.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for name in sorted(names):
        await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def read(session: AsyncSession, requester_id: str, customer_id: str, now: datetime, days: int) -> Sums:
    """What was granted before, in minor units of the base currency."""
    since = now - timedelta(days=days)
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    requester = ApprovalRow.requester_id == requester_id
    customer = ApprovalRow.customer_id == customer_id
    automatic = ApprovalRow.automatic.is_(True)
    return Sums(
        requester_automatic=await _sum(session, since, requester, automatic),
        customer_automatic=await _sum(session, since, customer, automatic),
        customer_all=await _sum(session, since, customer),
        company_day=await _sum(session, today),
        requester_day=await _sum(session, today, requester),
    )


async def _sum(session: AsyncSession, since: datetime, *conditions: ColumnElement[bool]) -> int:
    query = select(func.coalesce(func.sum(ApprovalRow.base_minor), 0)).where(
        ApprovalRow.created_at >= since,
        ApprovalRow.state.in_([state.value for state in COUNTED]),
        *conditions,
    )
    return int((await session.execute(query)).scalar_one())
