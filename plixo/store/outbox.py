"""Mails that must leave once: written with the change they speak of, leased while they are sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.ports import Letter
from plixo.store.models import OutboxRow

_TABLE: Final = OutboxRow.metadata.tables[OutboxRow.__tablename__]
_SENT: Final = (
    update(_TABLE)
    .where(_TABLE.c.key == bindparam("sent_key"))
    .values(sent_at=bindparam("moment"), leased_until=None, problem="")
)


async def post(session: AsyncSession, letter: Letter, now: datetime) -> bool:
    """Put a mail into the outbox; False where one with the same key is there, which stays as it is."""
    if await session.get(OutboxRow, letter.key):
        return False
    session.add(
        OutboxRow(
            key=letter.key,
            recipient=letter.to,
            template=letter.template,
            context=letter.context,
            created_at=now,
            leased_until=None,
            attempts=0,
            sent_at=None,
            problem="",
            bulk=letter.bulk,
            not_before=letter.not_before,
        ),
    )
    await session.flush()
    return True


async def lease(session: AsyncSession, now: datetime, lasts: timedelta, limit: int = 20) -> Sequence[Letter]:
    """Take unsent mails for a while, the oldest first but those of many after all others.

    A relay that dies lets go of them when the lease ends.
    """
    query = (
        select(OutboxRow)
        .where(
            OutboxRow.sent_at.is_(None),
            or_(OutboxRow.leased_until.is_(None), OutboxRow.leased_until < now),
            or_(OutboxRow.not_before.is_(None), OutboxRow.not_before <= now),
        )
        .order_by(OutboxRow.bulk, OutboxRow.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(query)).scalars().all()
    for row in rows:
        row.leased_until = now + lasts
        row.attempts += 1
    await session.flush()
    return [Letter(row.key, row.recipient, row.template, row.context, row.bulk) for row in rows]


async def sent(session: AsyncSession, key: str, now: datetime) -> None:
    """The mail has left."""
    await session.execute(_SENT, {"sent_key": key, "moment": now})


async def failed(session: AsyncSession, key: str, problem: str, now: datetime) -> None:
    """The mail has not left: try again, later each time, at most an hour apart."""
    row = await session.get_one(OutboxRow, key)
    wait = min(timedelta(seconds=2**row.attempts), timedelta(hours=1)) if row.attempts < 12 else timedelta(hours=1)  # noqa: PLR2004 - 2**12 s is past the hour
    row.leased_until, row.problem = now + wait, problem[:500]
    await session.flush()


async def unsent(session: AsyncSession) -> int:
    """How many mails wait."""
    query = select(OutboxRow.key).where(OutboxRow.sent_at.is_(None))
    return len((await session.execute(query)).all())
