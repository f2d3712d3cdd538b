"""The published description as committed here, with what has moved since.

`stripe.json` is written by `extract`; `overlay.json` is written and reviewed by hand, and explained in `overlay`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from standin.contract.dialect import Schema
from standin.contract.overlay import apply

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Operation:
    """One call of the API: `params` holds the query's and the body's parameters together, never the path's."""

    id: str
    method: str
    path: str
    params: Schema
    response: Schema


@dataclass(frozen=True)
class Description:
    """The operations, and the schemas that their responses refer to by name."""

    operations: tuple[Operation, ...]
    schemas: dict[str, Schema]


def load() -> Description:
    """Read both files.

    Raises:
        OverlayError: the overlay and the data file do not belong together.
    """
    content = json.loads((_HERE / "stripe.json").read_text())
    roots = content["schemas"] | {name: described["params"] for name, described in content["operations"].items()}
    for change in json.loads((_HERE / "overlay.json").read_text()):
        for name in change["in"]:
            apply(change, roots[name])
    operations = tuple(Operation(id=name, **described) for name, described in content["operations"].items())
    return Description(operations=operations, schemas=content["schemas"])
