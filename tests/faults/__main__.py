"""`make faults`: play a seed's faults on the real parts and check what became of every request, independently.

    python -m tests.faults [--seed N] [--long] [--json] [--data FOLDER]

It exits with 1 when something was found.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo import check
from demo.places import CannotStart
from tests.faults.plan import LONG, NORMAL, Plan, make_plan
from tests.faults.play import Outcome, play

LEAST_KILLS = 20
LEAST_BETWEEN = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Play one seed; 1 when something was found or the parts could not be started."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, help="the same seed plays the same plan; one is drawn unless given")
    parser.add_argument("--long", action="store_true", help="1,000 requests instead of 300")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, help="an empty folder to keep everything in; a temporary one unless given")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    plan = make_plan(seed, LONG if given.long else NORMAL)
    console = Console(stderr=given.json)
    console.print(f"Seed {seed}: {plan.errands} requests, {len(plan.batches) + len(plan.postgres)} strikes.")
    try:
        outcome = _played(plan, given.data, console)
    except CannotStart as problem:
        sys.stderr.write(f"faults: {problem}\n")
        return 1
    if not given.data and outcome.findings:
        console.print("Give --data FOLDER to keep logs and books.")
    if given.json:
        sys.stdout.write(json.dumps(document(outcome), indent=2) + "\n")
    else:
        _show(outcome, console)
    return 1 if problems(outcome) else 0


def problems(outcome: Outcome) -> list[str]:
    """What was found, and what was not played enough."""
    tally = outcome.tally
    found = list(outcome.findings)
    if tally.kills["worker"] < LEAST_KILLS:
        found.append(f"Only {tally.kills['worker']} kills of the worker; {LEAST_KILLS} are the least.")
    if tally.between < LEAST_BETWEEN:
        found.append(f"Only {tally.between} kills between intended and done; {LEAST_BETWEEN} are the least.")
    return found


def document(outcome: Outcome) -> dict[str, Any]:
    """Everything, for programs."""
    tally = outcome.tally
    return {
        "seed": outcome.plan.seed,
        "ok": not problems(outcome),
        "findings": problems(outcome),
        "notes": tally.notes,
        "faults": dict(tally.played),
        "calls that could have been struck": dict(tally.seen),
        "kills": {
            **tally.kills,
            "worker, between intended and done": tally.between,
            "worker, Stripe had done it": tally.after_stripe,
        },
        "checked": {name: report.counts for name, report in outcome.reports.items()},
        "requests": {name: [asdict(one) for one in report.findings] for name, report in outcome.reports.items()},
        "seconds": outcome.seconds,
    }


def _played(plan: Plan, data: Path | None, console: Console) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="plixo-faults-") as temporary, _bar(console) as bar:
        steps = len(plan.batches) + len(plan.scenes) + len(plan.postgres) + 2 * (1 + bool(plan.postgres))
        task = bar.add_task("starting the parts", total=steps)

        def tell(step: str) -> None:
            bar.update(task, advance=1, description=step)

        return asyncio.run(play(plan, (data or Path(temporary)).resolve(), tell))


def _bar(console: Console) -> Progress:
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True)


def _show(outcome: Outcome, console: Console) -> None:
    tally = outcome.tally
    table = Table("Fault", "played", title=f"Seed {outcome.plan.seed}", title_justify="left")
    for name, times in sorted(tally.played.items()):
        calls = f" of {tally.seen[name]} calls" if name in tally.seen else ""
        table.add_row(name, f"{times}{calls}")
    console.print(table)
    kills = ", ".join(f"{times} of the {name}" for name, times in tally.kills.items())
    console.print(
        f"Kills: {sum(tally.kills.values())} in all ({kills}). Of the worker's, {tally.between} came between intended "
        f"and done, {tally.after_stripe} of them when Stripe had done it."
    )
    for name, report in outcome.reports.items():
        console.print(_in_words(name, report))
    for note in tally.notes:
        console.print(f"Note: {note}.")
    found = problems(outcome)
    for one in found:
        console.print(f"[bold red]Found:[/] {one}", highlight=False)
    verdict = "[bold red]FINDINGS[/]" if found else "[bold green]nothing found[/]"
    console.print(f"{verdict}: seed {outcome.plan.seed}, {outcome.seconds['in all']} s.")


def _in_words(name: str, report: check.Report) -> str:
    return f"{name}: " + ", ".join(f"{number} {what}" for what, number in report.counts.items()) + "."


if __name__ == "__main__":
    sys.exit(main())
