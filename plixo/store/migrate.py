"""Bringing a database to the tables of this version.

Alembic is loaded when it is used: a worker or a console that starts on a database in order has no use for it.
"""

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from plixo.config import ROOT
from plixo.store.engine import open_engine

if TYPE_CHECKING:
    from alembic.config import Config


async def upgrade(url: str) -> str:
    """Run every migration that is missing.

    Args:
        url: The database's address with its driver.

    Returns:
        The revision the database is at afterwards.
    """
    from alembic import command  # noqa: PLC0415 - see above

    await asyncio.to_thread(command.upgrade, _config(url), "head")
    return head()


async def current(url: str) -> str | None:
    """The revision a database is at; None where nothing was migrated yet."""
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision)
    finally:
        await engine.dispose()


def head() -> str:
    """The newest revision there is."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    newest = ScriptDirectory.from_config(_config("")).get_current_head()
    assert newest is not None
    return newest


def revisions() -> frozenset[str]:
    """Every revision that this version knows the way from."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    return frozenset(script.revision for script in ScriptDirectory.from_config(_config("")).walk_revisions())


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    return MigrationContext.configure(connection).get_current_revision()


def _config(url: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(ROOT / "plixo" / "store" / "migrations"))
    config.attributes["url"] = url
    return config
