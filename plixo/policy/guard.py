"""What no table may let through, whatever its rows say: looked at again after the table has answered.

A trial asks a table some hundred questions; a row for one amount slips between them. So what the house promises is held
here, for every request that is routed: two people look at what a table would have let through by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from plixo.domain.facts import Facts, RateState
from plixo.domain.path import Route, Ruling
from plixo.domain.reasons import Reason

NEVER_AUTOMATIC: Final = frozenset(
    {Reason.LEGAL_CLAIM, Reason.SETTLEMENT, Reason.INSOLVENCY, Reason.FRAUD, Reason.OTHER}
)
"""Reasons that a person always decides on, whatever the amount."""

_CAREFUL: Final = frozenset({RateState.SAME, RateState.FRESH})
_SUMS: Final = {
    "requester_automatic": "the requester's automatic credits pass their sum",
    "customer_automatic": "the customer's automatic credits pass their sum",
    "customer_all": "the customer's credits pass their sum",
}
_CEILINGS: Final = {
    "company_day": "The company's credits of today pass its daily ceiling, so the CFO must agree as well.",
    "requester_day": "The requester's credits of today pass the daily ceiling, so the CFO must agree as well.",
}


def guarded(ruling: Ruling, facts: Facts, limits: Mapping[str, int]) -> Ruling:
    """The table's answer, or a more careful one.

    Args:
        ruling: What the table answers.
        facts: What it was asked.
        limits: What approvers approve alone, the sums and the ceilings, by name.
    """
    against = list(_against(ruling.route, facts, limits))
    if against:
        words = f"The policy's table asks too few ({ruling.rule}): {'; '.join(against)}. Controller and Legal decide."
        ruling = replace(ruling, route=Route.BOTH, why=words, stages="")
    passed = (words for name, words in _CEILINGS.items() if _sum(facts, name) > limits[name])
    return ruling if ruling.ceiling else replace(ruling, ceiling=next(passed, ""))


def _against(route: Route, facts: Facts, limits: Mapping[str, int]) -> Iterator[str]:
    """Everything that speaks against the route, in words."""
    if route is not Route.BOTH and facts.amount_minor > limits["controller"]:
        yield "the amount is above what the Controller approves alone"
    if route is Route.AUTOMATIC:
        yield from _against_automatic(facts, limits)


def _against_automatic(facts: Facts, limits: Mapping[str, int]) -> Iterator[str]:
    if facts.reason in NEVER_AUTOMATIC:
        yield "this reason is never automatic"
    if not 0 < facts.amount_minor <= facts.authority_minor:
        yield "the amount is above the requester's own authority"
    if facts.related:
        yield "the requester is related to the customer"
    if facts.rate not in _CAREFUL:
        yield f"the exchange rate is {facts.rate}"
    for name, words in _SUMS.items():
        if _sum(facts, name) > limits[name]:
            yield words


def _sum(facts: Facts, name: str) -> int:
    """A sum with this request."""
    before: int = getattr(facts.sums, name)
    return before + facts.amount_minor
