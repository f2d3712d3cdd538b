"""Command lines that ask to be signed in, until somebody confirms their code in the console (as in RFC 8628)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.store.models import LoginRow


@dataclass(frozen=True)
class Login:
    """A login under way.

    Attributes:
        device_hash: SHA-256 of the secret that the command line keeps.
        user_code: What a person compares and confirms, such as `BCDF-GHJK`.
        expires_at: When it can no longer be confirmed.
        person_id: Who confirmed it; None until then.
        authenticated_at: When that person had signed in to the console.
    """

    device_hash: str
    user_code: str
    expires_at: datetime
    person_id: str | None = None
    authenticated_at: datetime | None = None


async def add(session: AsyncSession, login: Login, now: datetime) -> None:
    """Keep a new login, and forget those that have expired."""
    await session.execute(delete(LoginRow).where(LoginRow.expires_at <= now))
    session.add(
        LoginRow(
            device_hash=login.device_hash,
            user_code=login.user_code,
            person_id=None,
            authenticated_at=None,
            created_at=now,
            expires_at=login.expires_at,
        ),
    )
    await session.flush()


async def confirm(
    session: AsyncSession,
    user_code: str,
    person_id: str,
    authenticated_at: datetime,
    now: datetime,
) -> bool:
    """Somebody signed in says that it is theirs; whether there was something to confirm."""
    row = await _waiting(session, user_code, now)
    if row is None:
        return False
    row.person_id, row.authenticated_at = person_id, authenticated_at
    await session.flush()
    return True


async def take(session: AsyncSession, device_hash: str, now: datetime) -> Login | None:
    """The login of this device; once it is confirmed it is handed out this one time and then gone."""
    row = await session.get(LoginRow, device_hash, with_for_update=True, populate_existing=True)
    if row is None or row.expires_at <= now:
        return None
    if row.person_id is not None:
        await session.execute(delete(LoginRow).where(LoginRow.device_hash == device_hash))
    return Login(row.device_hash, row.user_code, row.expires_at, row.person_id, row.authenticated_at)


async def _waiting(session: AsyncSession, user_code: str, now: datetime) -> LoginRow | None:
    query = (
        select(LoginRow)
        .where(LoginRow.user_code == user_code, LoginRow.person_id.is_(None), LoginRow.expires_at > now)
        .with_for_update()
    )
    return (await session.execute(query)).scalar_one_or_none()
