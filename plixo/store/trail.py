"""The newest audit entries over all requests, for whoever looks over the whole."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.audit import AuditLine
from plixo.store.models import AuditRow


async def newest(session: AsyncSession, limit: int = 50) -> Sequence[AuditLine]:
    """The last entries, newest first."""
    query = select(AuditRow).order_by(AuditRow.at.desc(), AuditRow.approval_id, AuditRow.seq.desc()).limit(limit)
    return [
        AuditLine(row.approval_id, row.seq, row.at, row.event, row.actor, row.detail, row.prev, row.hash)
        for row in (await session.execute(query)).scalars()
    ]
