"""Sign-ins, of browsers and of command lines: known by the hash of a token that its holder alone keeps."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import SessionRow


@dataclass(frozen=True)
class SignIn:
    """A sign-in that has not expired.

    Attributes:
        token_hash: SHA-256 of its token, in hexadecimal.
        person_id: Who signed in.
        kind: `console` or `cli`: a browser's cookie is no bearer token, nor the other way round.
        authenticated_at: When they proved who they are; large decisions need that to be recent.
        expires_at: When it ends by itself.
    """

    token_hash: str
    person_id: str
    kind: str
    authenticated_at: datetime
    expires_at: datetime


async def add(session: AsyncSession, sign_in: SignIn, now: datetime) -> None:
    """Keep a sign-in, and forget those that have expired."""
    await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    session.add(
        SessionRow(
            token_hash=sign_in.token_hash,
            person_id=sign_in.person_id,
            kind=sign_in.kind,
            created_at=now,
            authenticated_at=sign_in.authenticated_at,
            expires_at=sign_in.expires_at,
        ),
    )
    await session.flush()


async def load(session: AsyncSession, token_hash: str, kind: str, now: datetime) -> SignIn | None:
    """The sign-in of that kind with that token; None when it has ended, or never was."""
    row = await session.get(SessionRow, token_hash)
    if row is None or row.kind != kind or row.expires_at <= now:
        return None
    return SignIn(row.token_hash, row.person_id, row.kind, row.authenticated_at, row.expires_at)


async def end(session: AsyncSession, token_hash: str) -> None:
    """Sign out: the token is worth nothing from now on."""
    await session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))
