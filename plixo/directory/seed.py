"""Who a fresh installation starts with, read strictly from a TOML file."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from plixo.directory.calendars import PLACE
from plixo.domain.money import decimals
from plixo.domain.people import Group, Person

_REQUIRED: Final = ("id", "name", "email", "groups")
_OPTIONAL: Final = ("limits", "time_zone", "working_hours", "holidays", "delegate", "related_customers")
_HOURS: Final = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+", re.ASCII)


class SeedInvalid(ValueError):
    """The file of people cannot be used.

    Attributes:
        person: The id of the person it concerns, or `people[3]` where there is none; empty for the whole file.
        field: Which of their fields.
        problem: What is wrong with it and what would be right.
    """

    def __init__(self, person: str, field: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (person, field, problem) if part))
        self.person = person
        self.field = field
        self.problem = problem


def load_seed(path: Path, base_currency: str = "USD") -> tuple[Person, ...]:
    """The people in the file, in its order.

    Args:
        path: The TOML file.
        base_currency: The policy's; the file says limits in its whole major units.

    Raises:
        SeedInvalid: The file is missing or broken, or somebody in it is: it names the person and the field.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise SeedInvalid("", "", f"{path} cannot be read: {broken}") from broken
    rows = plain.pop("people", None)
    if plain or not isinstance(rows, list) or not rows:
        raise SeedInvalid("", "", f"{path} must hold [[people]] and nothing else")
    people = tuple(_person(row, f"people[{index}]", 10 ** decimals(base_currency)) for index, row in enumerate(rows))
    _check_ids(people)
    _check_delegates({person.person_id: person for person in people})
    return people


def _person(row: object, place: str, scale: int) -> Person:
    if not isinstance(row, dict):
        raise SeedInvalid(place, "", "must be a table")
    who = row["id"] if isinstance(row.get("id"), str) and row["id"] else place
    for name in (*_REQUIRED, *row):
        if name not in row:
            raise SeedInvalid(who, name, "is missing")
        if name not in (*_REQUIRED, *_OPTIONAL):
            raise SeedInvalid(who, name, f"is unknown; a person has {', '.join((*_REQUIRED, *_OPTIONAL))}")
    return Person(
        person_id=_text(row, "id", who),
        name=_text(row, "name", who),
        email=_shaped(_text(row, "email", who), _EMAIL, "email", who, "name@company.example"),
        groups=_groups(row, who),
        limits=_limits(row.get("limits", {}), who, scale),
        time_zone=_zone(row, who),
        working_hours=_hours(row, who),
        holidays=_shaped(_text(row, "holidays", who, "US"), PLACE, "holidays", who, "DE"),
        delegate_id=_text(row, "delegate", who) if "delegate" in row else None,
        related_customers=frozenset(_texts(row, "related_customers", who)),
    )


def _groups(row: Mapping[str, Any], who: str) -> frozenset[Group]:
    names = _texts(row, "groups", who)
    if not names:
        raise SeedInvalid(who, "groups", f"is empty; groups are {', '.join(Group)}")
    for name in names:
        if name not in set(Group):
            raise SeedInvalid(who, "groups", f"{name} is no group; groups are {', '.join(Group)}")
    return frozenset(Group(name) for name in names)


def _limits(value: object, who: str, scale: int) -> dict[str, int]:
    if not isinstance(value, dict):
        raise SeedInvalid(who, "limits", "must be a table, such as { credit = 500 }")
    for kind, amount in value.items():
        if kind != "credit":
            raise SeedInvalid(who, f"limits.{kind}", "is no kind of request; kinds are credit")
        if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
            raise SeedInvalid(who, f"limits.{kind}", "must be a whole number of the base currency, 0 or more")
    return {kind: amount * scale for kind, amount in value.items()}


def _zone(row: Mapping[str, Any], who: str) -> str:
    name = _text(row, "time_zone", who, "UTC")
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError) as unknown:
        raise SeedInvalid(who, "time_zone", f"{name} is no IANA time zone, such as Europe/Berlin") from unknown


def _hours(row: Mapping[str, Any], who: str) -> str:
    text = _shaped(_text(row, "working_hours", who, "09:00-17:00"), _HOURS, "working_hours", who, "09:00-17:00")
    opens, closes = text.split("-")
    if opens >= closes:
        raise SeedInvalid(who, "working_hours", f"{text} closes before it opens; write it like 09:00-17:00")
    return text


def _text(row: Mapping[str, Any], field: str, who: str, default: str = "") -> str:
    value = row.get(field, default)
    if not isinstance(value, str) or not value.strip():
        raise SeedInvalid(who, field, "must be text and not empty")
    return value


def _texts(row: Mapping[str, Any], field: str, who: str) -> list[str]:
    value = row.get(field, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise SeedInvalid(who, field, "must be a list of texts")
    return value


def _shaped(text: str, shape: re.Pattern[str], field: str, who: str, example: str) -> str:
    if not shape.fullmatch(text):
        raise SeedInvalid(who, field, f"{text} does not read like {example}")
    return text


def _check_ids(people: Sequence[Person]) -> None:
    for field, values in (
        ("id", [person.person_id for person in people]),
        ("email", [person.email.lower() for person in people]),
    ):
        for index, value in enumerate(values):
            if value in values[:index]:
                raise SeedInvalid(people[index].person_id, field, f"{value} is there twice")


def _check_delegates(people: Mapping[str, Person]) -> None:
    """Refuse a chain of delegates that leads nowhere or back to where it was."""
    for start in people:
        seen = [start]
        while (following := people[seen[-1]].delegate_id) is not None:
            if following not in people:
                raise SeedInvalid(seen[-1], "delegate", f"there is no {following}")
            if following in seen:
                raise SeedInvalid(start, "delegate", f"goes in a circle: {' -> '.join((*seen, following))}")
            seen.append(following)
