"""From the dialect of the published description to JSON Schema, closed against unknown keys.

The description leaves nested parameters and all responses open. Stripe refuses unknown parameters at every depth, and a
key that no schema knows is a mistake of the stand-in, so both are closed here.
"""

from collections.abc import Callable

from standin.contract.dialect import Schema, target

# Of metadata, as documented; the description bounds only the values, and only in responses.
_METADATA_LIMITS: Schema = {"maxProperties": 50, "propertyNames": {"minLength": 1, "maxLength": 40}}
_METADATA_VALUE: Schema = {"type": "string", "maxLength": 500}


def for_request(schema: Schema) -> Schema:
    """The JSON Schema of an operation's parameters."""
    return _closed(schema, _strict)


def for_response(schema: Schema) -> Schema:
    """The JSON Schema of an answer; references go to `$defs`."""
    return _closed(schema, _nullable)


def _closed(schema: Schema, finish: Callable[[Schema], Schema]) -> Schema:
    """`schema` with every object of known properties closed, and `finish` applied to each node, from the inside out."""

    def walk(node: Schema) -> Schema:
        made = dict(node)
        for key in ("items", "additionalProperties"):
            if isinstance(made.get(key), dict):
                made[key] = walk(made[key])
        if "anyOf" in made:
            made["anyOf"] = [walk(branch) for branch in made["anyOf"]]
        if "properties" in made:
            made["properties"] = {name: walk(below) for name, below in made["properties"].items()}
            made.setdefault("additionalProperties", False)
        return finish(made)

    return walk(schema)


def _strict(node: Schema) -> Schema:
    """Empty text unsets, so it is allowed only where the schema lists it, and as a value of metadata."""
    values = node.get("additionalProperties")
    if isinstance(values, dict) and values.get("type") == "string":
        return node | _METADATA_LIMITS | {"additionalProperties": _METADATA_VALUE}
    if node.get("type") == "string" and "enum" not in node:
        return node | {"minLength": 1}
    return node


def _nullable(node: Schema) -> Schema:
    name = target(node)
    made = {"$ref": f"#/$defs/{name}"} if name else {key: value for key, value in node.items() if key != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made
