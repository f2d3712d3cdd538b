"""Finds the operation that a method and a path mean."""

import re
from collections.abc import Iterable

from standin.contract.data import Operation

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Routes:
    """The described operations by method and path; a literal step goes before a placeholder."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        literal_first = sorted(operations, key=lambda operation: operation.path.count("{"))
        self._patterns = [(each.method, _pattern(each.path), each) for each in literal_first]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation and its path parameters, or `None` where none is described."""
        for wanted, pattern, operation in self._patterns:
            matched = pattern.fullmatch(path) if wanted == method else None
            if matched:
                return operation, matched.groupdict()
        return None


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_PLACEHOLDER.sub(r"(?P<\1>[^/]+)", template))
