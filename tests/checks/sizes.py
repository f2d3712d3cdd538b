"""Measure the house against its own limits: how long functions and files are."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_MOST = 10, 30, 50
FILE_P90, FILE_MOST = 250, 400
FOLDERS = ("activities", "benchmarks", "demo", "plixo", "standin", "starters", "web", "workers", "workflows")


def main() -> int:
    """Print every measure that does not hold; 1 when there is one."""
    files = [path for path in _tracked() if path.suffix == ".py" and "migrations" not in path.parts]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    functions = {name: size for path in files for name, size in _functions(path)}
    complaints = [f"{path}: {size} lines, at most {FILE_MOST}" for path, size in lengths.items() if size > FILE_MOST]
    complaints += [
        f"{name}: {size} lines, at most {FUNCTION_MOST}" for name, size in functions.items() if size > FUNCTION_MOST
    ]
    complaints += _spread("functions, median", statistics.median(functions.values()), FUNCTION_MEDIAN)
    complaints += _spread("functions, 90th percentile", _p90(list(functions.values())), FUNCTION_P90)
    complaints += _spread("files, 90th percentile", _p90(list(lengths.values())), FILE_P90)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *FOLDERS],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for path in map(Path, listed.split()) if path.is_file()]


def _functions(path: Path) -> list[tuple[str, int]]:
    """Every function with its lines, docstring and all."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            found.append((f"{path}:{node.lineno} {node.name}", size))
    return found


def _p90(sizes: list[int]) -> float:
    return statistics.quantiles(sizes, n=10)[-1]


def _spread(what: str, measured: float, most: int) -> list[str]:
    print(f"{what}: {measured:.0f} (at most {most})")
    return [f"{what}: {measured:.0f} lines, at most {most}"] if measured > most else []


if __name__ == "__main__":
    sys.exit(main())
