"""Does a path ask as many people, in the order and with the fallbacks that its policy says? Worked out anew."""

from collections.abc import Iterator
from typing import Any, Final

from demo.check_model import Finding, Row

PLACES: Final = ("controller", "legal")
"""Whose places a route asks; the CFO's besides are their stand-in, or stand behind a day's ceiling."""


def check_plan(request: Row, limits: Row) -> Iterator[Finding]:
    """A finding for each thing in which the signed path asks otherwise than the policy's stages and fallbacks."""
    stages, approval_id = request["path"]["stages"], request["approval_id"]
    for seat in (seat for stage in stages for seat in stage["seats"]):
        wanted = limits.get("fallback", {}).get(seat["group"])
        if seat.get("fallback") not in {None, wanted}:
            detail = f"An empty {seat['group']} would go to {seat['fallback']}; the policy says {wanted or 'nobody'}."
            yield Finding("fallback_not_published", approval_id, detail)
    asked = [_shape(stage) for stage in stages if not _behind_a_ceiling(stage)]
    if asked and not any(_fits(asked, plan) for plan in _plans(limits)):
        detail = f"It asks {asked}, which no stages of its policy say."
        yield Finding("stages_not_published", approval_id, detail)


def _behind_a_ceiling(stage: Row) -> bool:
    """The CFO asked for themselves, in nobody's place."""
    return all(seat["group"] == "cfo" and seat["stands_for"] is None for seat in stage["seats"])


def _shape(stage: Row) -> dict[str, Any]:
    """Whose places, and by whom they are taken, with how many people; and whether one rejection ends it."""
    seats = {seat["stands_for"] or seat["group"]: (seat["group"], seat["quorum"]) for seat in stage["seats"]}
    return {"seats": seats, "ends": stage.get("one_rejection_ends", True)}


def _plans(limits: Row) -> list[list[Row]]:
    usual = [("controller",), ("legal",), PLACES]
    said = limits.get("stages", {})
    named = [said[name] for name in said]
    missing = [dict.fromkeys(groups, 1) for groups in usual if _route(groups) not in said]
    return [*named, *([{"seats": seats}] for seats in missing)]


def _route(groups: tuple[str, ...]) -> str:
    return groups[0] if len(groups) == 1 else "both"


def _fits(asked: list[dict[str, Any]], plan: list[Row]) -> bool:
    """Stage by stage the same; where the requester belongs to a place, no fewer people than it has."""
    places = [place for stage in asked for place in stage["seats"]]
    takers = {group for stage in asked for group, _ in stage["seats"].values()}
    if takers == set(places):
        return [(_quorums(stage), stage["ends"]) for stage in asked] == [(row["seats"], _ends(row)) for row in plan]
    planned = {place for row in plan for place in row["seats"]}
    people = sum(n for stage in asked for _, n in stage["seats"].values())
    enough = people >= sum(n for row in plan for n in row["seats"].values())
    careful = any(stage["ends"] for stage in asked) or not any(_ends(row) for row in plan)
    return enough and careful and (set(places) == planned or (takers == {"cfo"} and planned == set(PLACES)))


def _ends(row: Row) -> bool:
    return bool(row.get("one_rejection_ends", True))


def _quorums(stage: dict[str, Any]) -> dict[str, int]:
    return {place: n for place, (_, n) in stage["seats"].items()}
