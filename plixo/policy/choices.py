"""What a person chooses of the limits besides numbers: fallbacks, the order of stages, and what a rejection does."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from plixo.domain.path import Route
from plixo.domain.people import APPROVERS
from plixo.domain.planning import ASKED
from plixo.domain.refusals import Problem, Refused
from plixo.policy.words import label, stages_label, stages_of

_PLACES: Final = tuple(group.value for group in ASKED[Route.BOTH])
_SIDE_BY_SIDE: Final = "side_by_side"
_ENDS: Final = (("yes", "Ends the request"), ("no", "Does not, as long as enough can agree"))


class ChoiceField(NamedTuple):
    """One choice of the limits.

    Attributes:
        name: Where it stands, such as `limits.fallback.legal`.
        label: What it is about, in words.
        options: What can be chosen, each with its words.
        value: What is.
    """

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    value: str


def choice_fields(plain: Mapping[str, Any]) -> list[ChoiceField]:
    """Every choice in the limits; where an older policy says nothing, what that means."""
    return [*_fallbacks(plain), *_stages(plain)]


def with_choices(plain: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The limits with what was chosen; a field that is missing, or as it was, changes nothing.

    Raises:
        Refused: Something else was sent than can be chosen; each field is named.
    """
    chosen = {field.name: (field, typed[field.name]) for field in choice_fields(plain) if field.name in typed}
    problems = [
        Problem(name, "not_a_choice", f"{field.label}: choose one of {', '.join(text for _, text in field.options)}.")
        for name, (field, value) in chosen.items()
        if value not in dict(field.options)
    ]
    if problems:
        raise Refused(*problems)
    changed: dict[str, Any] = copy.deepcopy(dict(plain))
    for name, (field, value) in sorted(chosen.items(), key=lambda one: one[0].endswith(".order")):
        if value != field.value:
            _put(changed, name.split(".")[1:], value)
    return changed


def _fallbacks(plain: Mapping[str, Any]) -> Iterator[ChoiceField]:
    said = plain.get("fallback", {})
    for group in _PLACES:
        others = tuple((other.value, label(other.value)) for other in sorted(APPROVERS) if other != group)
        words = f"Where nobody of {label(group)} can decide"
        yield ChoiceField(
            f"limits.fallback.{group}", words, (("", "Nobody else: it waits"), *others), said.get(group, "")
        )


def _stages(plain: Mapping[str, Any]) -> Iterator[ChoiceField]:
    for name, rows in stages_of(plain).items():
        if {group for row in rows for group in row["seats"]} == set(_PLACES):
            orders = tuple((_first(group), ", then ".join(_in_order(group))) for group in _PLACES)
            options = ((_SIDE_BY_SIDE, "Side by side"), *orders)
            first = next(iter(rows[0]["seats"]))
            now = _SIDE_BY_SIDE if len(rows) == 1 else _first(first)
            yield ChoiceField(f"limits.stages.{name}.order", f"{stages_label(name)}: order", options, now)
        for index, row in enumerate(rows):
            where = f", stage {index + 1}" if len(rows) > 1 else ""
            ends = "yes" if row.get("one_rejection_ends", True) else "no"
            words = f"{stages_label(name)}{where}: one rejection"
            yield ChoiceField(f"limits.stages.{name}.{index}.one_rejection_ends", words, _ENDS, ends)


def _first(group: str) -> str:
    return f"{group}_first"


def _in_order(first: str) -> list[str]:
    return [label(group) for group in sorted(_PLACES, key=lambda group: group != first)]


def _put(limits: dict[str, Any], path: list[str], value: str) -> None:
    room, name, *rest = path
    if room == "fallback":
        found = {**limits.get("fallback", {}), name: value}
        limits["fallback"] = {group: to for group, to in found.items() if to}
        return
    stages = {**limits.get("stages", {}), name: stages_of(limits)[name]}
    if rest == ["order"]:
        stages[name] = _ordered(stages[name], value)
    else:
        stages[name][int(rest[0])]["one_rejection_ends"] = value == "yes"
    limits["stages"] = stages


def _ordered(rows: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """The same people in another order; one rejection ends a merged stage where it ended any of its parts."""
    seats = {group: (n, row.get("one_rejection_ends", True)) for row in rows for group, n in row["seats"].items()}
    if order == _SIDE_BY_SIDE:
        together = {group: n for group, (n, _) in sorted(seats.items())}
        return [{"seats": together, "one_rejection_ends": any(ends for _, ends in seats.values())}]
    return [
        {"seats": {group: seats[group][0]}, "one_rejection_ends": seats[group][1]}
        for group in sorted(seats, key=lambda group: _first(group) != order)
    ]
