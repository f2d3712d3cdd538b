"""Commands of those who answer for the books."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import heading, line, pages, show, table
from starters.cli.reach import HERE, Reach, reached
from starters.cli.views import money

app = App(
    name="finance",
    help="What was applied, tied to Stripe.",
    help_epilogue=example("plixo finance sheet --from 2026-11-01 --to 2026-11-30"),
)

Answer = Mapping[str, Any]


@app.command(name="sheet", help_epilogue=example("plixo finance sheet --from 2026-11-01 --csv november.csv"))
def show_sheet(
    *,
    first: Annotated[str, Parameter(name="--from")] = "",
    last: Annotated[str, Parameter(name="--to")] = "",
    csv: Path | None = None,
    reach: Reach = HERE,
) -> int:
    """Show a period's sheet, this month's unless said otherwise; exits 1 where it does not tie to Stripe.

    Args:
        first: The first day, such as 2026-11-01.
        last: The last day, which still belongs to it.
        csv: Write the rows into this file as well, for a spreadsheet.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("finance", "sheet", **{"from": first, "to": last})
    written = [line(_write(csv, found["rows"]))] if csv else []
    differing = [line(f"{_about(one)}: {one['why']}") for one in found["differences"]]
    moving = [line(f"{one}: under way, and not counted") for one in found["under_way"]]
    page = pages(heading(_verdict(found)), _totals(found), *differing, *moving, line(""), _rows(found), *written)
    show(found, page, as_json=reach.as_json, following=f"plixo approvals list --tab done{reach.suffix}")
    return 0 if found["ties"] else 1


def _write(file: Path, rows: Sequence[Mapping[str, str]]) -> str:
    from plixo.domain.finance_sheet import csv_text  # noqa: PLC0415 - `plixo --help` stays quick

    try:
        with file.open("x", encoding="utf-8", newline="") as out:
            out.write(csv_text(rows))
    except FileExistsError as there:
        raise CommandFailed(f"{file} is there already; name another file.") from there
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from error
    return f"{'1 row is' if len(rows) == 1 else f'{len(rows)} rows are'} written to {file}."


def _verdict(found: Answer) -> str:
    period = f"{found['first']} to {found['last']}"
    if found["problem"]:
        return f"{period}: not held against Stripe: {found['problem']}."
    return f"{period}: it ties to Stripe." if found["ties"] else f"{period}: it does not tie to Stripe."


def _about(one: Answer) -> str:
    return str(one["approval"] or one["object"] or one["effect"])


def _totals(found: Answer) -> Any:  # noqa: ANN401 - rich's own
    rows = [
        tuple(_figure(one[f"{part}_minor"], one["currency"]) for part in ("net", "tax", "gross", "held", "difference"))
        for one in found["totals"]
    ]
    headings = [">Net", ">Tax", ">Gross", ">Stripe holds", ">Difference"]
    return table(headings, rows, empty="Nothing was applied in these days.")


def _figure(minor: int | None, currency: str) -> str:
    return "not read" if minor is None else money(minor, currency)


def _rows(found: Answer) -> Any:  # noqa: ANN401 - rich's own
    rows = [
        (one["when"][:10], f"{one['gross']} {one['currency']}", one["customer"], one["approvers"], one["stripe_id"])
        for one in found["rows"]
    ]
    return table(["When!", ">Gross!", "Customer", "Agreed", "In Stripe"], rows, empty="")
