"""The migrations make the tables that the models speak of, on both databases."""

from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from plixo.store.engine import open_engine
from plixo.store.migrate import current, head, upgrade
from plixo.store.models import Base
from tests.support.databases import database
from tests.support.rows import fresh_sqlite


def shape(connection: Connection) -> dict[str, Any]:
    """Everything a database says of its tables, but the order of it."""
    seen = inspect(connection)
    found: dict[str, Any] = {}
    for table in sorted(set(seen.get_table_names()) - {"alembic_version"}):
        found[table] = {
            "columns": {one["name"]: (str(one["type"]), one["nullable"]) for one in seen.get_columns(table)},
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (one["constrained_columns"], one["referred_table"]) for one in seen.get_foreign_keys(table)
            ),
            "unique": sorted(one["column_names"] for one in seen.get_unique_constraints(table)),
            "checks": {one["name"]: one["sqltext"] for one in seen.get_check_constraints(table)},
            "indexes": {one["name"]: (one["column_names"], one["unique"]) for one in seen.get_indexes(table)},
        }
    return found


async def test_migrated_from_empty_a_database_has_exactly_the_models_tables(migrated_url: str, tmp_path: Path) -> None:
    with database("postgres" if migrated_url else "sqlite", tmp_path) as empty:
        engine = open_engine(empty)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            made = await connection.run_sync(shape)
        await engine.dispose()
    engine = open_engine(migrated_url or await fresh_sqlite(tmp_path))
    async with engine.connect() as connection:
        migrated = await connection.run_sync(shape)
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata),
        )
    await engine.dispose()
    assert migrated == made
    assert found == [], "what Alembic would change"
    assert len(migrated) == len(Base.metadata.tables)


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert await current(database_url) is None
    assert await upgrade(database_url) == await upgrade(database_url) == await current(database_url) == head()
