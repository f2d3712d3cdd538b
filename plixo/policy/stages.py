"""How the people of a route are asked, and who decides in an empty group's place: two optional parts of the limits.

A policy may ask for more people, in another order, and go on after a rejection. It cannot leave out a group that the
route asks, ask nobody of one, or let others decide for an empty CFO group, whose word is behind the ceilings.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from plixo.domain.path import Route
from plixo.domain.people import APPROVERS, Group
from plixo.domain.planning import ASKED, StagePlan
from plixo.policy.cells import TABLE_FILE
from plixo.policy.invalid import PolicyInvalid

LIMITS_FILE: Final = "limits.toml"
MOST: Final = 9
"""How many people of a group a policy may ask for."""

_SEATED: Final = (Group.CONTROLLER, Group.LEGAL)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_STAGE: Final = ("seats", "one_rejection_ends")


class NamedStages(NamedTuple):
    """A row of the table that names stages.

    Attributes:
        where: The cell.
        name: What it names.
        route: The row's route; empty where it says none.
    """

    where: str
    name: str
    route: str


def parse_fallbacks(value: object) -> dict[Group, Group]:
    """Per group, who decides in its place.

    Raises:
        PolicyInvalid: It names a group that approves nothing, or is for another one than Controller and Legal.
    """
    found = {}
    for name, to in _table(value, "fallback").items():
        field = f"fallback.{name}"
        if name not in set(_SEATED):
            raise PolicyInvalid(LIMITS_FILE, field, "is unknown; only an empty controller or legal goes to others")
        others = [group.value for group in sorted(APPROVERS - {Group(name)})]
        if to not in others:
            raise PolicyInvalid(LIMITS_FILE, field, f"must be one of {', '.join(others)}")
        found[Group(name)] = Group(to)
    return found


def parse_stages(value: object) -> dict[str, tuple[StagePlan, ...]]:
    """By name, how the people of a route are asked.

    Raises:
        PolicyInvalid: A stage asks nobody, too many, a group twice, or a route lacks one of its groups.
    """
    return {name: _stages(name, rows) for name, rows in _table(value, "stages").items()}


def check_named(rows: Iterable[NamedStages], stages: Mapping[str, tuple[StagePlan, ...]]) -> None:
    """Refuse a table that names stages which are not there, or which ask others than the row's route.

    Raises:
        PolicyInvalid: It names the cell.
    """
    for where, name, route in rows:
        if name not in stages:
            known = ", ".join(sorted(stages)) or "none"
            raise PolicyInvalid(TABLE_FILE, where, f"{name} is no stages of the limits; there are {known}")
        if route not in set(ASKED) or not fit(Route(route), stages[name]):
            raise PolicyInvalid(
                TABLE_FILE, where, f"{name} asks others than the row's route, which is {route or 'none'}"
            )


def fit(route: Route, stages: tuple[StagePlan, ...]) -> bool:
    """Whether the stages ask just the groups of the route."""
    return _groups(stages) == sorted(ASKED.get(route, ()))


def _stages(name: str, rows: object) -> tuple[StagePlan, ...]:
    field = f"stages.{name}"
    if not _NAME.fullmatch(name) or name == Route.AUTOMATIC:
        raise PolicyInvalid(LIMITS_FILE, field, "must be a route that asks people, or a name of small letters")
    if not isinstance(rows, list) or not rows:
        raise PolicyInvalid(LIMITS_FILE, field, "must be stages in their order, such as [{ seats = { legal = 1 } }]")
    stages = tuple(_stage(row, f"{field}.{index}") for index, row in enumerate(rows))
    groups = _groups(stages)
    if len(set(groups)) < len(groups):
        raise PolicyInvalid(LIMITS_FILE, field, "asks a group twice")
    if name in set(ASKED) and not fit(Route(name), stages):
        raise PolicyInvalid(LIMITS_FILE, field, f"must ask {' and '.join(ASKED[Route(name)])}, each once")
    return stages


def _stage(row: object, field: str) -> StagePlan:
    table = _table(row, field)
    for name in table:
        if name not in _STAGE:
            raise PolicyInvalid(LIMITS_FILE, f"{field}.{name}", f"is unknown; here stand {', '.join(_STAGE)}")
    seats = _table(table.get("seats"), f"{field}.seats")
    if not seats:
        raise PolicyInvalid(LIMITS_FILE, f"{field}.seats", "asks nobody")
    ends = table.get("one_rejection_ends", True)
    if not isinstance(ends, bool):
        raise PolicyInvalid(LIMITS_FILE, f"{field}.one_rejection_ends", "must be true or false")
    return StagePlan(tuple(_seat(name, n, f"{field}.seats.{name}") for name, n in sorted(seats.items())), ends)


def _seat(name: str, quorum: object, field: str) -> tuple[Group, int]:
    if name not in set(_SEATED):
        raise PolicyInvalid(LIMITS_FILE, field, f"is no group that a route asks; here stand {', '.join(_SEATED)}")
    if isinstance(quorum, bool) or not isinstance(quorum, int) or not 1 <= quorum <= MOST:
        raise PolicyInvalid(LIMITS_FILE, field, f"must be a whole number from 1 to {MOST}: how many must agree")
    return Group(name), quorum


def _groups(stages: tuple[StagePlan, ...]) -> list[Group]:
    return sorted(group for stage in stages for group, _ in stage.seats)


def _table(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyInvalid(LIMITS_FILE, field, "must be a table")
    return value
