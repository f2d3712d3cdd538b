"""The newest audit entries over all requests, for whoever looks over the whole."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store import audit
from plixo.store.audit import AuditLine
from plixo.store.models import AuditRow


async def newest(session: AsyncSession, limit: int = 50) -> Sequence[AuditLine]:
    """The last entries, newest first."""
    newest_first = (AuditRow.at.desc(), AuditRow.approval_id, AuditRow.seq.desc())
    return await audit.read(session, audit.entries().order_by(*newest_first).limit(limit))


async def changed_since(session: AsyncSession, moment: datetime | None, limit: int) -> tuple[Sequence[str], int]:
    """Requests that have entries of after the moment, the newest first, and how many there are in all.

    Args:
        session: The database.
        moment: None for every request.
        limit: How many ids to give at most.
    """
    since = moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else ""
    found = select(AuditRow.approval_id).where(AuditRow.at >= since).group_by(AuditRow.approval_id)
    newest_first = found.order_by(func.max(AuditRow.at).desc(), AuditRow.approval_id).limit(limit)
    ids = (await session.execute(newest_first)).scalars().all()
    total = await session.scalar(select(func.count()).select_from(found.subquery()))
    return ids, total or 0
