"""Commands on exchange rates."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from plixo.domain.rate_sheet import read_rates
from plixo.domain.refusals import Refused
from starters.cli import policy_views as views
from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import heading, pages, show
from starters.cli.reach import HERE, Reach, reached

app = App(
    name="rates",
    help="Exchange rates into the policy's base currency.",
    help_epilogue=example("plixo policy rates show"),
)
_MOST: Final = 1 << 20


@app.command(name="show", help_epilogue=example("plixo policy rates show"))
def show_rates(*, reach: Reach = HERE) -> None:
    """Show the rates that hold, and which of them are too old for an automatic credit."""
    with reached(reach) as api:
        found = api.get("policy", "rates")
    said = f"What one unit is worth in {found['base_currency']}; after {found['days']} days never automatic."
    page = pages(heading(said), views.rates_table(found["rates"]))
    show(found, page, as_json=reach.as_json, following=f"plixo policy rates set --help{reach.suffix}")


@app.command(name="set", help_epilogue=example("plixo policy rates set rates.csv --note 'The central bank of 14 July'"))
def set_rates(
    file: Annotated[Path, Parameter(help="A CSV file with the columns currency, rate and as_of.")],
    /,
    *,
    note: str = "",
    reach: Reach = HERE,
) -> None:
    """Draft the rates of a file, as an administrator; they hold once a Controller or the CFO has published them.

    Args:
        file: The file.
        note: Where they come from.
        reach: How Plixo is reached.
    """
    try:
        rows = read_rates(file.read_bytes()[:_MOST].decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as broken:
        raise CommandFailed(f"{file} cannot be read as UTF-8 text: {broken}.") from broken
    except Refused as refused:
        raise CommandFailed(f"{file}: {refused}") from refused
    with reached(reach) as api:
        made = api.post("policy", "rates", rates=rows, note=note)
    following = f"plixo policy publish {made['draft_id']}{reach.suffix}"
    show(made, views.draft_page("Drafted.", made), as_json=reach.as_json, following=following)
