"""Drafts of policies and of exchange rates, and who published them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import PolicyDraftRow, PolicyPublicationRow


@dataclass(frozen=True)
class Draft:
    """What somebody wants to be published; it never changes.

    Attributes:
        draft_id: Its id, such as `PD-…`.
        kind: `policy` or `rates`.
        author_id: Who drafted it.
        created_at: When.
        hash: SHA-256 over the content, in hexadecimal.
        content: Canonical JSON: of limits and table, or of rates.
        base_version: The policy that was the newest when it was drafted.
        note: Why, in the author's words.
        published_by: Who published it; None while nobody has.
        published_at: When.
        version: The policy version it became.
    """

    draft_id: str
    kind: str
    author_id: str
    created_at: datetime
    hash: str
    content: str
    base_version: int
    note: str
    published_by: str | None = None
    published_at: datetime | None = None
    version: int | None = None


async def insert(session: AsyncSession, draft: Draft) -> None:
    """Keep a draft."""
    session.add(
        PolicyDraftRow(
            draft_id=draft.draft_id,
            kind=draft.kind,
            author_id=draft.author_id,
            created_at=draft.created_at,
            hash=draft.hash,
            content=draft.content,
            base_version=draft.base_version,
            note=draft.note,
        )
    )
    await session.flush()


async def publish(session: AsyncSession, draft_id: str, version: int | None, person_id: str, now: datetime) -> None:
    """Keep who published a draft; the database refuses a second time."""
    session.add(PolicyPublicationRow(draft_id=draft_id, version=version, published_by=person_id, published_at=now))
    await session.flush()


async def load(session: AsyncSession, draft_id: str) -> Draft | None:
    """One draft."""
    found = (await session.execute(_all().where(PolicyDraftRow.draft_id == draft_id))).one_or_none()
    return _draft(found[0], found[1]) if found else None


async def newest(session: AsyncSession, limit: int = 50) -> Sequence[Draft]:
    """The last drafts, newest first, published or not."""
    query = _all().order_by(PolicyDraftRow.created_at.desc(), PolicyDraftRow.draft_id).limit(limit)
    return [_draft(row, made) for row, made in (await session.execute(query)).all()]


async def last_rates(session: AsyncSession) -> datetime | None:
    """When rates were published last; None where none were."""
    query = _all().where(PolicyDraftRow.kind == "rates").with_only_columns(func.max(PolicyPublicationRow.published_at))
    return (await session.execute(query)).scalar_one_or_none()


def _all() -> Select[PolicyDraftRow, PolicyPublicationRow]:
    made = PolicyPublicationRow.draft_id == PolicyDraftRow.draft_id
    return select(PolicyDraftRow, PolicyPublicationRow).outerjoin(PolicyPublicationRow, made)


def _draft(row: PolicyDraftRow, made: PolicyPublicationRow | None) -> Draft:
    return Draft(
        draft_id=row.draft_id,
        kind=row.kind,
        author_id=row.author_id,
        created_at=row.created_at,
        hash=row.hash,
        content=row.content,
        base_version=row.base_version,
        note=row.note,
        published_by=made.published_by if made else None,
        published_at=made.published_at if made else None,
        version=made.version if made else None,
    )
