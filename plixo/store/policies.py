"""Published policies and exchange rates."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import PolicyPublicationRow, PolicyRow, RateRow

# Asked for by every request that is routed: built once.
_NEWEST: Final = select(func.max(PolicyRow.version))
_KEPT: Final = select(PolicyRow.version, PolicyRow.hash, PolicyRow.content, PolicyRow.signed).where(
    PolicyRow.version == bindparam("version")
)


Sign = Callable[[int], str | None]
"""What is kept as the signature of a version, by its number."""


def _unsigned(_version: int) -> None:
    """Nothing: a release's policy holds by its hash."""


class Kept(NamedTuple):
    """A published policy as it stands in the database, not yet believed.

    Attributes:
        version: Counts publications, from 1.
        hash: SHA-256 over its content, in hexadecimal.
        content: Canonical JSON of limits and table.
        signed: What the staff side signed of it; None where it came with a release.
    """

    version: int
    hash: str
    content: str
    signed: str | None


class StandingRate(NamedTuple):
    """An exchange rate as it stands in the database, not yet believed.

    Attributes:
        rate: What one major unit is worth in the base currency, as text.
        as_of: Since when that is known.
        signed: What the staff side signed of it.
    """

    rate: str
    as_of: datetime
    signed: str | None


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


async def publish_shipped(
    session: AsyncSession, content_hash: str, content: str, now: datetime, sign: Sign = _unsigned
) -> int | None:
    """Publish a release's policy, unless people have published one since: theirs is never overridden.

    Returns:
        The new version; None where there is none.
    """
    found = await versions(session, limit=1)
    newest = found[0] if found else None
    if newest and (not newest.shipped or newest.hash == content_hash):
        return None
    return await publish(session, content_hash, content, now, sign)


async def publish(session: AsyncSession, content_hash: str, content: str, now: datetime, sign: Sign = _unsigned) -> int:
    """Keep a policy under the next version, whether it was published before or not.

    Args:
        session: The database.
        content_hash: Over the content.
        content: Canonical JSON of limits and table.
        now: When.
        sign: What is kept as its signature, by its version.
    """
    version = (await newest_version(session) or 0) + 1
    row = PolicyRow(version=version, hash=content_hash, content=content, published_at=now, signed=sign(version))
    session.add(row)
    await session.flush()
    return version


async def newest_version(session: AsyncSession) -> int | None:
    """The version that routes new requests; None where none was published."""
    return (await session.execute(_NEWEST)).scalar_one_or_none()


async def content_of(session: AsyncSession, version: int) -> str | None:
    """What was published under a version; None where nothing was."""
    found = await kept(session, version)
    return found.content if found else None


async def kept(session: AsyncSession, version: int) -> Kept | None:
    """A published version with its signature; None where there is none of that number."""
    found = (await session.execute(_KEPT, {"version": version})).one_or_none()
    return Kept(*found) if found else None


async def numbers(session: AsyncSession) -> Sequence[int]:
    """Every published version's number, newest first."""
    return (await session.execute(select(PolicyRow.version).order_by(PolicyRow.version.desc()))).scalars().all()


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


async def rate(session: AsyncSession, currency: str, base: str) -> StandingRate | None:
    """What one major unit is worth in the base currency, with its signature."""
    row = await session.get(RateRow, (currency, base))
    return StandingRate(row.rate, row.as_of, row.signed) if row else None


async def rates(session: AsyncSession, base: str) -> Sequence[tuple[str, str, datetime]]:
    """Every rate into the base currency: currency, rate as text, since when it is known."""
    query = select(RateRow).where(RateRow.base == base).order_by(RateRow.currency)
    return [(row.currency, row.rate, row.as_of) for row in (await session.execute(query)).scalars()]


async def set_rate(session: AsyncSession, currency: str, base: str, standing: StandingRate) -> None:
    """Let this rate hold from now on."""
    row = await session.get(RateRow, (currency, base))
    if row is None:
        session.add(RateRow(currency=currency, base=base, **standing._asdict()))
    else:
        row.rate, row.as_of, row.signed = standing
    await session.flush()


def _version(row: PolicyRow, made: PolicyPublicationRow | None) -> Version:
    by, draft = (made.published_by, made.draft_id) if made else (None, None)
    return Version(row.version, row.hash, row.content, row.published_at, by, draft)
