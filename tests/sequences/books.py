"""A ledger in memory as `plixo.ports.Ledger`, and a watch over any ledger that writes down what was committed."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from plixo.domain.effects import Effect, EffectState
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed
from plixo.ports import AuditEntry, Ledger, Letter, Record, StoredDecision, StripeObject


class Crash(Exception):
    """The process died here: before its transaction was kept, or right after."""


@dataclass
class Tables:
    """What a database would hold; values are frozen, so that a shallow copy is a snapshot."""

    approvals: dict[str, Record] = field(default_factory=dict)
    decisions: dict[str, StoredDecision] = field(default_factory=dict)
    effects: dict[str, tuple[Effect, datetime]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    letters: dict[str, Letter] = field(default_factory=dict)

    def snapshot(self) -> "Tables":
        return Tables(**{name: copy(table) for name, table in vars(self).items()})


@dataclass
class MemoryTransaction:
    """As `plixo.ports.Transaction`, as far as approvals go."""

    tables: Tables

    async def approval(self, approval_id: str) -> Record | None:
        return self.tables.approvals.get(approval_id)

    async def save(self, record: Record) -> None:
        self.tables.approvals[record.approval.approval_id] = record

    async def decisions(self, approval_id: str) -> Sequence[StoredDecision]:
        return [one for one in self.tables.decisions.values() if one.decision.approval_id == approval_id]

    async def decision(self, decision_id: str) -> StoredDecision | None:
        return self.tables.decisions.get(decision_id)

    async def settle_decision(self, decision_id: str, status: str, why: str, now: datetime) -> None:  # noqa: ARG002
        self.tables.decisions[decision_id] = replace(self.tables.decisions[decision_id], status=status, why=why)

    async def absences(self, since: datetime) -> Sequence[Any]:  # noqa: ARG002
        """Nobody is away yet."""
        return ()

    async def amendments(self, approval_id: str) -> Sequence[Any]:  # noqa: ARG002
        """No rule amends yet."""
        return ()

    async def effect(self, approval_id: str) -> tuple[Effect, datetime] | None:
        return self.tables.effects.get(approval_id)

    async def intend(self, effect: Effect, now: datetime) -> None:
        assert effect.approval_id not in self.tables.effects, "the database refuses a second effect"
        self.tables.effects[effect.approval_id] = effect, now

    async def settle_effect(self, effect: Effect, made: StripeObject | None, why: str, now: datetime) -> None:  # noqa: ARG002
        known, since = self.tables.effects[effect.approval_id]
        state = EffectState.DONE if made else EffectState.REFUSED
        self.tables.effects[effect.approval_id] = replace(known, state=state), since

    async def people(self, ids: Collection[str]) -> Mapping[str, Person]:
        return {one: self.tables.people[one] for one in sorted(ids) if one in self.tables.people}

    async def members(self, groups: Collection[Group]) -> Sequence[Person]:
        found = sorted(self.tables.people.items())
        return [person for _id, person in found if person.active and not person.groups.isdisjoint(groups)]

    async def audit(self, entry: AuditEntry, now: datetime) -> None:
        """Kept by the watch."""

    async def post(self, letter: Letter, now: datetime) -> bool:  # noqa: ARG002
        new = letter.key not in self.tables.letters
        self.tables.letters.setdefault(letter.key, letter)
        return new


@dataclass
class Books:
    """A ledger in memory: a transaction is kept as a whole, or not at all."""

    tables: Tables = field(default_factory=Tables)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryTransaction]:
        tx = MemoryTransaction(self.tables.snapshot())
        yield tx
        self.tables = tx.tables


@dataclass
class Notary:
    """Signs and verifies by remembering what was signed: as the real ones do, without the arithmetic."""

    signed: dict[str, tuple[str, Mapping[str, Any], datetime]] = field(default_factory=dict)

    def sign(self, kind: str, body: Mapping[str, Any], *, now: datetime) -> str:
        token = f"token-{len(self.signed)}"
        self.signed[token] = kind, body, now
        return token

    def verify(self, token: str, kind: str, *, now: datetime | None) -> Mapping[str, Any]:
        if token not in self.signed:
            raise NotAllowed.one("signature", "signature_invalid", "The signature is not the staff side's.")
        meant, body, since = self.signed[token]
        if meant != kind:
            raise NotAllowed.one("signature", "signature_for_something_else", f"This was not signed as a {kind}.")
        if now is not None and now >= since + timedelta(days=7):
            raise NotAllowed.one("signature", "signature_expired", "This was signed too long ago; decide again.")
        return body

    def signed_at(self, token: str) -> datetime:
        if token not in self.signed:
            raise NotAllowed.one("signature", "signature_invalid", "The signature is not the staff side's.")
        return self.signed[token][2].replace(microsecond=0)


@dataclass(frozen=True)
class Written:
    """One write that was committed.

    Attributes:
        what: `save`, `settle_decision`, `intend`, `settle_effect`, `audit` or `post`.
        given: What it was called with, but the time.
        gave: What it answered.
        now: The activities' clock.
        people: The directory at that moment.
        stripe: What Stripe said of invoices at that moment.
    """

    what: str
    given: tuple[Any, ...]
    gave: Any
    now: datetime
    people: Mapping[str, Person]
    stripe: Any


_WATCHED = frozenset({"save", "settle_decision", "intend", "settle_effect", "audit", "post"})


@dataclass
class WatchedTransaction:
    """Hands everything on, and notes every write."""

    tx: Any
    notes: list[tuple[str, tuple[Any, ...], Any]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.tx, name)
        if name not in _WATCHED:
            return call

        async def noted(*given: Any) -> Any:
            gave = await call(*given)
            self.notes.append((name, given, gave))
            return gave

        return noted


@dataclass
class Watch:
    """A ledger that writes down what was committed, and on request dies at a transaction's end.

    Attributes:
        ledger: The real one.
        clock: The activities'.
        around: What else is to be remembered of each moment: the directory, and what Stripe says.
        journal: Everything that was committed, in order.
        crash: After how many transactions more it dies, and whether what it did is kept; None for never.
    """

    ledger: Ledger
    clock: Callable[[], datetime]
    around: Callable[[], tuple[Mapping[str, Person], Any]]
    journal: list[Written] = field(default_factory=list)
    crash: tuple[int, bool] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        dies, kept = self._dies_now()
        async with self.ledger.begin() as tx:
            watched = WatchedTransaction(tx)
            yield watched
            if dies and not kept:
                raise Crash
        people, stripe = self.around()
        self.journal += [Written(*note, self.clock(), people, stripe) for note in watched.notes]
        if dies:
            raise Crash

    def read(self) -> Any:
        """Reading is watched by nobody."""
        return self.ledger.read()  # type: ignore[attr-defined]

    def _dies_now(self) -> tuple[bool, bool]:
        if self.crash is None:
            return False, False
        left, kept = self.crash
        self.crash = (left - 1, kept) if left else None
        return not left, kept
