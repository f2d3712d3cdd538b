"""Mails that must leave once: written with the change they speak of, leased while they are sent."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.ports import Letter
from plixo.store.models import OutboxRow
from plixo.store.statements import Statement, insert_into

_KNOWN: Final = Statement(select(OutboxRow.key).where(OutboxRow.key == bindparam("key")))
_NEW: Final = Statement(insert_into(OutboxRow))
_TABLE: Final = OutboxRow.metadata.tables[OutboxRow.__tablename__]
# No moment is read: PostgreSQL keeps some that no calendar has, and one would hold up every mail.
_DUE: Final = (
    select(_TABLE.c.key, _TABLE.c.recipient, _TABLE.c.template, _TABLE.c.context, _TABLE.c.bulk)
    .where(
        _TABLE.c.sent_at.is_(None),
        or_(_TABLE.c.leased_until.is_(None), _TABLE.c.leased_until < bindparam("now")),
        or_(_TABLE.c.not_before.is_(None), _TABLE.c.not_before <= bindparam("now")),
    )
    .order_by(_TABLE.c.bulk, _TABLE.c.created_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TAKEN: Final = (
    update(_TABLE)
    .where(_TABLE.c.key.in_(bindparam("keys", expanding=True)))
    .values(leased_until=bindparam("until"), attempts=_TABLE.c.attempts + 1)
)
_SENT: Final = Statement(
    update(_TABLE)
    .where(_TABLE.c.key == bindparam("sent_key"))
    .values(sent_at=bindparam("moment"), leased_until=null(), problem=literal("")),
)
_TRIED: Final = select(_TABLE.c.attempts).where(_TABLE.c.key == bindparam("key"))
_FAILED: Final = (
    update(_TABLE)
    .where(_TABLE.c.key == bindparam("failed_key"))
    .values(leased_until=bindparam("until"), problem=bindparam("what"))
)


async def post(session: AsyncSession, letter: Letter, now: datetime) -> bool:
    """Put a mail into the outbox; False where one with the same key is there, which stays as it is."""
    if await _KNOWN.first(session, key=letter.key):
        return False
    await _NEW.change(
        session,
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
    )
    return True


AT_ONCE: Final = 20
"""How many mails are leased at a time, at most."""


async def lease(session: AsyncSession, now: datetime, lasts: timedelta, limit: int = AT_ONCE) -> Sequence[Letter]:
    """Take unsent mails for a while, the oldest first but those of many after all others.

    A relay that dies lets go of them when the lease ends.
    """
    rows = (await session.execute(_DUE, {"now": now, "most": limit})).all()
    if rows:
        await session.execute(_TAKEN, {"keys": [row.key for row in rows], "until": now + lasts})
    return [Letter(row.key, row.recipient, row.template, row.context, row.bulk) for row in rows]


async def known(session: AsyncSession, keys: Collection[str]) -> set[str]:
    """Which of these keys a mail has already."""
    return (
        set((await session.execute(select(OutboxRow.key).where(OutboxRow.key.in_(keys)))).scalars()) if keys else set()
    )


async def sent(session: AsyncSession, key: str, now: datetime) -> None:
    """The mail has left."""
    await _SENT.change(session, sent_key=key, moment=now)


async def failed(session: AsyncSession, key: str, problem: str, now: datetime) -> None:
    """The mail has not left: try again, later each time, at most an hour apart."""
    attempts = (await session.execute(_TRIED, {"key": key})).scalar_one()
    wait = min(timedelta(seconds=2 ** min(attempts, 12)), timedelta(hours=1))  # 2**12 s is past the hour
    await session.execute(_FAILED, {"failed_key": key, "until": now + wait, "what": problem[:500]})


async def unsent(session: AsyncSession) -> int:
    """How many mails wait."""
    query = select(OutboxRow.key).where(OutboxRow.sent_at.is_(None))
    return len((await session.execute(query)).all())
