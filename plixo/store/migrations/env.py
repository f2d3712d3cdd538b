"""How Alembic reaches the database: the address comes from the caller, never from a file."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from plixo.store import absence_rows, models  # noqa: F401 - the tables are known once they are read
from plixo.store.base import Base
from plixo.store.engine import open_engine


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run() -> None:
    engine = open_engine(context.config.attributes["url"])
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_run())
