"""Hold docs/security.md against the tests: what it names has a test, and what a test names is there."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROMISES = Path("docs/security.md")
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \|", re.MULTILINE)


def main() -> int:
    """Print every requirement that stands on one side alone; 1 when there is one."""
    promised = set(ROW.findall(PROMISES.read_text()))
    tested = {name for path in Path("tests").rglob("test_*.py") for name in _marked(path)}
    for name in sorted(promised - tested):
        print(f"{PROMISES}: {name} has no test that carries it")
    for name in sorted(tested - promised):
        print(f"{PROMISES}: {name} is missing; a test carries it")
    return 1 if promised != tested else 0


def _marked(path: Path) -> Iterator[str]:
    """The ids on tests alone: a marker on something that pytest never runs proves nothing."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield from (name for decorator in node.decorator_list for name in _ids(decorator))


def _ids(decorator: ast.expr) -> Iterator[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.asvs":
        yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


if __name__ == "__main__":
    sys.exit(main())
