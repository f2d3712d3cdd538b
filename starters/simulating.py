"""A policy tried on what was asked: which open and recent requests would go another way by it. Nothing is written.

The facts are those that each request had, as far as they are kept: amount, reason, rate and the sums at that moment,
added up in the order in which requests were made. What is not kept is as of today: the requester's groups, own limits
and related customers. What the changed policy would have let through by itself counts as automatic for whoever came
later; that people would have decided otherwise is not played.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Refused
from plixo.domain.tally import Tally
from plixo.policy.published import PolicyInvalid, PublishedPolicy
from plixo.store import people, policies, routed
from plixo.store.routed import Earlier, Routed
from starters.desk import Desk

DAYS: Final = 30
MOST_DAYS: Final = 366
_STEP: Final = 100
"""How many requests are routed in a thread before it is told how far it is."""


class Kind(StrEnum):
    """How a path changes."""

    NOW_AUTOMATIC = "now_automatic"
    NOW_ASKED = "now_asked"
    OTHERS_ASKED = "others_asked"
    OTHER_LIMITS = "other_limits"
    OTHER_RULES = "other_rules"
    OTHER_CLOCKS = "other_clocks"
    NO_ANSWER = "no_answer"

    @property
    def label(self) -> str:
        """In words."""
        return _LABELS[self]


_LABELS: Final = {
    Kind.NOW_AUTOMATIC: "Nobody is asked any more",
    Kind.NOW_ASKED: "Somebody is asked where nobody was",
    Kind.OTHERS_ASKED: "Others are asked, more of them, or in another order",
    Kind.OTHER_LIMITS: "The same are asked, with other limits",
    Kind.OTHER_RULES: "The same are asked; an empty group or a rejection leads elsewhere",
    Kind.OTHER_CLOCKS: "The same are asked, with other clocks",
    Kind.NO_ANSWER: "The policy has no answer, and it would be refused",
}


@dataclass(frozen=True)
class Changed:
    """A request that would go another way.

    Attributes:
        approval_id: Its id.
        customer_name: For people.
        amount: What was asked for.
        state: Where it stands.
        open: Whether it has not come to its end.
        created_at: When it was asked.
        kind: How its path changes.
        before: The path it was routed on, in words.
        after: The path it would have, in words.
        rule_before: The rule that made the first.
        rule: The rule that makes the second.
        why: That rule in words.
        certain: False where its own policy would not give its path today either, since people or rates have changed.
    """

    approval_id: str
    customer_name: str
    amount: Money
    state: str
    open: bool
    created_at: datetime
    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    rule_before: str
    rule: str
    why: str
    certain: bool


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    done: int
    total: int


@dataclass(frozen=True)
class Simulation:
    """What a policy would change.

    Attributes:
        days: How far back requests that have ended were looked at.
        looked: How many requests were.
        open: How many of them have not come to their end.
        changed: Those that would go another way, newest first.
    """

    days: int
    looked: int
    open: int
    changed: tuple[Changed, ...]

    @property
    def counts(self) -> Mapping[Kind, int]:
        """How many change, per kind; kinds without any are left out."""
        found = Counter(one.kind for one in self.changed)
        return {kind: found[kind] for kind in Kind if found[kind]}

    @property
    def open_changed(self) -> int:
        """How many open requests would go another way."""
        return sum(one.open for one in self.changed)


async def simulate(desk: Desk, policy: PublishedPolicy, days: int = DAYS) -> Simulation:
    """What the policy would change, in one go; raises as `simulation` does."""
    async for found in simulation(desk, policy, days):
        if isinstance(found, Simulation):
            return found
    raise AssertionError("a simulation ends with its result")


async def simulation(desk: Desk, policy: PublishedPolicy, days: int = DAYS) -> AsyncIterator[Progress | Simulation]:
    """Route every open request, and every one of the last days, by a changed policy; the last word is the result.

    Raises:
        Refused: The days are too many, or the policy counts in another currency.
    """
    _check(desk, policy, days)
    since = desk.clock() - timedelta(days=days)
    window = timedelta(days=max(policy.sum_days, desk.policy.sum_days))
    async with desk.ledger.read() as session:
        asked = await routed.routed_since(session, since)
        rows = await routed.earlier(session, since, window)
        everybody = {person.person_id: person for person in await people.everybody(session)}
        published = {found.version: found.content for found in await policies.versions(session)}
    replay = _Replay(policy, desk.policy, everybody, published)
    changed: list[Changed] = []
    done = 0
    for some in batched(rows, asked):
        changed += await asyncio.to_thread(replay.take_all, some, asked)
        done += sum(row.approval_id in asked for row in some)
        if done % _STEP == 0:
            yield Progress(done, len(asked))
    yield Simulation(days, len(asked), sum(one.open for one in asked.values()), tuple(reversed(changed)))


def batched(rows: Sequence[Earlier], asked: Container[str]) -> Iterator[Sequence[Earlier]]:
    """The rows in their order, as many at once as hold so many that are looked at."""
    begin = looked = 0
    for end, row in enumerate(rows, start=1):
        looked += row.approval_id in asked
        if looked == _STEP:
            yield rows[begin:end]
            begin, looked = end, 0
    if begin < len(rows):
        yield rows[begin:]


def _check(desk: Desk, policy: PublishedPolicy, days: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        raise Refused.one("days", "days_invalid", f"Look back over 1 to {MOST_DAYS} days.")
    if policy.base_currency != desk.policy.base_currency:
        words = f"Requests are counted in {desk.policy.base_currency}; a policy in another currency cannot route them."
        raise Refused.one("limits.base_currency", "base_currency_fixed", words)


class _Replay:
    """Requests in the order in which they were made: as they were routed, and as the changed policy routes them."""

    def __init__(
        self,
        policy: PublishedPolicy,
        holds: PublishedPolicy,
        everybody: Mapping[str, Person],
        published: Mapping[int, str],
    ) -> None:
        self._policy = policy
        self._everybody = everybody
        self._published = published
        self._parsed = {holds.version: holds}
        self._as_was, self._as_changed = Tally(holds.sum_days), Tally(policy.sum_days)

    def take_all(self, rows: Sequence[Earlier], asked: Mapping[str, Routed]) -> list[Changed]:
        """The next requests; those that change."""
        found = (self.take(row, asked.get(row.approval_id)) for row in rows)
        return [one for one in found if one]

    def take(self, row: Earlier, asked: Routed | None) -> Changed | None:
        """The next request; how it changes, where it is one of those that are looked at and does."""
        who = (row.requester_id, row.customer_id)
        before, after = (tally.before(*who, row.created_at) for tally in (self._as_was, self._as_changed))
        changed, automatic = None, row.automatic
        if asked:
            path = self._path(self._policy, row, asked, after)
            automatic = path.automatic if path else False
            if path is None or path.to_claims() != asked.path:
                changed = self._changed(row, asked, path, before)
        for tally, alone in ((self._as_was, row.automatic), (self._as_changed, automatic)):
            tally.add(*who, row.base_minor, row.created_at, automatic=alone, until=row.until)
        return changed

    def _path(self, policy: PublishedPolicy, row: Earlier, asked: Routed, sums: Sums) -> ApprovalPath | None:
        """Who would be asked; None where the policy has no answer."""
        person = self._everybody.get(row.requester_id)
        facts = Facts(
            kind=asked.kind,
            reason=asked.reason,
            amount_minor=row.base_minor,
            authority_minor=policy.authority(person, asked.kind) if person else 0,
            related=person is not None and row.customer_id in person.related_customers,
            rate=_rate(policy, row, asked),
            sums=sums,
        )
        groups: frozenset[Group] = person.groups if person else frozenset()
        try:
            return policy.path(facts, groups)
        except PolicyInvalid:
            return None

    def _changed(self, row: Earlier, asked: Routed, after: ApprovalPath | None, sums: Sums) -> Changed | None:
        before = ApprovalPath.from_claims(asked.path)
        kind = _kind(before, after)
        if kind is None:
            return None
        own = self._own(asked.policy)
        expected = self._path(own, row, asked, sums) if own else None
        return Changed(
            approval_id=row.approval_id,
            customer_name=asked.customer_name,
            amount=Money(asked.amount_minor, asked.currency),
            state=asked.state,
            open=asked.open,
            created_at=row.created_at,
            kind=kind,
            before=before.describe(),
            after=after.describe() if after else (),
            rule_before=before.rule,
            rule=after.rule if after else "",
            why=" ".join((after.why, *after.notes)) if after else "",
            certain=expected is not None and _kind(before, expected) is None,
        )

    def _own(self, reference: str) -> PublishedPolicy | None:
        """The version that a request was routed on; None where this release cannot read it any more."""
        number = reference.partition("@")[0]
        version = int(number) if number.isdecimal() else 0
        if version not in self._parsed and version in self._published:
            try:
                self._parsed[version] = PublishedPolicy.from_content(self._published[version], version)
            except PolicyInvalid:
                return None
        return self._parsed.get(version)


def _kind(before: ApprovalPath, after: ApprovalPath | None) -> Kind | None:
    """How the path changes for the people concerned; None where another rule asks the same of them."""
    if after is None:
        return Kind.NO_ANSWER
    if before.automatic is not after.automatic:
        return Kind.NOW_AUTOMATIC if after.automatic else Kind.NOW_ASKED
    if before.describe() != after.describe():
        return Kind.OTHERS_ASKED
    if _limits(before) != _limits(after):
        return Kind.OTHER_LIMITS
    if _rules(before) != _rules(after):
        return Kind.OTHER_RULES
    return Kind.OTHER_CLOCKS if before.stages != after.stages else None


def _limits(path: ApprovalPath) -> list[list[Seat]]:
    return [[replace(seat, fallback=None) for seat in stage.seats] for stage in path.stages]


def _rules(path: ApprovalPath) -> list[tuple[bool, list[Group | None]]]:
    return [(stage.one_rejection_ends, [seat.fallback for seat in stage.seats]) for stage in path.stages]


def _rate(policy: PublishedPolicy, row: Earlier, asked: Routed) -> RateState:
    if asked.currency == asked.base_currency:
        return RateState.SAME
    if asked.rate_as_of is None:
        return RateState.MISSING
    stale = row.created_at - asked.rate_as_of > timedelta(days=policy.rate_days)
    return RateState.STALE if stale else RateState.FRESH
