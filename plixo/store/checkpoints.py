"""Checkpoints in the database, and the wishes for one that wait for the staff side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.checkpoint import Checkpoint
from plixo.store.models import CheckpointRow, CheckpointWishRow


@dataclass(frozen=True)
class Kept:
    """A checkpoint's row.

    Attributes:
        number: Counts from 1.
        at: When the log had been read.
        root: The Merkle root.
        requests: How many it names.
        signed: The signed statement.
    """

    number: int
    at: datetime
    root: str
    requests: int
    signed: str


async def newest(session: AsyncSession, limit: int = 1) -> Sequence[Kept]:
    """The last ones, newest first."""
    query = select(CheckpointRow).order_by(CheckpointRow.number.desc()).limit(limit)
    rows = (await session.execute(query)).scalars()
    return [Kept(row.number, row.at, row.root, row.requests, row.signed) for row in rows]


async def insert(session: AsyncSession, checkpoint: Checkpoint, signed: str) -> None:
    """Keep a checkpoint; the database refuses a second one of the same number."""
    session.add(
        CheckpointRow(
            number=checkpoint.number,
            at=datetime.fromisoformat(checkpoint.at),
            root=checkpoint.root,
            requests=checkpoint.requests,
            entries=checkpoint.entries,
            previous=checkpoint.previous,
            signed=signed,
        ),
    )
    await session.flush()


async def ask(session: AsyncSession, request_id: str, now: datetime) -> str:
    """Wish for a checkpoint; the id of the wish that stands, an earlier one where that still waits."""
    known = select(CheckpointWishRow.request_id).where(CheckpointWishRow.request_id == request_id)
    stands = (await session.execute(known)).scalars().all() or await waiting(session)
    if stands:
        return stands[0]
    session.add(
        CheckpointWishRow(request_id=request_id, asked_at=now, leased_until=None, made=None, problem=""),
    )
    await session.flush()
    return request_id


async def waiting(session: AsyncSession) -> Sequence[str]:
    """The wishes that no checkpoint has met."""
    query = select(CheckpointWishRow.request_id).where(CheckpointWishRow.made.is_(None))
    return (await session.execute(query.order_by(CheckpointWishRow.asked_at))).scalars().all()


async def problem(session: AsyncSession) -> str:
    """Why the oldest wish that waits was not met at the last try; empty when nothing stands in its way."""
    query = select(CheckpointWishRow.problem).where(CheckpointWishRow.made.is_(None))
    return (await session.execute(query.order_by(CheckpointWishRow.asked_at).limit(1))).scalar_one_or_none() or ""


async def lease(session: AsyncSession, now: datetime, lasts: timedelta, gap: timedelta) -> bool:
    """Take the waiting wishes for a while, so that one of several consoles meets them.

    One that is leased for longer than a console can have leased it, with a clock that is a little ahead, is taken as
    well: workers may add wishes, and such a one would stand before every later one for ever.

    Args:
        session: The database.
        now: What time it is.
        lasts: When a console that died lets go of them.
        gap: How old the newest checkpoint must be: whoever writes to Temporal can wish as often as they like.

    Returns:
        Whether there were any.
    """
    last = await newest(session)
    if last and now - gap < last[0].at <= now:  # one of the future was made by a clock that was ahead
        return False
    until = CheckpointWishRow.leased_until
    free = (
        select(CheckpointWishRow.request_id)
        .where(CheckpointWishRow.made.is_(None), or_(until.is_(None), until < now, until > now + 2 * lasts))
        .with_for_update(skip_locked=True)
    )
    taken = (await session.execute(free)).scalars().all()
    wishes = update(CheckpointWishRow).where(CheckpointWishRow.request_id.in_(taken))
    await session.execute(wishes.values(leased_until=now + lasts))
    return bool(taken)


async def meet(session: AsyncSession, number: int) -> None:
    """The checkpoint meets every wish that waited."""
    wishes = update(CheckpointWishRow).where(CheckpointWishRow.made.is_(None))
    await session.execute(wishes.values(made=number, leased_until=None, problem=""))


async def hold(session: AsyncSession, why: str) -> None:
    """Say why none could be made."""
    await session.execute(update(CheckpointWishRow).where(CheckpointWishRow.made.is_(None)).values(problem=why[:1000]))
