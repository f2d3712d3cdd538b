"""The few things to know of the dialect in which Stripe publishes its schemas."""

from typing import Any

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"


def branches(schema: Schema) -> list[Schema]:
    """The alternatives of a schema: those of its `anyOf`, or itself."""
    return list(schema.get("anyOf", [schema]))


def branch_with(keyword: str, schema: Schema) -> Schema:
    """The first alternative that says something by `keyword`.

    Raises:
        KeyError: none does.
    """
    for branch in branches(schema):
        if keyword in branch:
            return branch
    raise KeyError(keyword)


def target(schema: Schema) -> str | None:
    """The name of the schema that this one refers to, if it is a reference."""
    return schema["$ref"].removeprefix(REFERENCE) if "$ref" in schema else None
