"""What may stand in a cell of a decision table: comparisons and texts, and nothing that runs for long.

The engine has functions that go through lists, and lists that are made of two numbers: a cell of forty letters
keeps a processor busy for minutes. Conditions need none of them, so a cell is read before it is believed.
"""

import re
from typing import Final

import zen

from plixo.policy.invalid import PolicyInvalid

TABLE_FILE: Final = "approvals.jdm.json"
LONGEST_CELL: Final = 1000
"""Characters of a cell; the engine reads nested ones by recursion."""

_TEXT: Final = re.compile(r'"[^"\\`]*"|\'[^\'\\`]*\'')
_PLAIN: Final = re.compile(r"[\w\s.,<>=!+*/%\[\]-]*", re.ASCII)
_INTERVAL: Final = re.compile(r"\s*\[\s*[\w.]+?\s*\.\.\s*[\w.]+\s*\]\s*", re.ASCII)
_ANSWER: Final = re.compile(r'\s*("[^"\\`]*"|\'[^\'\\`]*\'|\d{1,15}|true|false|null)\s*', re.ASCII)
_PASSED_OVER: Final = "Stack backtrace"


def check_condition(where: str, cell: str) -> str:
    """A condition that the engine can evaluate at once.

    Returns:
        The cell without its texts: names, numbers and signs.

    Raises:
        PolicyInvalid: The engine cannot read it, or it could run for long; it names the cell.
    """
    _check_length(where, cell)
    try:
        zen.compile_unary_expression(cell)
    except RuntimeError as refused:
        raise PolicyInvalid(TABLE_FILE, where, first_line(refused)) from refused
    rest = _TEXT.sub("", cell)
    if not _PLAIN.fullmatch(rest) or "**" in rest:
        words = "compares with numbers, limits and texts alone; a cell calls nothing: no brackets ( ), # or functions"
        raise PolicyInvalid(TABLE_FILE, where, words)
    if ".." in rest and not _INTERVAL.fullmatch(cell):
        raise PolicyInvalid(TABLE_FILE, where, "may hold an interval such as [1..5] by itself, and no list made of one")
    return rest


def check_answer(where: str, cell: str) -> None:
    """An answer that is said, not worked out.

    Raises:
        PolicyInvalid: It is no text in quotes, whole number, true, false or null; it names the cell.
    """
    _check_length(where, cell)
    try:
        zen.compile_expression(cell)
    except RuntimeError as refused:
        raise PolicyInvalid(TABLE_FILE, where, first_line(refused)) from refused
    if not _ANSWER.fullmatch(cell):
        raise PolicyInvalid(TABLE_FILE, where, "must be a text in quotes: answers are not worked out")


def first_line(error: Exception) -> str:
    """What the engine says, without its stack."""
    lines = [line.strip() for line in str(error).split(_PASSED_OVER)[0].splitlines() if line.strip()]
    return " ".join(line for line in lines if line != "Caused by:")


def _check_length(where: str, cell: object) -> None:
    if not isinstance(cell, str) or len(cell) > LONGEST_CELL:
        raise PolicyInvalid(TABLE_FILE, where, f"must be a text of at most {LONGEST_CELL} characters")
