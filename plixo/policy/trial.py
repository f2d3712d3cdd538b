"""What is tried on a policy before anybody may publish it: has it an answer for every reason, and is it careful enough?

A table may ask other people and set other limits. What it may not do is let money go without anybody's word where the
house promises that somebody is asked. No answer at all is careful: it refuses.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Protocol

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.path import Route, Ruling
from plixo.domain.planning import PathLimits
from plixo.domain.reasons import Reason
from plixo.policy.cells import TABLE_FILE
from plixo.policy.guard import NEVER_AUTOMATIC
from plixo.policy.invalid import PolicyInvalid

KIND: Final = "credit"


class Tried(Protocol):
    """A policy, as far as it is tried."""

    def answer(self, facts: Facts) -> Ruling:
        """What its table alone answers: what guards it later is no excuse for it."""
        ...

    def limits(self, kind: str) -> PathLimits:
        """What approvers may decide alone."""
        ...

    @property
    def sums(self) -> dict[str, int]:
        """The limits of the sums, in minor units."""
        ...


def try_out(policy: Tried) -> None:
    """Ask the policy about every reason, and about everything that must never be automatic.

    Raises:
        PolicyInvalid: It has no answer for some request, or too kind a one.
    """
    for reason in Reason:
        for authority in (0, 1):
            policy.answer(_facts(reason, authority=authority))
        for words, facts in _never_automatic(reason, policy.sums):
            if _ruling(policy, facts).route is Route.AUTOMATIC:
                raise PolicyInvalid(TABLE_FILE, reason.value, f"{words} must never be automatic")
        _try_two(policy, reason)


def _facts(reason: Reason, *, authority: int = 1) -> Facts:
    return Facts(KIND, reason.value, 1, authority, related=False, rate=RateState.SAME, sums=Sums())


def _never_automatic(reason: Reason, sums: dict[str, int]) -> Iterator[tuple[str, Facts]]:
    usual = _facts(reason)
    if reason in NEVER_AUTOMATIC:
        yield "this reason", usual
    yield "a credit above the requester's authority", replace(usual, authority_minor=0)
    yield "a credit for a customer related to the requester", replace(usual, related=True)
    for rate in (RateState.STALE, RateState.MISSING):
        yield f"a credit whose exchange rate is {rate}", replace(usual, rate=rate)
    for name in ("requester_automatic", "customer_automatic", "customer_all"):
        words = f"a credit that passes the limit sums.{name}"
        yield words, replace(usual, sums=replace(usual.sums, **{name: sums[name]}))


def _try_two(policy: Tried, reason: Reason) -> None:
    """Above what a Controller approves alone two must agree, and behind the ceilings of a day the CFO."""
    amount = policy.limits(KIND).controller_alone + 1
    if _ruling(policy, replace(_facts(reason), amount_minor=amount)).route is not Route.BOTH:
        words = "above what the Controller approves alone, Controller and Legal must both be asked"
        raise PolicyInvalid(TABLE_FILE, reason.value, words)
    for name in ("company_day", "requester_day"):
        facts = _facts(reason)
        ruling = _ruling(policy, replace(facts, sums=replace(facts.sums, **{name: policy.sums[name]})))
        if not ruling.ceiling:
            raise PolicyInvalid(TABLE_FILE, reason.value, f"beyond ceilings.{name} the CFO must be asked as well")


def _ruling(policy: Tried, facts: Facts) -> Ruling:
    """The answer; none at all lets nothing through, and is as careful as can be."""
    try:
        return policy.answer(facts)
    except PolicyInvalid:
        return Ruling(Route.BOTH, "", "", "refused")
