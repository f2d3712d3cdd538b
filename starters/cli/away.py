"""Being away, and coming back."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from starters.cli.example import example
from starters.cli.output import heading, line, pages, show, when
from starters.cli.reach import HERE, Reach, reached

app_away = App(name="away", help_epilogue=example("plixo away --until 2026-11-27 --delegate finance@plixo.example"))
app_back = App(name="back", help_epilogue=example("plixo back"))

Who = Annotated[str, Parameter(show_default=False)]


@app_away.default
def away(
    *,
    until: str,
    delegate: str,
    first: Annotated[str, Parameter(name="--from", show_default=False)] = "",
    person: Who = "",
    reach: Reach = HERE,
) -> None:
    """Say that you are away, and who decides in your place: on what waits for you, and on what comes.

    Args:
        until: The last day, such as 2026-11-27.
        delegate: Who decides in your place, by id or address.
        first: The first day; today unless given.
        person: Who is away, for administrators; you unless given.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.post("absences", first=first, last=until, delegate=delegate, person=person)
    told = f"{found['delegate']['name']} decides in their place until {when(found['until'])}."
    page = pages(heading(f"{found['person']['name']} is away from {when(found['since'])} on."), line(told))
    show(found, page, as_json=reach.as_json, following=f"plixo back{_for(person)}{reach.suffix}")


@app_back.default
def back(*, person: Who = "", reach: Reach = HERE) -> None:
    """Say that you are back, or are not going: nobody decides in your place any more.

    Args:
        person: Who is back, for administrators; you unless given.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found: dict[str, Any] = api.post("absences", "return", person=person)
    page = heading(f"{found['person']['name']} is back; {found['delegate']['name']} decides in their place no longer.")
    show(found, page, as_json=reach.as_json, following=f"plixo approvals list{reach.suffix}")


def _for(person: str) -> str:
    return f" --person {person}" if person else ""
