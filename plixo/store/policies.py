"""Published policies and exchange rates."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import PolicyRow, RateRow


async def publish(session: AsyncSession, content_hash: str, content: str, now: datetime) -> int:
    """Keep a policy under the next version; one that is known already keeps its version."""
    known = (
        await session.execute(select(PolicyRow.version).where(PolicyRow.hash == content_hash))
    ).scalar_one_or_none()
    if known is not None:
        return known
    last = (await session.execute(select(func.max(PolicyRow.version)))).scalar_one_or_none() or 0
    session.add(PolicyRow(version=last + 1, hash=content_hash, content=content, published_at=now))
    await session.flush()
    return last + 1


async def versions(session: AsyncSession) -> Sequence[tuple[int, str, str, datetime]]:
    """Every published version: number, hash, content, when; newest first."""
    query = select(PolicyRow).order_by(PolicyRow.version.desc())
    rows = (await session.execute(query)).scalars()
    return [(row.version, row.hash, row.content, row.published_at) for row in rows]


async def rate(session: AsyncSession, currency: str, base: str) -> tuple[str, datetime] | None:
    """What one major unit is worth in the base currency, as text, and since when it is known."""
    row = await session.get(RateRow, (currency, base))
    return (row.rate, row.as_of) if row else None
