"""Commands on the directory: who works here, and whether a file of people could be used."""

from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import RenderableType

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import heading, line, pages, show, table, when
from starters.cli.reach import HERE, Json, Reach, reached
from starters.cli.settings import load_settings

app = App(
    name="people",
    help="Who works here, and whether a file of people can be used.",
    help_epilogue=example("plixo people list"),
)


@app.command(name="list", help_epilogue=example("plixo people list --json"))
def list_people(*, reach: Reach = HERE) -> None:
    """List who works here, and what they are here for."""
    with reached(reach) as api:
        found, gone = api.get("people"), api.get("absences")["absences"]
    found = {**found, "absences": gone}
    page = pages(people_table(found["people"]), *_absences_table(gone))
    show(found, page, as_json=reach.as_json, following="plixo people check")


@app.command(help_epilogue=example("plixo people check people.toml"))
def check(file: Path | None = None, /, *, as_json: Json = False) -> None:
    """Check a file of people, as a fresh installation would read it.

    Args:
        file: The TOML file; the one of the settings when left out.
        as_json: Print one JSON document.
    """
    from plixo.directory.calendars import calendar_in_words  # noqa: PLC0415 - the same
    from plixo.directory.seed import SeedInvalid, load_seed  # noqa: PLC0415 - `plixo --help` stays quick

    place = file or load_settings().people_seed
    try:
        people = load_seed(place)
    except SeedInvalid as invalid:
        raise CommandFailed(f"This file cannot be used: {invalid}.") from invalid
    found = [
        {
            "person_id": one.person_id,
            "name": one.name,
            "email": one.email,
            "groups": sorted(one.groups),
            "role": one.role,
            "calendar": calendar_in_words(one),
        }
        for one in people
    ]
    page = pages(heading(f"{place} can be used: {len(found)} people."), line(""), people_table(found))
    show({"ok": True, "file": str(place), "people": found}, page, as_json=as_json, following="plixo people list")


def _absences_table(gone: list[dict[str, Any]]) -> list[RenderableType]:
    """Who is away, and who decides in their place."""
    rows = [(one["person"]["name"], when(one["since"]), when(one["until"]), one["delegate"]["name"]) for one in gone]
    return [line(""), table(["Away", "From!", "Until!", "Stands in"], rows, empty="")] if rows else []


def people_table(people: list[dict[str, Any]]) -> RenderableType:
    """Who works here."""
    rows = [tuple(str(one[name]) for name in ("name", "role", "email", "calendar")) for one in people]
    return table(
        ["Name", "Groups", "Mail", "Works"], rows, empty="Nobody works here yet; `plixo db upgrade` reads the first."
    )
