"""Stages and fallbacks in a policy: read strictly, told in words, named by rules, and chosen on the page."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.path import ApprovalPath
from plixo.domain.people import Group
from plixo.domain.planning import StagePlan
from plixo.domain.refusals import Refused
from plixo.policy.choices import choice_fields, with_choices
from plixo.policy.fields import number_fields, with_numbers
from plixo.policy.published import PolicyInvalid, PublishedPolicy, load_policy
from plixo.policy.words import Difference, differences, paths_in_words

SHIPPED = load_policy(Path(__file__).parents[3] / "policies")
C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
FACTS = Facts("credit", "fraud", 40_000, 50_000, related=False, rate=RateState.SAME, sums=Sums())
LEGAL_FIRST = [{"seats": {"legal": 1}}, {"seats": {"controller": 2}, "one_rejection_ends": False}]


def limits(**changed: Any) -> dict[str, Any]:
    return {**SHIPPED.plain_limits, **changed}


def older() -> dict[str, Any]:
    """As policies were published before they could say it."""
    return {name: value for name, value in SHIPPED.plain_limits.items() if name not in {"stages", "fallback"}}


def policy(plain: dict[str, Any], table: object = None) -> PublishedPolicy:
    return PublishedPolicy.from_parts(plain, table or SHIPPED.plain_table, 1)


def naming(name: str, *, rule: str = "fraud", **cells: str) -> dict[str, Any]:
    """The shipped table with a column of stages, in which one rule names some."""
    table = copy.deepcopy(SHIPPED.plain_table)
    content = table["nodes"][1]["content"]
    content["outputs"].append({"id": "out-stages", "name": "Stages", "field": "stages"})
    for row in content["rules"]:
        row["out-stages"] = f'"{name}"' if row["_id"] == rule else ""
    next(row for row in content["rules"] if row["_id"] == rule).update(cells)
    return table


def test_what_is_shipped_asks_as_before_and_lets_the_cfo_decide_for_an_empty_group() -> None:
    """The path of older versions, but for the fallback."""
    asked = policy(limits(fallback={})).path(FACTS, frozenset())
    assert asked == policy(older()).path(FACTS, frozenset())
    shipped = SHIPPED.path(FACTS, frozenset())
    assert [[seat.fallback for seat in stage.seats] for stage in shipped.stages] == [[CFO, CFO]]
    assert shipped.describe() == asked.describe() == ("Controller and Legal",)


def test_the_comment_in_the_shipped_file_reads_as_it_says() -> None:
    text = (Path(__file__).parents[3] / "policies" / "limits.toml").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("#   both = ")]
    plain = limits(stages=tomllib.loads(line.removeprefix("#   ")))
    assert policy(plain).limits("credit").stages == {
        "both": (StagePlan(((L, 1),)), StagePlan(((C, 2),), one_rejection_ends=False))
    }


def test_a_rule_may_name_its_own_stages() -> None:
    plain = limits(stages={**SHIPPED.plain_limits["stages"], "fraud": LEGAL_FIRST})
    named = policy(plain, naming("fraud"))
    assert described(named, "fraud") == ("Legal", "2 of Controller")
    assert [stage.one_rejection_ends for stage in named.path(FACTS, frozenset()).stages] == [True, False]
    big = Facts("credit", "goodwill", 3_000_000, 0, related=False, rate=RateState.SAME, sums=Sums())
    assert named.path(big, frozenset()).describe() == ("Controller and Legal",)
    rules = {rule.rule: rule.answers for rule in named.rules()}
    assert rules["fraud"].endswith("; Stages fraud")
    assert rules["above-controller"].endswith("; Stages none")


def described(found: PublishedPolicy, reason: str) -> tuple[str, ...]:
    path: ApprovalPath = found.path(
        Facts("credit", reason, 40_000, 0, related=False, rate=RateState.SAME, sums=Sums()), frozenset()
    )
    return path.describe()


def test_what_the_guard_makes_more_careful_goes_by_the_stages_of_both() -> None:
    """The stages that a row names are those of its own route."""
    plain = limits(stages={"both": LEGAL_FIRST, "two": [{"seats": {"controller": 2}}]})
    table = naming("two", rule="above-authority")
    table["nodes"][1]["content"]["rules"].sort(key=lambda row: row["_id"] != "above-authority")
    row = table["nodes"][1]["content"]["rules"][0]
    row["in-amount"], row["in-authority"] = "[2..20000000]", ""
    kind = PublishedPolicy.from_content(policy_content(plain, table), 2)
    small, big = (
        Facts("credit", "goodwill", amount, 0, related=False, rate=RateState.SAME, sums=Sums())
        for amount in (40_000, 3_000_000)
    )
    assert kind.path(small, frozenset()).describe() == ("2 of Controller",)
    assert kind.path(big, frozenset()).describe() == ("Legal", "2 of Controller")


def policy_content(plain: dict[str, Any], table: dict[str, Any]) -> str:
    return json.dumps({"limits": plain, "table": table})


def test_the_example_in_the_docs_is_a_policy() -> None:
    text = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()
    example = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    said = policy(limits(**example)).limits("credit")
    assert (said.stages["both"][1], said.fallbacks) == (StagePlan(((C, 2),), one_rejection_ends=False), {L: CFO})


@pytest.mark.parametrize(
    ("name", "cells", "problem"),
    [
        ("unknown", {}, "unknown is no stages of the limits; there are both, controller, legal"),
        ("legal", {}, "legal asks others than the row's route, which is both"),
        ("both", {"out-route": '"legal"'}, "both asks others than the row's route, which is legal"),
        ("both", {"out-route": '"automatic"'}, "both asks others than the row's route, which is automatic"),
    ],
    ids=["unknown", "fewer", "more", "automatic"],
)
def test_stages_that_do_not_fit_the_rule_are_refused_at_their_cell(
    name: str, cells: dict[str, str], problem: str
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        policy(SHIPPED.plain_limits, naming(name, **cells))
    assert (caught.value.field, caught.value.problem) == ("route.fraud: Stages", problem)


@pytest.mark.parametrize("cell", ["5", "true", '"both" + "x"'])
def test_a_cell_of_stages_is_a_name(cell: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        policy(SHIPPED.plain_limits, naming("both", **{"out-stages": cell}))
    assert caught.value.field == "route.fraud: Stages"


def test_stages_stand_beside_a_route() -> None:
    table = copy.deepcopy(SHIPPED.plain_table)
    content = table["nodes"][2]["content"]
    content["outputs"].append({"id": "out-stages", "name": "Stages", "field": "stages"})
    content["rules"][0]["out-stages"] = '"both"'
    with pytest.raises(PolicyInvalid, match="which is none"):
        policy(SHIPPED.plain_limits, table)


@pytest.mark.parametrize(
    ("plain", "field", "problem"),
    [
        ({"fallback": 7}, "fallback", "must be a table"),
        ({"fallback": {"cfo": "legal"}}, "fallback.cfo", "is unknown; only an empty controller or legal"),
        ({"fallback": {"finance": "cfo"}}, "fallback.finance", "is unknown; only an empty controller or legal"),
        ({"fallback": {"legal": "legal"}}, "fallback.legal", "must be one of cfo, controller"),
        ({"fallback": {"legal": "finance"}}, "fallback.legal", "must be one of cfo, controller"),
        ({"fallback": {"legal": ["cfo"]}}, "fallback.legal", "must be one of cfo, controller"),
        ({"stages": []}, "stages", "must be a table"),
        ({"stages": {"both": []}}, "stages.both", "must be stages in their order"),
        ({"stages": {"both": {"seats": {}}}}, "stages.both", "must be stages in their order"),
        ({"stages": {"automatic": LEGAL_FIRST}}, "stages.automatic", "must be a route that asks people"),
        ({"stages": {"Both now": LEGAL_FIRST}}, "stages.Both now", "must be a route that asks people"),
        ({"stages": {"both": [7]}}, "stages.both.0", "must be a table"),
        ({"stages": {"both": [{}]}}, "stages.both.0.seats", "must be a table"),
        ({"stages": {"both": [{"seats": {}}]}}, "stages.both.0.seats", "asks nobody"),
        ({"stages": {"both": [{"seats": {"cfo": 1}}]}}, "stages.both.0.seats.cfo", "is no group that a route asks"),
        (
            {"stages": {"legal": [{"seats": {"legal": 0}}]}},
            "stages.legal.0.seats.legal",
            "must be a whole number from 1",
        ),
        (
            {"stages": {"legal": [{"seats": {"legal": 10}}]}},
            "stages.legal.0.seats.legal",
            "must be a whole number from 1",
        ),
        (
            {"stages": {"legal": [{"seats": {"legal": True}}]}},
            "stages.legal.0.seats.legal",
            "must be a whole number from",
        ),
        (
            {"stages": {"legal": [{"seats": {"legal": 1}, "order": 1}]}},
            "stages.legal.0.order",
            "is unknown; here stand",
        ),
        (
            {"stages": {"legal": [{"seats": {"legal": 1}, "one_rejection_ends": 0}]}},
            "stages.legal.0.one_rejection_ends",
            "must be true or false",
        ),
        ({"stages": {"both": [{"seats": {"legal": 1}}] * 2}}, "stages.both", "asks a group twice"),
        ({"stages": {"both": [{"seats": {"legal": 1}}]}}, "stages.both", "must ask controller and legal, each once"),
        ({"stages": {"legal": LEGAL_FIRST}}, "stages.legal", "must ask legal, each once"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value.replace(" ", "-"),
)
def test_what_is_wrong_is_named_with_what_would_be_right(plain: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        policy(limits(**plain))
    assert (caught.value.file, caught.value.field) == ("limits.toml", field)
    assert caught.value.problem.startswith(problem)


def between(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    return differences((before, []), (after, []))


def test_stages_and_fallbacks_are_told_in_words_and_where_they_differ() -> None:
    told = {line.field: (line.label, line.value) for line in paths_in_words(limits(stages={"both": LEGAL_FIRST}))}
    assert told == {
        "stages.controller": ("Route controller asks", "Controller"),
        "stages.legal": ("Route legal asks", "Legal"),
        "stages.both": ("Route both asks", "Legal, then 2 of Controller (one rejection does not end it)"),
        "fallback.controller": ("Nobody of Controller can decide", "CFO decides in its place"),
        "fallback.legal": ("Nobody of Legal can decide", "CFO decides in its place"),
    }
    named = limits(stages={"both": LEGAL_FIRST, "two": [{"seats": {"legal": 2}}]})
    assert between(SHIPPED.plain_limits, named) == [
        Difference(
            "Route both asks", "Controller and Legal", "Legal, then 2 of Controller (one rejection does not end it)"
        ),
        Difference("Stages two asks", "", "2 of Legal"),
    ]


def test_an_older_policy_is_told_by_what_it_means() -> None:
    assert [(one.what, one.before, one.after) for one in between(older(), SHIPPED.plain_limits)] == [
        (f"Nobody of {group} can decide", "it waits, and says so", "CFO decides in its place")
        for group in ("Controller", "Legal")
    ]


def chosen(plain: dict[str, Any], **fields: str) -> dict[str, Any]:
    changed = with_choices(plain, {f"limits.{name}": value for name, value in fields.items()})
    policy(changed)
    return changed


@pytest.mark.parametrize("plain", [SHIPPED.plain_limits, older(), limits(stages={"both": LEGAL_FIRST})])
def test_choosing_what_is_chosen_already_changes_nothing(plain: dict[str, Any]) -> None:
    fields = choice_fields(plain)
    assert with_choices(plain, {field.name: field.value for field in fields}) == plain
    assert with_choices(plain, {}) == plain
    assert all(field.label and field.value in dict(field.options) for field in fields)
    assert len({field.name for field in fields}) == len(fields)


def test_a_fallback_is_chosen_or_taken_away() -> None:
    assert chosen(older(), **{"fallback.legal": "controller"})["fallback"] == {"legal": "controller"}
    assert chosen(SHIPPED.plain_limits, **{"fallback.legal": ""})["fallback"] == {"controller": "cfo"}


def test_an_order_is_chosen_with_the_numbers_that_stand_there() -> None:
    typed = {"limits.stages.both.0.seats.controller": "2", "limits.stages.both.order": "legal_first"}
    changed = with_choices(with_numbers(SHIPPED.plain_limits, typed), typed)
    assert changed["stages"]["both"] == [
        {"seats": {"legal": 1}, "one_rejection_ends": True},
        {"seats": {"controller": 2}, "one_rejection_ends": True},
    ]
    assert chosen(older(), **{"stages.both.order": "controller_first"})["stages"] == {
        "both": [
            {"seats": {"controller": 1}, "one_rejection_ends": True},
            {"seats": {"legal": 1}, "one_rejection_ends": True},
        ]
    }
    back = chosen(limits(stages={"both": LEGAL_FIRST}), **{"stages.both.order": "side_by_side"})
    assert back["stages"]["both"] == [{"seats": {"controller": 2, "legal": 1}, "one_rejection_ends": True}]


def test_what_a_rejection_does_is_chosen_for_each_stage() -> None:
    changed = chosen(
        limits(stages={"both": LEGAL_FIRST}),
        **{"stages.both.0.one_rejection_ends": "no", "stages.both.1.one_rejection_ends": "yes"},
    )
    assert [row["one_rejection_ends"] for row in changed["stages"]["both"]] == [False, True]


def test_what_cannot_be_chosen_is_refused_at_its_field() -> None:
    with pytest.raises(Refused) as refusal:
        chosen(SHIPPED.plain_limits, **{"fallback.legal": "finance", "stages.both.order": "x"})
    assert [(one.field, one.code) for one in refusal.value.problems] == [
        ("limits.fallback.legal", "not_a_choice"),
        ("limits.stages.both.order", "not_a_choice"),
    ]


def test_a_quorum_is_a_number_with_a_field_of_its_own() -> None:
    fields = {field.name: field for field in number_fields(limits(stages={"both": LEGAL_FIRST}))}
    field = fields["limits.stages.both.1.seats.controller"]
    assert (field.label, field.unit, field.value) == ("Route both, how many of Controller must agree", "people", "2")
    assert "limits.stages.both.1.one_rejection_ends" not in fields
