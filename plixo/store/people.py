"""The directory's table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.people import Group, Person
from plixo.store.models import PersonRow
from plixo.store.statements import Statement, everything_of

_ONE: Final = Statement(everything_of(PersonRow).where(PersonRow.person_id == bindparam("person_id")))
_THESE: Final = everything_of(PersonRow).where(PersonRow.person_id.in_(bindparam("ids", expanding=True)))
_EVERYBODY: Final = Statement(everything_of(PersonRow).order_by(PersonRow.person_id))


async def by_ids(session: AsyncSession, ids: Collection[str]) -> Mapping[str, Person]:
    """People by id; ids without a person are missing."""
    if len(ids) == 1:
        rows = await _ONE.rows(session, person_id=next(iter(ids)))
    else:
        rows = (await session.execute(_THESE, {"ids": list(ids)})).all()
    return {row.person_id: _person(row) for row in rows}


async def by_email(session: AsyncSession, email: str) -> Person | None:
    """The person with this address, whatever its case."""
    query = select(PersonRow).where(func.lower(PersonRow.email) == email.strip().lower())
    row = (await session.execute(query)).scalar_one_or_none()
    return _person(row) if row else None


async def everybody(session: AsyncSession) -> Sequence[Person]:
    """Everybody, by id."""
    return [_person(row) for row in await _EVERYBODY.rows(session)]


async def members(session: AsyncSession, groups: Collection[Group]) -> Sequence[Person]:
    """Active people of any of the groups."""
    return [person for person in await everybody(session) if person.belongs_to(*groups)]


async def add(session: AsyncSession, people: Iterable[Person]) -> None:
    """Add people, or replace those who are there already."""
    for person in people:
        await session.merge(
            PersonRow(
                person_id=person.person_id,
                name=person.name,
                email=person.email,
                groups=sorted(person.groups),
                limits=person.limits,
                time_zone=person.time_zone,
                working_hours=person.working_hours,
                holidays=person.holidays,
                delegate_id=person.delegate_id,
                related_customers=sorted(person.related_customers),
                active=person.active,
            ),
        )
    await session.flush()


async def set_groups(session: AsyncSession, person_id: str, groups: Collection[Group]) -> None:
    """Let a person be in these groups and in no others."""
    row = await session.get_one(PersonRow, person_id)
    row.groups = sorted(groups)
    await session.flush()


async def seed_if_empty(session: AsyncSession, people: Iterable[Person]) -> bool:
    """Add the seed's people when nobody is there yet; whether it did."""
    if (await session.execute(select(func.count()).select_from(PersonRow))).scalar_one():
        return False
    await add(session, people)
    return True


def _person(row: Any) -> Person:  # noqa: ANN401 - a row of either kind
    return Person(
        person_id=row.person_id,
        name=row.name,
        email=row.email,
        groups=frozenset(Group(name) for name in row.groups),
        limits=row.limits,
        time_zone=row.time_zone,
        working_hours=row.working_hours,
        holidays=row.holidays,
        delegate_id=row.delegate_id,
        related_customers=frozenset(row.related_customers),
        active=row.active,
    )
