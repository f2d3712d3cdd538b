"""Asking for many credits at once, from a file."""

import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter, validators

from starters.cli.example import example
from starters.cli.failures import CommandFailed, one_line
from starters.cli.reach import HERE, Reach, reached
from starters.cli.world import WORLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plixo.domain.credit_sheet import SheetRow
    from starters.cli.import_rows import Import
    from starters.cli.import_told import Told

app = App(name="import", help_epilogue=example("plixo credit import credits.csv --dry-run"))

AT_ONCE: Final = 4
"""Rows under way at a time: as many as the console works on at most, so that none of its turns is left unused."""

INTERRUPTED: Final = 130
_STDIN: Final = "-"
File = Annotated[str, Parameter(help="A CSV file in UTF-8; - reads standard input.", allow_leading_hyphen=True)]
AtOnce = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=16))]


@app.default
def import_credits(
    file: File,
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    errors: Path | None = None,
    batch: str = "",
    at_once: AtOnce = AT_ONCE,
    reach: Reach = HERE,
) -> int:
    """Ask for a credit for each row of a file.

    Its first line names the columns: customer, amount, currency, reason, and where they are wanted invoice, note, memo,
    request_id. A bad row stops only itself. Run again, only what is missing is asked for: what a row says makes its
    request id, so a row that was changed is another request, and one that says the same as before is not.

    Args:
        file: What to read.
        dry_run: Check each row by itself and keep nothing.
        errors: Write the rows that were not taken there, to be mended and imported again.
        batch: A name for this lot: rows that say the same in another lot, such as next month's, are new requests.
        at_once: How many rows are under way at a time.
        reach: How Plixo is reached.
    """
    from starters.cli.import_told import Told, writable  # noqa: PLC0415 - `plixo --help` stays quick

    rows = _rows(file, batch)
    if errors:
        writable(errors, file)
    with reached(reach) as api:
        from starters.cli.import_courier import Courier  # noqa: PLC0415 - `plixo --help` stays quick
        from starters.cli.import_rows import Import  # noqa: PLC0415 - the same

        run = Import(Courier(api, WORLD.get().sleep), rows, at_once, dry_run)
        told = Told(file, run)
        interrupted = _followed(run, told)
    told.end(errors, reach)
    return INTERRUPTED if interrupted else int(not told.well)


def _rows(file: str, batch: str) -> "Sequence[SheetRow]":
    from plixo.domain.credit_sheet import read_sheet  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.domain.refusals import Refused  # noqa: PLC0415 - the same

    try:
        return read_sheet(_content(file), batch)
    except Refused as refusal:
        raise CommandFailed(f"{_name(file)} cannot be imported: {one_line(str(refusal))}") from refusal


def _content(file: str) -> bytes:
    from plixo.domain.credit_sheet import MOST_BYTES  # noqa: PLC0415 - `plixo --help` stays quick

    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no file's name"
        raise CommandFailed(f"{_name(file)} cannot be read: {why}.") from error


def _name(file: str) -> str:
    return "Standard input" if file == _STDIN else file


def _followed(run: "Import", told: "Told") -> bool:
    """Tell every outcome as it comes; whether Ctrl-C ended it."""
    with _interruptible(run) as interrupted, told.progress():
        for outcome in run.outcomes():
            told.add(outcome)
    return interrupted.is_set()


@contextmanager
def _interruptible(run: "Import") -> "Iterator[threading.Event]":
    """The first Ctrl-C lets what is under way come to its end; the second does not wait for it."""
    interrupted = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        run.stop("It was interrupted.")

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's alone
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
