"""What an import says: a bar while it runs, sums at its end, each bad row by its line."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from plixo.domain.credit_sheet import SheetRow, write_bad_rows
from starters.cli.failures import CommandFailed, one_line
from starters.cli.import_rows import WELL, Import, Outcome, Status
from starters.cli.output import facts, heading, line, pages, show, table
from starters.cli.reach import Reach

SHOWN: Final = 20
"""Bad rows that people are shown; a file or `--json` has them all."""

_WORDS: Final = {
    Status.CREATED: "asked for",
    Status.ALREADY_THERE: "there already",
    Status.SOUND: "sound",
    Status.REFUSED: "refused",
    Status.FAILED: "failed",
    Status.LEFT: "not tried",
}


@dataclass
class Told:
    """Gathers what becomes of the rows, and says it.

    Attributes:
        file: What was read, as it was typed.
        run: The import.
        outcomes: Every row's so far.
    """

    file: str
    run: Import
    outcomes: list[Outcome] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _bar: tuple[Progress, TaskID] | None = None

    @contextmanager
    def progress(self) -> Iterator[None]:
        """A bar on standard error for as long as the block lasts, where that is a terminal."""
        screen = Console(stderr=True)
        if not screen.is_terminal:
            yield
            return
        with Progress(*_columns(), console=screen, transient=True) as bar:
            self._bar = bar, bar.add_task("", total=len(self.run.rows))
            yield

    def add(self, outcome: Outcome) -> None:
        """One more row came to its end."""
        self.outcomes.append(outcome)
        if self._bar and outcome.status is not Status.LEFT:
            bar, task = self._bar
            bar.update(task, advance=1, description=_counted(self._totals()))

    @property
    def well(self) -> bool:
        """Whether every row was taken."""
        return all(outcome.status in WELL for outcome in self.outcomes)

    def end(self, errors: Path | None, reach: Reach) -> None:
        """Write the bad rows where they are wanted, and say how it went."""
        self.outcomes.sort(key=lambda outcome: outcome.row.line)
        bad = [outcome for outcome in self.outcomes if outcome.status not in WELL]
        if errors:
            _write(errors, [(outcome.row, _why(outcome)) for outcome in bad])
        document = self._document(errors)
        show(document, self._page(bad, errors), as_json=reach.as_json, following=self._next(reach))

    def _totals(self) -> Counter[Status]:
        return Counter(outcome.status for outcome in self.outcomes)

    def _paths(self) -> Counter[str]:
        return Counter(", then ".join(one.path) for one in self.outcomes if one.status in WELL)

    def _document(self, errors: Path | None) -> dict[str, Any]:
        totals = self._totals()
        refused = Counter(one.problem.code for one in self.outcomes if one.problem)
        return {
            "file": self.file,
            "dry_run": self.run.dry_run,
            "stopped": self.run.stopped,
            "seconds": round(time.monotonic() - self._began, 3),
            "totals": {"rows": len(self.outcomes), **{status.value: totals[status] for status in Status}},
            "paths": dict(self._paths()),
            "problems": dict(refused),
            "errors": str(errors) if errors else "",
            "rows": [_plain(outcome) for outcome in self.outcomes],
        }

    def _page(self, bad: list[Outcome], errors: Path | None) -> RenderableType:
        what = "checked, nothing was kept" if self.run.dry_run else "imported"
        parts = [heading(f"{self.file}: {len(self.outcomes):,} rows {what}"), facts(self._sums())]
        if self.run.stopped:
            parts.append(line(f"It stopped: {self.run.stopped}"))
        parts += _bad_rows([outcome for outcome in bad if outcome.status is not Status.LEFT])
        twins = sum(1 for outcome in self.outcomes if outcome.duplicates)
        if twins:
            parts.append(line(f"{twins:,} rows ask for what was asked for in the last 30 days already; see --json."))
        if errors and bad:
            parts.append(line(f"Rows that were not taken are in {errors}."))
        return pages(*parts)

    def _sums(self) -> list[tuple[str, str]]:
        totals, seconds = self._totals(), max(time.monotonic() - self._began, 0.001)
        sums = [(_WORDS[status].capitalize(), f"{totals[status]:,}") for status in Status if totals[status]]
        sums += [(f"  {path}", f"{number:,}") for path, number in self._paths().most_common()]
        return [*sums, ("Took", f"{seconds:.1f} s, {len(self.outcomes) / seconds:.0f} rows/s")]

    def _next(self, reach: Reach) -> str:
        """Never the command itself: without its --batch the same rows would be other requests."""
        totals = self._totals()
        if totals[Status.LEFT] or totals[Status.FAILED]:
            return "the same command again goes on with what is missing; nothing is asked for twice"
        if self.run.dry_run:
            return "the same command without --dry-run"
        return f"plixo credit list{reach.suffix}"


def _bad_rows(bad: list[Outcome]) -> list[RenderableType]:
    if not bad:
        return []
    rows = [(str(one.row.line), _WORDS[one.status], _why(one)) for one in bad[:SHOWN]]
    parts = [line(""), table([">Line!", "What!", "Why"], rows, empty="")]
    if len(bad) > SHOWN:
        parts.append(line(f"and {len(bad) - SHOWN:,} more; --errors FILE writes them all."))
    return parts


class _Rate(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}"),
    )


def _counted(totals: Counter[Status]) -> str:
    return ", ".join(f"{totals[status]:,} {_WORDS[status]}" for status in Status if totals[status])


def _why(outcome: Outcome) -> str:
    if outcome.status is Status.LEFT:
        return "It was not tried."
    problem = outcome.problem
    if problem is None:
        return ""
    return one_line(f"{problem.field}: {problem.message}" if problem.field else problem.message)


def _plain(outcome: Outcome) -> dict[str, Any]:
    problem = outcome.problem
    return {
        "line": outcome.row.line,
        "status": outcome.status.value,
        "request_id": outcome.row.request_id,
        "approval_id": outcome.approval_id,
        "state": outcome.state,
        "path": list(outcome.path),
        "code": problem.code if problem else "",
        "field": problem.field if problem else "",
        "message": problem.message if problem else "",
        "duplicates": list(outcome.duplicates),
    }


def writable(errors: Path, file: str) -> None:
    """Refuse a place for bad rows that cannot be written, before anything was sent.

    Raises:
        CommandFailed: It cannot be written, or is the file itself.
    """
    try:
        if file != "-" and errors.exists() and errors.samefile(file):
            raise CommandFailed("--errors names the file itself; choose another.")
        errors.open("a").close()
    except OSError as error:
        raise CommandFailed(f"{errors} cannot be written: {error.strerror}; choose another --errors.") from error


def _write(errors: Path, bad: list[tuple[SheetRow, str]]) -> None:
    try:
        errors.write_text(write_bad_rows(bad), encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise CommandFailed(f"{errors} cannot be written: {error.strerror}; import again to see them.") from error
