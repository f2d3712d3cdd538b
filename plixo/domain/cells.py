"""Cells of a sheet that people open in a spreadsheet: nothing that we write there is run as a formula."""

from typing import Final

STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""

_QUOTE: Final = "'"


def neutral(cell: str) -> str:
    """The cell as text for every spreadsheet: with an apostrophe before what could be a formula, or is one already."""
    return _QUOTE + cell if cell.startswith((*STARTS_FORMULA, _QUOTE)) else cell


def original(cell: str) -> str:
    """The cell that `neutral` was given."""
    return cell[1:] if cell.startswith(tuple(_QUOTE + start for start in (*STARTS_FORMULA, _QUOTE))) else cell
