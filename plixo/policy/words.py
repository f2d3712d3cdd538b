"""The limits in words, and what differs between two policies; needs no engine."""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from plixo.domain.path import DELEGATE, Route, Seat
from plixo.domain.people import Group
from plixo.domain.planning import ASKED
from plixo.policy.rules import Rule

SUMS: Final = {
    "requester_automatic": "A requester's automatic credits",
    "customer_automatic": "A customer's automatic credits",
    "customer_all": "A customer's credits, one approver",
    "company_day": "All credits of a day, without CFO",
    "requester_day": "A requester's of a day, without CFO",
}
"""The sums and ceilings in words."""


class Line(NamedTuple):
    """One limit, to be shown.

    Attributes:
        field: Where it stands, such as `approve.credit.controller`.
        label: What it limits, in words.
        value: The limit, in words.
    """

    field: str
    label: str
    value: str


class Difference(NamedTuple):
    """One thing that differs between two policies.

    Attributes:
        what: A limit's label, or a rule's id.
        before: What the first says; empty where it says nothing of it.
        after: What the second says; empty where it says nothing of it.
    """

    what: str
    before: str
    after: str


def limits_in_words(plain: Mapping[str, Any]) -> list[Line]:
    """What people may do alone and approve, and the sums behind it, as published: amounts in whole major units."""
    return [*_authority(plain), *_sums(plain)]


def paths_in_words(plain: Mapping[str, Any]) -> list[Line]:
    """How the people of each route are asked, and who decides in an empty group's place; older versions say neither."""
    instead = plain.get("fallback", {})
    stages = [
        Line(f"stages.{name}", f"{stages_label(name)} asks", _stages(rows)) for name, rows in stages_of(plain).items()
    ]
    places = [group.value for group in ASKED[Route.BOTH]]
    empty = [
        Line(f"fallback.{name}", f"Nobody of {label(name)} can decide", _instead(instead.get(name))) for name in places
    ]
    return [*stages, *empty]


def stages_of(plain: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By name, the stages that a policy says; of a route of which it says nothing, what that means."""
    said: dict[str, list[dict[str, Any]]] = copy.deepcopy(plain.get("stages", {}))
    usual = {route.value: [{"seats": {group.value: 1 for group in groups}}] for route, groups in ASKED.items()}
    return usual | said


def stages_label(name: str) -> str:
    """Stages by their name, such as `Route both`."""
    return f"Route {name}" if name in set(ASKED) else f"Stages {name}"


def _stages(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", then ".join(_stage(row) for row in rows)


def _stage(row: Mapping[str, Any]) -> str:
    seats = " and ".join(Seat(Group(name), quorum=n).describe() for name, n in sorted(row["seats"].items()))
    return seats if row.get("one_rejection_ends", True) else f"{seats} (one rejection does not end it)"


def _instead(to: str | None) -> str:
    return f"{label(to)} decides in its place" if to else "it waits, and says so"


def clocks_in_words(plain: Mapping[str, Any]) -> list[Line]:
    """When answers are due, and the other rules that are numbers."""
    clocks = [
        Line(f"clocks.{group}", f"{label(group)} answers", "; ".join(_clock(row)))
        for group, row in plain["clocks"].items()
    ]
    rules, base = plain["rules"], plain["base_currency"]
    fresh = f"above {rules['fresh_sign_in_above']:,} {base}, of the last {rules['fresh_sign_in_minutes']} min"
    return [
        *clocks,
        Line("rules.rate_days", "An exchange rate holds", f"{rules['rate_days']} days"),
        Line("rules.fresh_sign_in", "A decision needs a fresh sign-in", fresh),
    ]


def _clock(row: Mapping[str, Any]) -> Iterator[str]:
    """What happens after how many business hours; older versions remind once, and let nobody else decide."""
    remind = row["remind_hours"]
    hours = " and ".join(str(one) for one in (remind if isinstance(remind, list) else [remind]))
    again = f", then every {row['remind_every']} h" if row.get("remind_every") else ""
    yield f"within {row['due_hours']} business hours"
    yield f"reminded after {hours} h{again}"
    for one in row.get("escalation", ()):
        who = "their delegate" if one["to"] == DELEGATE else label(one["to"])
        yield f"{who} may decide as well after {one['after_hours']} h"
    yield f"given back after {row['expire_hours']} h" if row["expire_hours"] else "never given back"


def differences(
    before: tuple[Mapping[str, Any], Sequence[Rule]], after: tuple[Mapping[str, Any], Sequence[Rule]]
) -> list[Difference]:
    """What the second policy says otherwise than the first.

    Args:
        before: Its limits as published, and its rules in their order.
        after: The same of the other.
    """
    (limits, rules), (new_limits, new_rules) = before, after
    return [*_limit_differences(limits, new_limits), *_rule_differences(rules, new_rules)]


def wordless(limits: Mapping[str, Any], table: Mapping[str, Any], told: Collection[str]) -> list[Any]:
    """What a policy says that no difference would tell, to be compared with another one's.

    Args:
        limits: As published.
        table: As published.
        told: Ids of rules that are told as differing.
    """
    nodes = [_rest_of_node(node, told) for node in table["nodes"]]
    return [limits.get("office"), {**table, "nodes": nodes}]


def _rest_of_node(node: Mapping[str, Any], told: Collection[str]) -> dict[str, Any]:
    """The node without its place on the editor's page and the rows that are told; order has words of its own."""
    rest = {name: value for name, value in node.items() if name != "position"}
    content = node.get("content")
    if isinstance(content, dict) and "rules" in content:
        rows = [row for row in content["rules"] if row["_id"] not in told]
        rest["content"] = {**content, "rules": sorted(rows, key=lambda row: str(row["_id"]))}
    return rest


def _limit_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    old, new = ({line.field: line for line in _all_lines(plain)} for plain in (before, after))
    for field in dict.fromkeys((*old, *new)):
        was, now = old.get(field), new.get(field)
        known = now or was
        if known and (was.value if was else "") != (now.value if now else ""):
            yield Difference(known.label, was.value if was else "", now.value if now else "")


def _rule_differences(before: Sequence[Rule], after: Sequence[Rule]) -> Iterator[Difference]:
    old, new = ({rule.rule: rule for rule in rules} for rules in (before, after))
    for name in dict.fromkeys((*old, *new)):
        was, now = _rule(old.get(name)), _rule(new.get(name))
        if was != now:
            yield Difference(f"Rule {name}", was, now)
    kept, now_kept = [name for name in old if name in new], [name for name in new if name in old]
    if kept != now_kept:
        yield Difference("Order of the rules", ", ".join(kept), ", ".join(now_kept))


def _rule(rule: Rule | None) -> str:
    return f"{rule.words} ({rule.conditions}: {rule.answers})" if rule else ""


def _all_lines(plain: Mapping[str, Any]) -> list[Line]:
    base = Line("base_currency", "Base currency", plain["base_currency"])
    return [base, *limits_in_words(plain), *paths_in_words(plain), *clocks_in_words(plain)]


def _authority(plain: Mapping[str, Any]) -> Iterator[Line]:
    base = plain["base_currency"]
    for group, row in plain["authority"].items():
        for kind, amount in row.items():
            yield Line(f"authority.{group}.{kind}", f"{label(group)} alone", f"{amount:,} {base} a {kind}")
    for kind, row in plain["approve"].items():
        for group, amount in row.items():
            yield Line(f"approve.{kind}.{group}", f"{label(group)} approves", f"{amount:,} {base} a {kind}")


def _sums(plain: Mapping[str, Any]) -> Iterator[Line]:
    base, days = plain["base_currency"], plain["sums"]["days"]
    for name, amount in plain["sums"].items():
        if name != "days":
            yield Line(f"sums.{name}", SUMS.get(name, label(name)), f"{amount:,} {base} in {days} days")
    for name, amount in plain["ceilings"].items():
        yield Line(f"ceilings.{name}", SUMS.get(name, label(name)), f"{amount:,} {base}")


def label(name: str) -> str:
    """A name of the limits file as people say it."""
    return Group(name).label if name in set(Group) else name.replace("_", " ").capitalize()
