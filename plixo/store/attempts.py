"""Sign-ins on their way to the identity provider: each is known by the hash of a browser's secret, and ends once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import SignInAttemptRow


@dataclass(frozen=True)
class Attempt:
    """A sign-in under way.

    Attributes:
        secret_hash: SHA-256 of the secret that the browser keeps.
        next_page: The page of the console to go on to.
        expires_at: When it can no longer be ended.
    """

    secret_hash: str
    next_page: str
    expires_at: datetime


async def add(session: AsyncSession, attempt: Attempt, now: datetime) -> None:
    """Keep a new attempt, and forget those that have expired."""
    await session.execute(delete(SignInAttemptRow).where(SignInAttemptRow.expires_at <= now))
    session.add(
        SignInAttemptRow(
            secret_hash=attempt.secret_hash,
            next_page=attempt.next_page,
            created_at=now,
            expires_at=attempt.expires_at,
        ),
    )
    await session.flush()


async def take(session: AsyncSession, secret_hash: str, now: datetime) -> Attempt | None:
    """The attempt of this secret, handed out this one time and then gone; None when there is none any more."""
    gone = (
        delete(SignInAttemptRow)
        .where(SignInAttemptRow.secret_hash == secret_hash, SignInAttemptRow.expires_at > now)
        .returning(SignInAttemptRow.next_page, SignInAttemptRow.expires_at)
    )
    row = (await session.execute(gone)).one_or_none()
    return Attempt(secret_hash, row.next_page, row.expires_at) if row else None
