"""The database as machines' commands use it, and its failures in one line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.config import Settings
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from starters.cli.failures import CommandFailed


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[AsyncSession]:
    """A session that only reads.

    Raises:
        CommandFailed: There is no such database, or it lacks this version's tables.
    """
    check_there(settings)
    engine = open_engine(settings.database)
    try:
        with failures_named(settings):
            async with SqlLedger(engine).read() as session:
                yield session
    finally:
        await engine.dispose()


def check_there(settings: Settings) -> None:
    """Refuse where SQLite would make an empty database.

    Raises:
        CommandFailed: There is none.
    """
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise CommandFailed(f"There is no database at {url.database}; run `plixo db upgrade`, or set PLIXO_DATA.")


@contextmanager
def failures_named(settings: Settings) -> Iterator[None]:
    """Say the database's failures in one line, without its password.

    Raises:
        CommandFailed: In place of the failure.
    """
    where = make_url(settings.database).render_as_string(hide_password=True)
    try:
        yield
    except ProgrammingError as error:
        raise CommandFailed(f"{where} lacks this version's tables; run `plixo db upgrade`.") from error
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        advice = "run `plixo db upgrade`" if "no such table" in reason else "is it there, and may it be written?"
        raise CommandFailed(f"{where} cannot be used ({reason}); {advice}") from error
    except SQLAlchemyError as error:
        raise CommandFailed(f"{where} cannot be used ({type(error).__name__}).") from error
