"""Limits and differences in words, and the numbers that a person types."""

import copy
from pathlib import Path
from typing import Any

import pytest

from plixo.domain.refusals import Refused
from plixo.policy.fields import number_fields, with_numbers
from plixo.policy.published import PolicyInvalid, PublishedPolicy, load_policy
from plixo.policy.words import Difference, clocks_in_words, differences, limits_in_words

POLICY = load_policy(Path(__file__).parents[3] / "policies")
LIMITS, TABLE = POLICY.plain_limits, POLICY.plain_table


def changed(**numbers: str) -> dict[str, Any]:
    return with_numbers(LIMITS, {f"limits.{name}": value for name, value in numbers.items()})


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table["nodes"][1]["content"]["rules"]
    return found


def between(limits: dict[str, Any] = LIMITS, table: dict[str, Any] = TABLE) -> list[Difference]:
    after = PublishedPolicy.from_parts(limits, table)
    return differences((LIMITS, POLICY.rules()), (after.plain_limits, after.rules()))


def test_every_number_of_the_limits_is_told_and_can_be_typed() -> None:
    told = {line.field for line in (*limits_in_words(LIMITS), *clocks_in_words(LIMITS))}
    assert {"authority.billing_admin.credit", "approve.credit.legal", "sums.customer_all", "clocks.cfo"} < told
    fields = number_fields(LIMITS)
    assert len(fields) == 33
    assert all(field.label and field.unit for field in fields)
    assert with_numbers(LIMITS, {field.name: field.value for field in fields}) == LIMITS


def test_a_number_that_is_none_is_refused_at_its_field() -> None:
    with pytest.raises(Refused) as refusal:
        with_numbers(LIMITS, {"limits.sums.days": "-1", "limits.clocks.cfo.due_hours": "x", "limits.unknown": "x"})
    assert [problem.field for problem in refusal.value.problems] == ["limits.sums.days", "limits.clocks.cfo.due_hours"]


def test_nothing_differs_from_itself() -> None:
    assert between() == []


def test_changed_limits_and_clocks_are_told_before_and_after() -> None:
    limits = changed(**{"approve.credit.controller": "20,000", "clocks.legal.due_hours": "20"})
    later = (
        "reminded after 8 and 14 h; their delegate may decide as well after 16 h; CFO may decide as well after 32 h; "
        "given back after 80 h"
    )
    assert between(limits) == [
        Difference("Controller approves", "25,000 USD a credit", "20,000 USD a credit"),
        Difference(
            "Legal answers",
            f"within 16 business hours; {later}",
            f"within 20 business hours; {later}",
        ),
    ]
    hours = changed(**{"clocks.legal.remind_hours.1": "15", "clocks.legal.escalation.0.after_hours": "17"})
    (told,) = between(hours)
    assert "reminded after 8 and 15 h; their delegate may decide as well after 17 h; CFO" in told.after


def test_rules_that_were_added_changed_removed_or_moved_are_told() -> None:
    table = copy.deepcopy(TABLE)
    found = rows(table)
    found[1], found[2] = found[2], found[1]
    found[-1]["_description"] = "Small ones happen."
    found.append({**found[6], "_id": "one-more"})
    told = {one.what: (one.before, one.after) for one in between(table=table)}
    assert set(told) == {"Rule within-authority", "Rule one-more", "Order of the rules"}
    assert told["Rule within-authority"][1].startswith("Small ones happen. (Reason one of billing_error")
    assert told["Rule one-more"][0] == ""
    removed = copy.deepcopy(TABLE)
    rows(removed)[:] = [row for row in rows(removed) if row["_id"] != "customer-sum"]
    assert [(one.what, one.after) for one in between(table=removed)] == [("Rule customer-sum", "")]


def test_a_rule_that_asks_others_in_the_same_words_is_told() -> None:
    table = copy.deepcopy(TABLE)
    next(row for row in rows(table) if row["_id"] == "other-reason")["out-route"] = '"legal"'
    (one,) = between(table=table)
    assert "Route controller" in one.before
    assert "Route legal" in one.after


@pytest.mark.parametrize(
    ("rule", "cells", "field", "words"),
    [
        ("fraud", {"in-reason": '"fraud"', "out-route": '"automatic"'}, "fraud", "this reason must never be automatic"),
        ("related-customer", {"out-route": '"automatic"'}, "billing_error", "related to the requester"),
        ("stale-exchange-rate", {"out-route": '"automatic"'}, "billing_error", "whose exchange rate is stale"),
        ("above-authority", {"out-route": '"automatic"'}, "billing_error", "above the requester's authority"),
        ("customer-sum", {"out-route": '"automatic"'}, "billing_error", "sums.customer_automatic"),
        ("above-controller", {"out-route": '"controller"'}, "billing_error", "must both be asked"),
    ],
)
def test_a_table_that_would_let_money_go_without_anybodys_word_is_refused(
    rule: str, cells: dict[str, str], field: str, words: str
) -> None:
    table = copy.deepcopy(TABLE)
    next(row for row in rows(table) if row["_id"] == rule).update(cells)
    with pytest.raises(PolicyInvalid) as invalid:
        PublishedPolicy.from_parts(LIMITS, table)
    assert invalid.value.field == field
    assert words in invalid.value.problem


def test_a_day_without_a_ceiling_is_refused() -> None:
    table = copy.deepcopy(TABLE)
    table["nodes"][2]["content"]["rules"][0]["out-ceiling"] = '""'
    with pytest.raises(PolicyInvalid, match="company_day the CFO must be asked"):
        PublishedPolicy.from_parts(LIMITS, table)


@pytest.mark.asvs("1.3.7")
@pytest.mark.parametrize("kind", ["functionNode", "expressionNode", "decisionNode", "switchNode", 7])
def test_a_node_that_runs_what_somebody_wrote_is_refused(kind: Any) -> None:
    table = copy.deepcopy(TABLE)
    table["nodes"].append({"id": "f", "type": kind, "name": "f", "content": "export const handler = () => {}"})
    with pytest.raises(PolicyInvalid, match="here stand"):
        PublishedPolicy.from_parts(LIMITS, table)


@pytest.mark.parametrize("parts", [(None, TABLE), ([], TABLE), (LIMITS, None), ({}, {}), (LIMITS, {"nodes": [1.5]})])
def test_what_is_no_policy_is_refused(parts: tuple[Any, Any]) -> None:
    with pytest.raises(PolicyInvalid):
        PublishedPolicy.from_parts(*parts)
