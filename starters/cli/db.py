"""Commands on the database."""

import asyncio

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import line, show
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
