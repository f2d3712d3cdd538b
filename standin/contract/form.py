"""Stripe's form encoding, read back into a tree.

Knows nothing of any schema: every leaf is a string, and what is a list or a mapping follows from the keys alone. Where
the keys cannot tell (`metadata[0]=x`), `coerce` settles it by the schema.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_STEP = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"(?:0|[1-9][0-9]{0,5})\Z")
_APPEND = ""

# Deeper than anything that Stripe describes; a body of nothing but brackets must not exhaust the stack.
_DEEPEST = 16


class MalformedFormError(Exception):
    """The body is no form, or two of its keys contradict each other; `key` is the one at fault."""

    def __init__(self, key: str) -> None:
        super().__init__(f"malformed form key: {key}")
        self.key = key


def decode(body: bytes) -> dict[str, Any]:
    """Read a form body or a query string.

    A run of keys `[0]`, `[1]`, … becomes a list, as do `[]`; every other bracket becomes a mapping. A scalar key that
    comes twice takes its last value, as Stripe does.

    Raises:
        MalformedFormError: a key is malformed or nested too deeply, the text is not UTF-8, or a key is used both as a
            value and as a branch.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError as broken:
        raise MalformedFormError("") from broken
    tree: dict[str, Any] = {}
    for key, value in pairs:
        _put(tree, key, value)
    return {name: _listed(branch) for name, branch in tree.items()}


def _put(tree: dict[str, Any], key: str, value: str) -> None:
    *branches, leaf = _steps(key)
    for step in branches:
        tree = tree.setdefault(_slot(tree, step), {})
        if not isinstance(tree, dict):
            raise MalformedFormError(key)
    slot = _slot(tree, leaf)
    if isinstance(tree.get(slot), dict):
        raise MalformedFormError(key)
    tree[slot] = value


def _steps(key: str) -> list[str]:
    matched = _KEY.match(key)
    if matched is None:
        raise MalformedFormError(key)
    steps = [matched[1], *_STEP.findall(matched[2])]
    if len(steps) > _DEEPEST:
        raise MalformedFormError(key)
    return steps


def _slot(tree: dict[str, Any], step: str) -> str:
    return str(len(tree)) if step == _APPEND else step


def _listed(branch: Any) -> Any:  # noqa: ANN401 (a tree of unknown shape)
    if not isinstance(branch, dict):
        return branch
    read = {step: _listed(below) for step, below in branch.items()}
    if all(_INDEX.match(step) for step in read) and {int(step) for step in read} == set(range(len(read))):
        return [read[str(index)] for index in range(len(read))]
    return read
