"""The limits as numbers that a person types, each in a field of its own."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from plixo.domain.refusals import Problem, Refused
from plixo.policy.words import SUMS, label, stages_label

_CLOCK: Final = {
    "due_hours": "answer due within",
    "remind_hours": "reminded after",
    "remind_every": "reminded again every",
    "after_hours": "others may decide as well after",
    "expire_hours": "given back after",
}
_RULES: Final = {
    "rate_days": ("An exchange rate holds", "days"),
    "fresh_sign_in_above": ("Fresh sign-in for decisions above", ""),
    "fresh_sign_in_minutes": ("A sign-in is fresh for", "minutes"),
}
_ROOMS: Final = ("authority", "approve", "sums", "ceilings", "stages", "clocks", "rules")
_MOST_DIGITS: Final = 12


class NumberField(NamedTuple):
    """One number of the limits.

    Attributes:
        name: Where it stands, such as `limits.sums.customer_all`.
        label: What it limits, in words.
        unit: What it counts.
        value: What it is.
    """

    name: str
    label: str
    unit: str
    value: str


def number_fields(plain: Mapping[str, Any]) -> list[NumberField]:
    """Every number in the limits, in their order."""
    base = str(plain["base_currency"])
    return [NumberField("limits." + ".".join(path), *_words(path, base), str(value)) for path, value in _numbers(plain)]


def with_numbers(plain: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The limits with what was typed in the fields; a field that is missing keeps its number.

    Raises:
        Refused: Some of it is no whole number; each field is named.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(plain))
    problems = []
    for path, value in _numbers(plain):
        name = "limits." + ".".join(path)
        text = typed.get(name, str(value)).strip().replace(",", "")
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            problems.append(
                Problem(name, "not_a_number", f"{_words(path, '')[0]}: give a whole number, such as {value}.")
            )
            continue
        place: Any = changed
        for step in path[:-1]:
            place = place[int(step) if isinstance(place, list) else step]
        place[int(path[-1]) if isinstance(place, list) else path[-1]] = int(text)
    if problems:
        raise Refused(*problems)
    return changed


def _numbers(plain: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every number with its place, in the order of the file."""
    for room in _ROOMS:
        yield from _leaves(plain.get(room, {}), (room,))


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield path, value
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from _leaves(one, (*path, str(name)))


def _words(path: tuple[str, ...], base: str) -> tuple[str, str]:
    room, last = path[0], path[-1]
    if room == "authority":
        return f"{label(path[1])} alone, a {last}", base
    if room == "approve":
        return f"{label(last)} approves alone, a {path[1]}", base
    if room == "stages":
        return f"{stages_label(path[1])}, how many of {label(last)} must agree", "people"
    if room == "clocks":
        what = path[-2] if last.isdecimal() else last
        nth = next((f" ({int(step) + 1})" for step in path if step.isdecimal()), "")
        return f"{label(path[1])}, {_CLOCK.get(what, label(what))}{nth}", "hours"
    if room == "rules":
        words, unit = _RULES.get(last, (label(last), ""))
        return words, unit or base
    return ("Sums run over", "days") if path == ("sums", "days") else (SUMS.get(last, label(last)), base)
