"""What has moved since the published description, as a list of reviewed changes.

Each change of `overlay.json` says why, the operations or schemas that it is made `in`, the place there, and one of:

- `set`: the property is new, or its schema is replaced;
- `add`: values that an enum has gained;
- `drop`: the property is gone.

A place is written `payment_settings.payment_method_types[]`: names of properties, and `[]` for what a list holds. A
change must change something, so what a newer `stripe.json` has overtaken is an error, not a leftover.
"""

import re
from typing import Any

from standin.contract.dialect import Schema, branch_with

_STEP = re.compile(r"[^.\[\]]+|\[\]")


class OverlayError(Exception):
    """A change of the overlay does not fit the data file."""


def apply(change: dict[str, Any], root: Schema) -> None:
    """Make `change` in `root`, in place.

    Raises:
        OverlayError: the place does not exist, or is already as the change would leave it.
    """
    *way, last = _STEP.findall(change["at"])
    try:
        holder = root
        for step in way:
            holder = _below(holder, step)
        changed = _changed(change, holder, last)
    except KeyError as missing:
        raise OverlayError(f"{change['at']}: there is no {missing}") from missing
    if not changed:
        raise OverlayError(f"{change['at']}: nothing to change")


def _below(node: Schema, step: str) -> Schema:
    below: Schema = (
        branch_with("items", node)["items"] if step == "[]" else branch_with("properties", node)["properties"][step]
    )
    return below


def _changed(change: dict[str, Any], holder: Schema, last: str) -> bool:
    if "add" in change:
        return _added(change["add"], branch_with("enum", _below(holder, last))["enum"])
    properties = branch_with("properties", holder)["properties"]
    if "set" in change:
        before, properties[last] = properties.get(last), change["set"]
        return bool(before != change["set"])
    del properties[last]
    return True


def _added(values: list[str], enum: list[str]) -> bool:
    if set(values) & set(enum):
        return False
    enum.extend(values)
    return True
