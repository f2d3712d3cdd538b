"""A file of credits: one row a request, each known by its line, so that a bad row stops only itself."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plixo.domain.canonical import canonical_json
from plixo.domain.cells import neutral, original
from plixo.domain.credit import CreditForm, parse_credit
from plixo.domain.ids import row_request_id
from plixo.domain.refusals import Problem, Refused

COLUMNS: Final = ("customer", "amount", "currency", "reason", "invoice", "note", "memo", "request_id")
"""What a row may say, by the names of the form's fields."""

NEEDED: Final = COLUMNS[:4]
LINE: Final = "line"
WHY: Final = "why"
"""The columns that a sheet of bad rows has besides; they are passed over when it is read again."""

MOST_BYTES: Final = 50 * 1024 * 1024
LONGEST_CELL: Final = 20_000
"""Characters: above what any field takes, so that a long note is refused in the field's own words."""


@dataclass(frozen=True)
class SheetRow:
    """One row of the file.

    Attributes:
        line: Where it begins in the file, counted from 1.
        cells: What it says, by column; what it leaves out is empty.
        request_id: Its own, or one made from what it says; empty where it cannot be sent.
        problem: Why it cannot be sent; None when it can.
        made_up: Whether the request id was made from what the row says.
    """

    line: int
    cells: Mapping[str, str]
    request_id: str = ""
    problem: Problem | None = None
    made_up: bool = False


@dataclass(frozen=True)
class _Raw:
    """What stands in a record: its cells, or why they cannot be told apart."""

    line: int
    cells: list[str]
    problem: Problem | None = None


def read_sheet(content: bytes, batch: str = "") -> list[SheetRow]:
    """The rows of a CSV file in UTF-8.

    Args:
        content: The file; a byte order mark is passed over.
        batch: Rows of another batch are other requests, even where they say the same.

    Raises:
        Refused: The file as a whole is not one: it is too long, empty, or its header cannot be used.
    """
    if len(content) > MOST_BYTES:
        raise Refused.one("", "file_too_long", f"A file has at most {MOST_BYTES // 1024 // 1024} MiB; split it.")
    text = content.decode("utf-8-sig", errors="surrogateescape")
    records = _records(text)
    columns = _columns(next(records, None))
    return _Namer(batch).named([_row(record, columns) for record in records])


def _records(text: str) -> Iterator[_Raw]:
    """Every record that holds anything; after one that cannot be read, reading goes on at the next line.

    A record that goes on over a line's end stands inside quotes there, whoever opened them. So it breaks on the very
    line that an earlier one broke on, if it begins before that: its first line tells enough, and no line is read again
    for each that stands before it.
    """
    csv.field_size_limit(MOST_BYTES)  # a cell that is too long is refused by its name, when its end is known
    lines = list(io.StringIO(text, newline=""))
    start, broke_on = 0, -1
    while start < len(lines):
        end = start + 1 if start < broke_on else len(lines)
        reader = csv.reader(_from(lines, start, end), strict=True)
        try:
            cells, problem = next(reader), None
        except csv.Error:
            cells, problem = _roughly(lines[start]), _BROKEN
            broke_on = max(broke_on, start + reader.line_num - 1)
        if any(cells):
            yield _Raw(start + 1, cells, problem)
        start += 1 if problem else reader.line_num


def _from(lines: Sequence[str], start: int, end: int) -> Iterator[str]:
    return (lines[number] for number in range(start, end))


def _roughly(line: str) -> list[str]:
    """The cells of a line that is broken, as far as they can be guessed: for whoever mends it."""
    return [cell.strip(' "\r\n') for cell in line.split(",")]


def _columns(header: _Raw | None) -> tuple[str, ...]:
    if header is None:
        raise Refused.one("", "file_empty", f"The file is empty; its first line names the columns: {_EXAMPLE}.")
    names = tuple("_".join(cell.lower().replace("-", " ").split()) for cell in header.cells)
    wrong = _wrong_header(header, names)
    if wrong:
        raise Refused.one("", "header_invalid", f"Line {header.line}: {wrong} The columns are {_EXAMPLE}.")
    return names


def _wrong_header(header: _Raw, names: Sequence[str]) -> str:
    """What is wrong with the line that names the columns; empty when nothing is."""
    if any(_problem_of_text(cell) for cell in header.cells):
        return "the file is not UTF-8 text; save it as CSV in UTF-8."
    if header.problem:
        return "a quote in it is never closed."
    if len(names) == 1 and ";" in names[0]:
        return "its columns are parted by semicolons; save it with commas."
    missing = [name for name in NEEDED if name not in names]
    strange = [cell[:40] for cell, name in zip(header.cells, names, strict=True) if name not in _TAKEN]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if strange:
        return f"there is no column {', '.join(repr(name) for name in strange)}."
    if twice:
        return f"{', '.join(twice)} is there twice."
    return f"{', '.join(missing)} is missing." if missing else ""


def _row(record: _Raw, columns: Sequence[str]) -> SheetRow:
    given = dict.fromkeys(COLUMNS, "") | dict(zip(columns, record.cells, strict=False))
    cells = {name: original(given[name]) if WHY in columns else given[name] for name in COLUMNS}
    return SheetRow(record.line, cells, problem=record.problem or _problem(record.cells, columns))


def _problem(cells: Sequence[str], columns: Sequence[str]) -> Problem | None:
    if len(cells) != len(columns):
        wanted = f"The row has {len(cells)} cells and the header {len(columns)}; quote a cell that holds a comma."
        return Problem("", "row_misshapen", wanted)
    for name, cell in zip(columns, cells, strict=True):
        if name in COLUMNS and len(cell) > LONGEST_CELL:
            return Problem(name, f"{name}_too_long", f"The {name} has {len(cell):,} characters; that is too long.")
        found = _problem_of_text(cell)
        if found:
            return Problem(name, *found)
    return None


def _problem_of_text(cell: str) -> tuple[str, str] | None:
    if "\0" in cell:
        return "row_not_text", "The row holds a NUL character; it is not text."
    if any("\ud800" <= letter <= "\udfff" for letter in cell):
        return "row_not_utf8", "The row is not UTF-8 text; save the file as CSV in UTF-8."
    return None


class _Namer:
    """Gives each row its request id, and refuses one that an earlier row has."""

    def __init__(self, batch: str) -> None:
        self.batch = batch
        self._equal: Counter[bytes] = Counter()
        self._first: dict[str, int] = {}

    def named(self, rows: Sequence[SheetRow]) -> list[SheetRow]:
        return [row if row.problem else self._named(row) for row in rows]

    def _named(self, row: SheetRow) -> SheetRow:
        own = row.cells["request_id"].strip()
        request_id = own or self._made_up(row.cells)
        before = self._first.setdefault(request_id, row.line)
        if before != row.line:
            wanted = f"Line {before} has the same request id; each row needs its own, or none."
            return SheetRow(row.line, row.cells, problem=Problem("request_id", "request_id_twice", wanted))
        return SheetRow(row.line, row.cells, request_id, made_up=not own)

    def _made_up(self, cells: Mapping[str, str]) -> str:
        """From what the row says and how many said the same before it: never from where the row or the file is."""
        says = canonical_json([self.batch, *_meaning(cells)])
        self._equal[says] += 1
        return row_request_id(says, self._equal[says])


def _meaning(cells: Mapping[str, str]) -> tuple[str, ...]:
    """What a row asks for, in one spelling; as it was typed where it cannot be understood."""
    try:
        typed = parse_credit(CreditForm(**{**cells, "request_id": "any"}))
    except Refused:
        return tuple(cells[name].strip() for name in COLUMNS[:-1])
    amount = typed.amount
    return (
        typed.customer_id,
        str(amount.minor),
        amount.currency,
        typed.reason.value,
        typed.invoice_id,
        typed.note,
        typed.memo,
    )


def write_bad_rows(rows: Sequence[tuple[SheetRow, str]]) -> str:
    """The rows as a sheet that can be mended and read again, each with its line and with why it was not taken.

    Each keeps its request id, so that a row which may have arrived all the same stays one request. No cell begins like
    a formula.
    """
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow([LINE, WHY, *COLUMNS])
    for row, why in rows:
        cells = {**row.cells, "request_id": row.request_id or row.cells["request_id"]}
        writer.writerow([str(row.line), neutral(why), *(neutral(cells[name][:LONGEST_CELL]) for name in COLUMNS)])
    return sheet.getvalue()


_TAKEN: Final = frozenset({*COLUMNS, LINE, WHY})
_EXAMPLE: Final = ",".join(COLUMNS)
_BROKEN: Final = Problem("", "row_broken", "A quote is opened and never closed, or closed in the middle of a cell.")
