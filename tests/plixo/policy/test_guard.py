"""What no table may let through, asked of one whose first row lets amounts through that no trial tries."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.path import Route
from plixo.domain.reasons import Reason
from plixo.policy.guard import NEVER_AUTOMATIC, guarded
from plixo.policy.published import PublishedPolicy, load_policy

SHIPPED = load_policy(Path(__file__).parents[3] / "policies")
USUAL = Facts("credit", "goodwill", 40_000, 50_000, related=False, rate=RateState.SAME, sums=Sums())


def kind_one(**changed: str) -> PublishedPolicy:
    """It lets every amount from 2 on through by itself, and passes every trial."""
    table = json.loads(json.dumps(SHIPPED.plain_table))
    content = table["nodes"][1]["content"]
    first = {"_id": "round-amounts", "_description": "Small amounts.", "in-amount": "[2..20000000]"}
    answers = {"out-route": '"automatic"', "out-rule": '"round-amounts"', "out-why": '"Small amounts."'} | changed
    content["rules"].insert(0, first | answers)
    below = {"_id": "from-two", "in-company_day": "[2..900000000]", "out-ceiling": '""'}
    table["nodes"][2]["content"]["rules"].insert(0, below)
    return PublishedPolicy.from_content(json.dumps({"limits": SHIPPED.plain_limits, "table": table}), 2)


KIND = kind_one()
LIMITS = SHIPPED.sums


def beyond(name: str) -> Sums:
    return replace(Sums(), **{name: LIMITS[name] - USUAL.amount_minor + 1})


def test_what_is_as_promised_stays_automatic() -> None:
    assert KIND.path(USUAL, frozenset()).automatic
    at_the_edge = replace(USUAL, amount_minor=50_000)
    assert KIND.path(at_the_edge, frozenset()).automatic


@pytest.mark.parametrize("authority", [0, 39_999])
def test_above_the_requesters_authority_two_decide(authority: int) -> None:
    ruling = KIND.route(replace(USUAL, authority_minor=authority))
    assert ruling.route is Route.BOTH
    assert "above the requester's own authority" in ruling.why
    assert ruling.rule == "round-amounts", "so that it is seen which row it was"


@pytest.mark.parametrize(
    "changed",
    [
        *({"reason": reason.value} for reason in NEVER_AUTOMATIC),
        {"related": True},
        {"rate": RateState.STALE},
        {"rate": RateState.MISSING},
        *({"sums": beyond(name)} for name in ("requester_automatic", "customer_automatic", "customer_all")),
    ],
)
def test_what_must_never_be_automatic_is_decided_by_two(changed: dict[str, Any]) -> None:
    asked = replace(USUAL, **changed)
    assert KIND.path(asked, frozenset()).describe() == ("Controller and Legal",)


def test_nothing_at_all_is_not_let_through() -> None:
    always = kind_one()
    assert guarded(always.answer(USUAL), replace(USUAL, amount_minor=0), LIMITS | {"controller": 1}).route is Route.BOTH


@pytest.mark.parametrize("name", ["company_day", "requester_day"])
def test_beyond_a_days_ceiling_the_cfo_is_asked(name: str) -> None:
    assert KIND.answer(replace(USUAL, sums=beyond(name))).ceiling == ""
    assert KIND.path(replace(USUAL, sums=beyond(name)), frozenset()).describe() == ("CFO",)
    at_the_edge = replace(USUAL, sums=replace(Sums(), **{name: LIMITS[name] - USUAL.amount_minor}))
    assert KIND.path(at_the_edge, frozenset()).automatic


@pytest.mark.parametrize("route", ["automatic", "controller", "legal"])
def test_above_what_the_controller_approves_alone_both_are_asked(route: str) -> None:
    kind = kind_one(**{"out-route": f'"{route}"'})
    most = SHIPPED.limits("credit").controller_alone
    big = replace(USUAL, amount_minor=most + 1, authority_minor=10 * most)
    assert kind.path(big, frozenset()).describe() == ("Controller and Legal",)
    assert kind.route(replace(big, amount_minor=most)).route.value == route or route == "automatic"


@pytest.mark.parametrize("reason", Reason)
def test_the_shipped_table_needs_no_guard(reason: Reason) -> None:
    for changed in ({}, {"authority_minor": 0}, {"related": True}, {"rate": RateState.MISSING}):
        asked = replace(USUAL, reason=reason.value, **changed)
        assert SHIPPED.route(asked) == SHIPPED.answer(asked)
