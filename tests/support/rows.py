"""Requests and decisions as rows, signed with a key of the tests, in a real database; and a Stripe that is played."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet, OKPKey
from sqlalchemy import select

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from plixo.config import Settings
from plixo.directory.seed import load_seed
from plixo.domain import ids
from plixo.domain.amending import Amendment, keeps
from plixo.domain.approval import Approval, State
from plixo.domain.business_time import Calendar
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.decision import Decision, Verdict
from plixo.domain.effects import Amounts, Effect, TargetFacts
from plixo.domain.mandate import SignedRequest, decision_claims
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.payments import CallRefused, OutcomeUnknown
from plixo.domain.people import Group, Person
from plixo.domain.reasons import Reason
from plixo.messages.approvals import Decide, Recorded, Step
from plixo.ports import Calendars, Customer, Invoice, Record, StoredDecision, StripeObject
from plixo.signing.keys import key_id
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import amendments, approvals, audit, decisions, people
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from plixo.store.migrate import upgrade
from plixo.store.models import OutboxRow

NOW = datetime(2026, 8, 3, 14, 0, tzinfo=UTC)
CLOCK = Clock(due_hours=8, remind_hours=(4,), expire_hours=40)
CONTROLLER = (Stage((Seat(Group.CONTROLLER, 2_500_000),), CLOCK),)
BOTH = (Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), CLOCK),)
CUSTOMER, INVOICE = "cus_ExampleLogistics", "in_ExampleLogistics0042"
KEY = OKPKey.generate_key("Ed25519", private=True)
FOREIGN_KEY = OKPKey.generate_key("Ed25519", private=True)


def public(*keys: OKPKey) -> KeySet:
    found = [{**key.as_dict(private=False), "kid": key_id(key), "alg": "Ed25519", "use": "sig"} for key in keys]
    return KeySet.import_key_set({"keys": found})


@dataclass
class RoundTheClock:
    """Everybody works all day and night, so that business hours are hours; until a test says otherwise."""

    instead: Calendars | None = None

    def of(self, person: Person, around: datetime) -> Calendar | None:
        if self.instead:
            return self.instead.of(person, around)
        return Calendar("UTC", time(0), time(0), frozenset(range(7)))


@dataclass
class MovableClock:
    """A clock that a test moves."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **how_long: float) -> datetime:
        self.at += timedelta(**how_long)
        return self.at


_template: list[Path] = []


async def fresh_sqlite(folder: Path) -> str:
    """The address of a migrated SQLite file: a copy, since running the migrations each time would take long."""
    if not _template:
        _template.append(Path(tempfile.mkdtemp()) / "template.db")
        await upgrade(f"sqlite+aiosqlite:///{_template[0]}")
    shutil.copy(_template[0], folder / "rows.db")
    return f"sqlite+aiosqlite:///{folder / 'rows.db'}"


def tamper(url: str, statement: str, *values: Any) -> None:
    """Write to a SQLite file as somebody who holds the file: the guards are taken off first."""
    with closing(sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///"))) as connection, connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f"drop trigger {name}")
        changed = connection.execute(statement, values).rowcount
    assert changed > 0, f"nothing was changed by: {statement}"


def target(kind: TargetKind = TargetKind.INVOICE) -> Target:
    if kind is TargetKind.INVOICE:
        return Target(kind, INVOICE, "open", "USD", "EXL-0042")
    return Target(kind, CUSTOMER, "open", "USD")


def facts(creditable: int | None = 1_260_000, remaining: int = 1_260_000, **changed: Any) -> TargetFacts:
    return TargetFacts(replace(target(), **changed), creditable, remaining)


@dataclass
class Rows:
    """A database with people, and what the staff side and the workers do to it."""

    url: str
    ledger: SqlLedger
    clock: MovableClock
    people: dict[str, Person]
    signer: StaffSigner = field(default_factory=lambda: StaffSigner(KEY))
    verifier: StaffVerifier = field(default_factory=lambda: StaffVerifier(public(KEY)))
    asked: int = 0
    calendars: RoundTheClock = field(default_factory=RoundTheClock)

    @property
    def approvals(self) -> ApprovalActivities:
        return ApprovalActivities(self.ledger, self.verifier, self.clock, self.calendars)

    def effects(self, payments: "PlayedStripe") -> EffectActivities:
        return EffectActivities(self.ledger, payments, self.verifier, self.clock)

    async def ask(
        self,
        amount: int = 420_000,
        stages: tuple[Stage, ...] = CONTROLLER,
        *,
        requester: str = "p-billing-admin",
        on: Target | None = None,
        signer: StaffSigner | None = None,
        **record: Any,
    ) -> str:
        """A signed request, as the console keeps it; its id."""
        self.asked += 1
        request_id = f"r-{self.asked}"
        approval_id = ids.approval_id("CR", requester, request_id)
        change = ProposedChange(
            "credit", CUSTOMER, Money(amount, "USD"), on or target(), Reason.SERVICE_OUTAGE, "Two days down", "Sorry"
        )
        path = ApprovalPath("over", "Above authority", stages)
        request = SignedRequest(approval_id, requester, change, path, amount, "1@9f2c")
        kept = Record(
            approval=Approval(approval_id, requester, change.digest, amount, path, change.kind),
            change=change,
            request_id=request_id,
            customer_name="Example Logistics",
            base_minor=amount,
            base_currency="USD",
            policy="1@9f2c",
            signed=(signer or self.signer).sign("request", request.to_claims(), now=self.clock()),
            amounts=Amounts(amount, 0, amount, "USD"),
            created_at=self.clock(),
        )
        async with self.ledger.begin() as tx:
            await approvals.insert(tx.session, replace(kept, **record))
        return approval_id

    async def waiting(self, *args: Any, **kwargs: Any) -> str:
        approval_id = await self.ask(*args, **kwargs)
        await self.approvals.open(Step(approval_id))
        return approval_id

    async def say(
        self, approval_id: str, role: str, verdict: str = "approve", *, signed: str | None = None, **changed: Any
    ) -> str:
        """A decision, signed and stored as the console does it; its id."""
        record = await self.record(approval_id)
        person = self.people[role]
        stage = record.approval.current_stage or record.approval.path.stages[record.approval.stage]
        group = next((seat.group for seat in stage.seats if seat.group in person.groups), stage.seats[0].group)
        decision = Decision(
            decision_id=f"DE-{role}-{verdict}-{approval_id[-6:]}",
            approval_id=approval_id,
            round=record.approval.round,
            stage=record.approval.stage,
            person_id=person.person_id,
            group=None if Verdict(verdict).by_requester else group,
            verdict=Verdict(verdict),
            digest=record.approval.digest,
            amount_minor=record.approval.amount_minor,
            comment="because",
        )
        decision = replace(decision, **changed)
        if signed is None:
            signed = self.signer.sign("decision", decision_claims(decision), now=self.clock())
        async with self.ledger.begin() as tx:
            await decisions.insert(tx.session, decision, signed, self.clock())
        return decision.decision_id

    async def take_up(self, approval_id: str, decision_id: str) -> Recorded:
        return await self.approvals.record(Decide(approval_id, decision_id))

    async def decide(self, approval_id: str, role: str, verdict: str = "approve", **changed: Any) -> Recorded:
        return await self.take_up(approval_id, await self.say(approval_id, role, verdict, **changed))

    async def amend(
        self,
        approval_id: str,
        amount: int | None = None,
        stages: tuple[Stage, ...] | None = None,
        *,
        by: str = "billing_admin",
        signer: StaffSigner | None = None,
        says: dict[str, Any] | None = None,
        row: dict[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        """A change of the request, signed and stored as the console does it; the id of its decision.

        Args:
            approval_id: Which request.
            amount: What is asked for then.
            stages: Who decides then; those of before, unless given.
            by: Whose decision it is.
            signer: Signs it in place of the staff side.
            says: What the signed request says instead.
            row: What its row says instead.
            changed: Other fields of the change.
        """
        record = await self.record(approval_id)
        change = record.change
        after = replace(change, amount=Money(amount or change.amount.minor, "USD"), **changed)
        kept = stages is None and keeps(change, after)
        path = record.approval.path if stages is None else replace(record.approval.path, stages=stages)
        self.asked += 1
        decision_id = f"DE-amend-{self.asked}-{approval_id[-6:]}"
        said = await self.say(approval_id, by, "amend", decision_id=decision_id, amount_minor=after.amount.minor)
        request = replace(
            record.request,
            change=after,
            path=path,
            base_minor=after.amount.minor,
            round=record.approval.round + 1,
            since_round=record.approval.since_round if kept else record.approval.round + 1,
            amended_by=said,
        )
        request = replace(request, **(says or {}))
        signed = (signer or self.signer).sign("request", request.to_claims(), now=self.clock())
        amounts = Amounts(after.amount.minor, 0, after.amount.minor, "USD")
        made = Amendment(replace(request, **(row or {})), signed, record.signed, amounts, "USD", self.clock())
        async with self.ledger.begin() as tx:
            await amendments.insert(tx.session, made)
        return said

    async def approved(self, *args: Any, by: Sequence[str] = ("controller",), **kwargs: Any) -> str:
        approval_id = await self.waiting(*args, **kwargs)
        for role in by:
            answer = await self.decide(approval_id, role)
            assert answer.answer == "accepted", answer.why
        assert (await self.record(approval_id)).approval.state is State.APPROVED
        return approval_id

    async def record(self, approval_id: str) -> Record:
        async with self.ledger.read() as session:
            found = await approvals.load(session, approval_id, lock=False)
        assert found is not None
        return found

    async def state(self, approval_id: str) -> State:
        return (await self.record(approval_id)).approval.state

    async def decision(self, decision_id: str) -> StoredDecision:
        async with self.ledger.read() as session:
            found = await decisions.load(session, decision_id)
        assert found is not None
        return found

    async def trail(self, approval_id: str) -> list[audit.AuditLine]:
        async with self.ledger.read() as session:
            chain = list(await audit.lines(session, approval_id))
        assert audit.first_break(chain) is None
        return chain

    async def events(self, approval_id: str) -> list[str]:
        return [line.event for line in await self.trail(approval_id)]

    async def letters(self, template: str = "") -> list[OutboxRow]:
        async with self.ledger.read() as session:
            found = list(await session.scalars(select(OutboxRow).order_by(OutboxRow.key)))
        return [row for row in found if not template or row.template == template]

    async def change_person(self, role: str, **changed: Any) -> Person:
        self.people[role] = replace(self.people[role], **changed)
        await self.add_person(self.people[role])
        return self.people[role]

    async def add_person(self, person: Person) -> None:
        async with self.ledger.begin() as tx:
            await people.add(tx.session, [person])
        self.people[person.person_id.removeprefix("p-").replace("-", "_")] = person


@asynccontextmanager
async def open_rows(url: str) -> AsyncIterator[Rows]:
    """A migrated database, with the seed's people in it."""
    engine = open_engine(url)
    try:
        ledger = SqlLedger(engine)
        staff = load_seed(Settings().people_seed, "USD")
        async with ledger.begin() as tx:
            await people.add(tx.session, staff)
        by_role = {person.person_id.removeprefix("p-").replace("-", "_"): person for person in staff}
        yield Rows(url, ledger, MovableClock(), by_role)
    finally:
        await engine.dispose()


@dataclass
class PlayedStripe:
    """Stripe as far as effects need it: what it says of the target, and v1 idempotency.

    Attributes:
        says: What it says of the target; an exception is raised.
        answers: What comes instead of the answers to the next writes; `DoneThenLost` does the write all the same.
        lookups: What comes instead of the next look-ups.
        made: What it really made, one entry a movement of money.
        asked: Every write that reached it.
        crowd: Writes wait here for each other before it answers any.
        keys: What it remembers of each key: the parameters and the object.
        read: Customers and invoices that were asked for, one entry a call.
    """

    says: TargetFacts | Exception | None = field(default_factory=facts)
    answers: list[Exception] = field(default_factory=list)
    lookups: list[Exception] = field(default_factory=list)
    made: list[tuple[Effect, StripeObject]] = field(default_factory=list)
    asked: list[Effect] = field(default_factory=list)
    looked: int = 0
    crowd: asyncio.Barrier | None = None
    keys: dict[str, tuple[dict[str, Any], StripeObject]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    async def facts(self, change: ProposedChange) -> TargetFacts | None:
        if isinstance(self.says, Exception):
            raise self.says
        if change.target.kind is TargetKind.CUSTOMER_BALANCE:
            return TargetFacts(change.target, None, 0)
        return self.says

    async def apply(self, effect: Effect) -> StripeObject:
        self.asked.append(effect)
        if self.crowd:
            await self.crowd.wait()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, DoneThenLost):
            self._make(effect)
        if answer:
            raise answer
        return self._make(effect)

    async def find(self, effect: Effect) -> StripeObject | None:
        self.looked += 1
        if self.lookups:
            raise self.lookups.pop(0)
        return next((made for known, made in self.made if known.effect_id == effect.effect_id), None)

    def forget_keys(self) -> None:
        self.keys.clear()

    def _make(self, effect: Effect) -> StripeObject:
        if effect.key in self.keys:
            params, made = self.keys[effect.key]
            if params != effect.params:
                raise CallRefused("Keys can only be used with the same parameters.", "idempotency_error")
            return made
        gross = effect.amount.minor
        net = gross * 25 // 27
        amounts = Amounts(net, gross - net, gross, effect.amount.currency)
        made = StripeObject(f"cn_{len(self.made) + 1}", effect.kind, amounts)
        self.made.append((effect, made))
        self.keys[effect.key] = (effect.params, made)
        return made

    async def customer(self, customer_id: str) -> Customer | None:
        self.read.append(customer_id)
        return self._customer(customer_id)

    def _customer(self, customer_id: str) -> Customer | None:
        known = customer_id.startswith("cus_Example")
        return Customer(customer_id, "Example Logistics", "pay@example.com", "USD") if known else None

    async def customers(self, limit: int = 100) -> Sequence[Customer]:
        raise AssertionError(limit)

    async def invoice(self, invoice_id: str) -> Invoice | None:
        self.read.append(invoice_id)
        if invoice_id != INVOICE:
            return None
        total = 1_260_000
        left = self.says.creditable_minor if isinstance(self.says, TargetFacts) else total
        return Invoice(invoice_id, "EXL-0042", CUSTOMER, "open", "USD", total, 0, total, left or 0, NOW)

    async def billed(self, invoice_id: str) -> tuple[Invoice, Customer | None] | None:
        found = await self.invoice(invoice_id)
        return (found, self._customer(found.customer_id)) if found else None

    async def invoices(self, customer_id: str | None = None, limit: int = 100) -> Sequence[Invoice]:
        raise AssertionError(customer_id, limit)

    async def preview(self, change: ProposedChange, _facts: TargetFacts) -> Amounts:
        return Amounts(change.amount.minor, 0, change.amount.minor, change.amount.currency)


class DoneThenLost(OutcomeUnknown):
    """The write is done, and its answer lost on the way."""


def keys_of(letters: Collection[OutboxRow]) -> list[str]:
    return [row.key for row in letters]
