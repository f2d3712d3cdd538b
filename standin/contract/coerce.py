"""Gives the text of a form the types of the schema.

What does not fit is left as it came, so that the validator can name it.
"""

import re
from typing import Any

from standin.contract.dialect import Schema

# Longer than any amount or timestamp, and far from what makes Python refuse to convert.
_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,19})?\Z")
_BOOLEANS = {"true": True, "false": False}
_PYTHON_TYPES = {"string": str, "object": dict, "array": list, "integer": int, "number": float, "boolean": bool}


def coerce(value: Any, schema: Schema) -> Any:  # noqa: ANN401 (a tree of unknown shape)
    """`value`, read as `schema` says, as far as it can be."""
    if "anyOf" in schema:
        return _coerce_to_any(value, schema["anyOf"])
    match schema.get("type"):
        case "object":
            return _coerce_object(value, schema)
        case "array":
            return _coerce_array(value, schema["items"])
        case scalar:
            return _coerce_text(value, scalar) if isinstance(value, str) else value


def fits(value: Any, schema: Schema) -> bool:  # noqa: ANN401 (a tree of unknown shape)
    """Whether `value` has the outer shape of `schema`, whatever is inside."""
    if "enum" in schema:
        return value in schema["enum"]
    return type(value) is _PYTHON_TYPES.get(schema.get("type", ""))


def _coerce_to_any(value: Any, branches: list[Schema]) -> Any:  # noqa: ANN401
    for branch in branches:
        read = coerce(value, branch)
        if fits(read, branch):
            return read
    return value


def _coerce_text(text: str, scalar: str | None) -> str | int | float:
    if scalar == "integer" and _INTEGER.match(text):
        return int(text)
    if scalar == "number" and _NUMBER.match(text):
        return float(text)
    return _BOOLEANS.get(text, text) if scalar == "boolean" else text


def _coerce_object(value: Any, schema: Schema) -> Any:  # noqa: ANN401
    if isinstance(value, list) and "properties" not in schema:
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    return {name: coerce(below, known.get(name, {})) for name, below in value.items()}


def _coerce_array(value: Any, items: Schema) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and all(step.isascii() and step.isdigit() for step in value):
        value = [value[step] for step in sorted(value, key=int)]
    return [coerce(item, items) for item in value] if isinstance(value, list) else value
