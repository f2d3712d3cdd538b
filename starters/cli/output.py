"""What a person reads and what a program reads: tables within 80 columns, or one JSON document."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH: Final = 80
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_STYLES: Final = {
    "Applied in Stripe": "green",
    "Approved": "green",
    "Rejected": "red",
    "Returned": "yellow",
    "Needs attention": "bold red",
}


def show(document: object, page: RenderableType, *, as_json: bool, following: str = "") -> None:
    """Print what a command found out.

    Args:
        document: The same as plain data.
        page: For people.
        as_json: Print the document alone.
        following: The command that a person is likely to want now.
    """
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    console = paper()
    console.print(page)
    if following:
        console.print(Text(f"\nNext: {following}", style="dim"), soft_wrap=True)


class _Paper(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read has gone: the command's way out says what that means, not this printer."""
        raise BrokenPipeError


def paper() -> Console:
    """Where people's pages are printed: colour on a terminal alone, 80 columns unless the terminal has fewer."""
    console = _Paper(highlight=False, emoji=False, markup=False)
    console.width = min(console.width, WIDTH)
    return console


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> RenderableType:
    """Rows under their headings.

    Args:
        columns: Headings; `>` in front sets a column right, `!` keeps it on one line.
        rows: Cells, as text.
        empty: What to say, and how to get some, when there are none.
    """
    if not rows:
        return Text(empty)
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        right, whole = ">" in column, "!" in column
        made.add_column(column.strip(">!"), justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        made.add_row(*(word(cell) for cell in row))
    return made


def facts(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values under each other; what has no value is left out."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    made.add_column(no_wrap=True, style="dim")
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            made.add_row(Text(name), word(value))
    return made


def pages(*parts: RenderableType) -> RenderableType:
    """Several parts under each other."""
    return Group(*parts)


def heading(text: str) -> RenderableType:
    """The line that says what follows."""
    return Text(plain(text), style="bold")


def line(text: str) -> RenderableType:
    """A line of words."""
    return word(text)


def word(text: str) -> Text:
    """Text as it is: never mark-up, never an order to the terminal; a state in its colour."""
    shown = plain(text)
    return Text(shown, style=_STYLES.get(shown, ""))


def plain(text: str) -> str:
    """The text with everything a terminal would obey taken out."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def when(moment: str | None) -> str:
    """A moment of the API in short, in UTC; empty when there is none."""
    return _moment(moment).strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def due(moment: str | None) -> str:
    """When an answer is due, as people say it: `due in 3 h`, `2 d overdue`."""
    if not moment:
        return ""
    seconds = (_moment(moment) - datetime.now(UTC)).total_seconds()
    return f"due in {_span(seconds)}" if seconds >= 0 else f"{_span(-seconds)} overdue"


def texts(value: Any) -> str:  # noqa: ANN401 - the API's answer
    """A value of the API in words: a list with commas, nothing as nothing."""
    if isinstance(value, list):
        return ", ".join(texts(item) for item in value)
    return "" if value is None else str(value)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _span(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return f"{seconds // _DAY:.0f} d"
    if seconds >= _HOUR:
        return f"{seconds // _HOUR:.0f} h"
    return f"{seconds // _MINUTE:.0f} min"
