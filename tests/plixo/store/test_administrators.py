from dataclasses import replace
from pathlib import Path

import pytest

from plixo.bootstrap import prepare_database
from plixo.config import Settings
from plixo.domain.people import Group, Person
from plixo.store import people
from plixo.store.administrators import ensure_administrator
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger

FIRST = Person("p-1", "First", "First@plixo.example", frozenset({Group.FINANCE}))
OTHER = Person("p-2", "Other", "other@plixo.example", frozenset({Group.ADMINISTRATOR}))


async def administrators(url: str, everybody: list[Person], email: str) -> tuple[bool, list[str]]:
    """Whether somebody was made one, and who is one then."""
    engine = open_engine(url)
    async with SqlLedger(engine).begin() as tx:
        gone = [replace(one, active=False) for one in await people.everybody(tx.session)]
        await people.add(tx.session, [*gone, *everybody])
        made = await ensure_administrator(tx.session, email)
        found = [one.person_id for one in await people.members(tx.session, {Group.ADMINISTRATOR})]
    await engine.dispose()
    return made, found


@pytest.mark.parametrize(
    ("everybody", "email", "made", "found"),
    [
        ([FIRST], "first@PLIXO.example ", True, ["p-1"]),
        ([FIRST, OTHER], FIRST.email, False, ["p-2"]),
        ([FIRST, replace(OTHER, active=False)], FIRST.email, True, ["p-1"]),
        ([replace(FIRST, active=False)], FIRST.email, False, []),
        ([FIRST], "nobody@plixo.example", False, []),
        ([FIRST], "", False, []),
    ],
    ids=["none yet", "one already", "one has left", "has left", "unknown", "nobody named"],
)
async def test_somebody_is_made_administrator_only_while_there_is_none(
    tmp_path: Path, everybody: list[Person], email: str, *, made: bool, found: list[str]
) -> None:
    settings = Settings(env="dev", data=tmp_path)
    await prepare_database(settings)
    assert await administrators(settings.database, everybody, email) == (made, found)


async def test_the_groups_they_had_stay(tmp_path: Path) -> None:
    settings = Settings(env="dev", data=tmp_path)
    await prepare_database(settings)
    await administrators(settings.database, [FIRST], FIRST.email)
    engine = open_engine(settings.database)
    async with SqlLedger(engine).read() as session:
        person = await people.by_email(session, FIRST.email)
    await engine.dispose()
    assert person is not None
    assert person.groups == {Group.FINANCE, Group.ADMINISTRATOR}
