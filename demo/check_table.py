"""What the checker says, as a table for people."""

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from demo.check_model import Finding, Report
from demo.check_money import shown

SHOWN: Final = 10
"""How much of an id a row has room for."""


def table(report: Report) -> RenderableType:
    """Every request, what was looked at, and the verdict; fits 80 columns and uses more where there are more."""
    parts: list[RenderableType] = []
    if report.approvals:
        parts += [_approvals(report), _looked_at(report.counts)]
    parts += [_findings(report.findings)] if report.findings else []
    return Group(*parts, _verdict(report))


def _approvals(report: Report) -> Table:
    grid = _grid("Every request, as the checker found it")
    grid.add_column("Request", no_wrap=True)
    grid.add_column("Status", min_width=9)
    grid.add_column("Amount", justify="right", no_wrap=True)
    grid.add_column("Path", min_width=14)
    grid.add_column("In Stripe", no_wrap=True)
    grid.add_column("Events", justify="right", no_wrap=True)
    grid.add_column("Actions", justify="right", no_wrap=True)
    for facts in report.approvals:
        grid.add_row(*_row(facts))
    return grid


def _grid(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), pad_edge=False)


def _row(facts: dict[str, Any]) -> list[str]:
    return [
        _short(facts["id"]),
        facts["status"].replace("_", " "),
        shown(facts["amount_minor"], facts["currency"]),
        ", then ".join(facts["path"]),
        _short(facts["stripe_object"]) or "-",
        str(facts["history_events"]),
        str(facts["billable_actions"]),
    ]


def _short(name: str) -> str:
    """Enough of an id to know it by; the whole one is in the JSON."""
    return name if len(name) <= SHOWN else f"{name[:SHOWN]}…"


def _looked_at(counts: dict[str, int]) -> Text:
    return Text("\nLooked at: " + ", ".join(f"{number} {name}" for name, number in counts.items()) + ".\n")


def _findings(findings: list[Finding]) -> Table:
    grid = _grid("Findings")
    grid.add_column("What", style="red")
    grid.add_column("Request", no_wrap=True)
    grid.add_column("Detail")
    for found in findings:
        grid.add_row(found.what.replace("_", " "), _short(found.approval_id) or "-", found.detail)
    return grid


def _verdict(report: Report) -> Text:
    if report.ok:
        words = "Nothing found: every effect was asked for, signed for, and made once."
        return Text(words, style="bold green")
    several = "" if len(report.findings) == 1 else "s"
    return Text(f"{len(report.findings)} finding{several}.", style="bold red")
