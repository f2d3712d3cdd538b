"""The first administrator: somebody has to be able to let the others in."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.people import Group
from plixo.store import people


async def ensure_administrator(session: AsyncSession, email: str) -> bool:
    """Make the person with this address an administrator while the directory has no active one.

    Args:
        session: A transaction that writes.
        email: `PLIXO_FIRST_ADMINISTRATOR`; empty when nobody is named.

    Returns:
        Whether somebody was made one.
    """
    if not email.strip() or await people.members(session, {Group.ADMINISTRATOR}):
        return False
    person = await people.by_email(session, email)
    if person is None or not person.active:
        return False
    await people.add(session, [replace(person, groups=person.groups | {Group.ADMINISTRATOR})])
    return True
