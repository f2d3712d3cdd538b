"""Commands on the database."""

import asyncio

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import line, pages, show
from starters.cli.reach import Json
from starters.cli.settings import load_settings

app = App(name="db", help="The database.", help_epilogue=example("plixo db upgrade"))


@app.command(help_epilogue=example("DATABASE_URL=postgresql://plixo@db.internal/plixo plixo db upgrade"))
def upgrade(*, as_json: Json = False) -> None:
    """Bring the database to this version, seed the directory when it is empty, publish the policy when it is new.

    Args:
        as_json: Print one JSON document.
    """
    from plixo.bootstrap import prepare_database  # noqa: PLC0415 - `plixo --help` stays quick
    from starters.cli.database import failures_named  # noqa: PLC0415 - the same

    settings = load_settings()
    try:
        if not settings.database_url:
            settings.data.mkdir(parents=True, exist_ok=True)
        with failures_named(settings):
            revision = asyncio.run(prepare_database(settings))
    except OSError as error:
        raise CommandFailed(
            f"{settings.data} cannot be written ({error.strerror}); set PLIXO_DATA to a folder."
        ) from error
    except ValueError as error:
        raise CommandFailed(f"The database was upgraded as far as it goes, but not filled: {error}") from error
    page = line(f"The database is at revision {revision}.")
    show({"revision": revision}, page, as_json=as_json, following="plixo web")


@app.command(help_epilogue=example("DATABASE_URL=postgresql://plixo@db.internal/plixo plixo db roles --apply"))
def roles(
    *, staff: str = "plixo_staff", worker: str = "plixo_worker", apply: bool = False, as_json: Json = False
) -> None:
    """Say what the database roles of console and workers may write, or bind them to it; PostgreSQL alone.

    Both must be there already. Run it again after each `plixo db upgrade`: new tables are nobody's until then.

    Args:
        staff: The role of the console and the API.
        worker: The role of the workers.
        apply: Grant it, as the owner of the tables.
        as_json: Print one JSON document.
    """
    from plixo.store.roles import CannotGrant, Roles, statements  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.store.roles import apply as grant  # noqa: PLC0415 - the same
    from starters.cli.database import failures_named  # noqa: PLC0415 - the same

    settings = load_settings()
    try:
        named = Roles(staff, worker)
        lines = statements(settings.database, named)
        if apply:
            with failures_named(settings):
                asyncio.run(grant(settings.database, named))
    except CannotGrant as known:
        raise CommandFailed(str(known)) from known
    said = line(f"{staff} and {worker} may write what they need, and nothing else.")
    page = said if apply else pages(*(line(f"{one};") for one in lines))
    show({"applied": apply, "statements": list(lines)}, page, as_json=as_json)
