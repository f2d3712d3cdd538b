"""Published policies and exchange rates."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import PolicyPublicationRow, PolicyRow, RateRow

# Asked for by every request that is routed: built once.
_NEWEST: Final = select(func.max(PolicyRow.version))
_CONTENT: Final = select(PolicyRow.content).where(PolicyRow.version == bindparam("version"))


class Version(NamedTuple):
    """A published policy, as a list shows it.

    Attributes:
        version: Counts publications, from 1.
        hash: SHA-256 over its content, in hexadecimal.
        content: Canonical JSON of limits and table.
        published_at: When.
        published_by: Who published it; None where it came with a release.
        draft_id: What they published; None where it came with a release.
    """

    version: int
    hash: str
    content: str
    published_at: datetime
    published_by: str | None
    draft_id: str | None

    @property
    def shipped(self) -> bool:
        """Whether it came with a release: nobody here published it."""
        return self.published_by is None


async def publish_shipped(session: AsyncSession, content_hash: str, content: str, now: datetime) -> int | None:
    """Publish a release's policy, unless people have published one since: theirs is never overridden.

    Returns:
        The new version; None where there is none.
    """
    found = await versions(session, limit=1)
    newest = found[0] if found else None
    if newest and (not newest.shipped or newest.hash == content_hash):
        return None
    return await publish(session, content_hash, content, now)


async def publish(session: AsyncSession, content_hash: str, content: str, now: datetime) -> int:
    """Keep a policy under the next version, whether it was published before or not."""
    last = await newest_version(session) or 0
    session.add(PolicyRow(version=last + 1, hash=content_hash, content=content, published_at=now))
    await session.flush()
    return last + 1


async def newest_version(session: AsyncSession) -> int | None:
    """The version that routes new requests; None where none was published."""
    return (await session.execute(_NEWEST)).scalar_one_or_none()


async def content_of(session: AsyncSession, version: int) -> str | None:
    """What was published under a version; None where nothing was."""
    return (await session.execute(_CONTENT, {"version": version})).scalar_one_or_none()


async def versions(session: AsyncSession, *, version: int | None = None, limit: int | None = None) -> Sequence[Version]:
    """Published versions, newest first.

    Args:
        session: The database.
        version: This one alone.
        limit: How many at most.
    """
    query = (
        select(PolicyRow, PolicyPublicationRow)
        .outerjoin(PolicyPublicationRow, PolicyPublicationRow.version == PolicyRow.version)
        .order_by(PolicyRow.version.desc())
        .limit(limit)
    )
    if version is not None:
        query = query.where(PolicyRow.version == version)
    return [_version(row, made) for row, made in (await session.execute(query)).all()]


async def rate(session: AsyncSession, currency: str, base: str) -> tuple[str, datetime] | None:
    """What one major unit is worth in the base currency, as text, and since when it is known."""
    row = await session.get(RateRow, (currency, base))
    return (row.rate, row.as_of) if row else None


async def rates(session: AsyncSession, base: str) -> Sequence[tuple[str, str, datetime]]:
    """Every rate into the base currency: currency, rate as text, since when it is known."""
    query = select(RateRow).where(RateRow.base == base).order_by(RateRow.currency)
    return [(row.currency, row.rate, row.as_of) for row in (await session.execute(query)).scalars()]


async def set_rate(session: AsyncSession, currency: str, base: str, rate: str, as_of: datetime) -> None:
    """Let this rate hold from now on."""
    row = await session.get(RateRow, (currency, base))
    if row is None:
        session.add(RateRow(currency=currency, base=base, rate=rate, as_of=as_of))
    else:
        row.rate, row.as_of = rate, as_of
    await session.flush()


def _version(row: PolicyRow, made: PolicyPublicationRow | None) -> Version:
    by, draft = (made.published_by, made.draft_id) if made else (None, None)
    return Version(row.version, row.hash, row.content, row.published_at, by, draft)
