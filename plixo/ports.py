"""What activities and starters need of the world, as Protocols, and the plain data that crosses them."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from plixo.domain.absence import StoredAbsence
from plixo.domain.amending import Amendment
from plixo.domain.approval import Approval
from plixo.domain.business_time import Calendar
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.clocks import Moments
from plixo.domain.decision import Decision
from plixo.domain.effects import Amounts, Effect, EffectKind, TargetFacts
from plixo.domain.mandate import SignedRequest
from plixo.domain.money import Money
from plixo.domain.people import Group, Person
from plixo.domain.reconciling import Holding


@dataclass(frozen=True)
class Customer:
    """A customer as Stripe has it."""

    customer_id: str
    name: str
    email: str
    currency: str | None

    def balance(self, currency: str) -> TargetFacts:
        """What matters of the customer's balance when something is to be credited to it.

        Args:
            currency: What the balance is in where the customer has none yet.
        """
        return TargetFacts(
            Target(TargetKind.CUSTOMER_BALANCE, self.customer_id, "open", self.currency or currency), None, 0
        )


@dataclass(frozen=True)
class Invoice:
    """An invoice as Stripe has it; amounts in minor units.

    Attributes:
        creditable_minor: What credit notes can still take off it.
        remaining_minor: What is still owed on it.
    """

    invoice_id: str
    number: str
    customer_id: str
    status: str
    currency: str
    total_minor: int
    tax_minor: int
    remaining_minor: int
    creditable_minor: int
    created: datetime

    @property
    def total(self) -> Money:
        """Gross."""
        return Money(self.total_minor, self.currency)

    @property
    def creditable(self) -> Money:
        """What credit notes can still take off it."""
        return Money(self.creditable_minor, self.currency)

    @property
    def facts(self) -> TargetFacts:
        """What matters of it when something is to be credited on it."""
        target = Target(TargetKind.INVOICE, self.invoice_id, self.status, self.currency, self.number)
        return TargetFacts(target, self.creditable_minor, self.remaining_minor)


@dataclass(frozen=True)
class StripeObject:
    """What an effect made."""

    object_id: str
    kind: EffectKind
    amounts: Amounts


class Payments(Protocol):
    """Reading the payment system, and the one door through which money moves."""

    async def customer(self, customer_id: str) -> Customer | None:
        """The customer, or None where there is none."""
        ...

    async def customers(self, limit: int = 100) -> Sequence[Customer]:
        """The newest customers."""
        ...

    async def invoice(self, invoice_id: str) -> Invoice | None:
        """The invoice, or None where there is none."""
        ...

    async def billed(self, invoice_id: str) -> tuple[Invoice, Customer | None] | None:
        """The invoice and its customer, read as one; None where there is none."""
        ...

    async def invoices(self, customer_id: str | None = None, limit: int = 100) -> Sequence[Invoice]:
        """The newest invoices."""
        ...

    async def facts(self, change: ProposedChange) -> TargetFacts | None:
        """What Stripe says of the change's target now; None where it is gone."""
        ...

    async def preview(self, change: ProposedChange, facts: TargetFacts) -> Amounts:
        """The credit's net, tax and gross, as Stripe works them out."""
        ...

    async def apply(self, effect: Effect) -> StripeObject:
        """Carry out the effect, with its key and exact parameters."""
        ...

    async def find(self, effect: Effect) -> StripeObject | None:
        """The effect's object, if an earlier try made it; a look-up too long for one try is `LookUpUnfinished`."""
        ...

    def credit_notes_of_ours(self) -> AsyncIterator[Holding]:
        """Every credit note that carries an effect's id, the newest first."""
        ...

    def balance_credits_of_ours(self, customer_id: str) -> AsyncIterator[Holding]:
        """Every entry of a customer's balance that carries an effect's id."""
        ...


class Verifier(Protocol):
    """Checks what the staff side signed; holds public keys only."""

    def verify(self, token: str, kind: str, *, now: datetime | None) -> Mapping[str, Any]:
        """The signed body.

        Args:
            token: Compact JWS.
            kind: `request` or `decision`.
            now: Refuse when it had expired by then; None where expiry no longer matters.

        Raises:
            plixo.domain.refusals.NotAllowed: It is forged, altered, expired, or meant for something else.
        """
        ...

    def signed_at(self, token: str) -> datetime:
        """When something that was verified was signed, to the second.

        Raises:
            plixo.domain.refusals.NotAllowed: It is not the staff side's.
        """
        ...


class Signer(Protocol):
    """Signs for the staff side."""

    def sign(self, kind: str, body: Mapping[str, Any], *, now: datetime) -> str:
        """A compact JWS over the body."""
        ...


@dataclass(frozen=True)
class Record:
    """A request as the database keeps it.

    Attributes:
        approval: What stands, with its recorded decisions.
        change: The row's copy of the proposed change; what binds is the signed one.
        request_id: The caller's own id.
        customer_name: For people.
        base_minor: The amount in minor units of the base currency.
        base_currency: The policy's.
        policy: Version and hash.
        signed: The signed request.
        amounts: Net, tax and gross as Stripe previewed them, and as they were once applied.
        created_at: When it was asked.
        stage_since: When the waiting stage began.
        due_at: When its answer is due.
        moments: What happens to the waiting stage by the clock; None for one that began before they were kept.
        ended_at: When it came to its end.
        stripe_object: What was made in Stripe.
        why: What a person should know: why it was returned, or needs attention.
        bulk: It came as one of many, so that others go first; says nothing about what is asked, and is not signed.
        rate: What one major unit of its currency was worth in the base currency when it was routed, as text; None where
            it is the base currency itself, or there was no rate.
        rate_as_of: Since when that rate was known.
        amended_by: Id of the decision that says that its requester changed it last; empty in its first round.
    """

    approval: Approval
    change: ProposedChange
    request_id: str
    customer_name: str
    base_minor: int
    base_currency: str
    policy: str
    signed: str
    amounts: Amounts
    created_at: datetime
    stage_since: datetime | None = None
    due_at: datetime | None = None
    moments: Moments | None = None
    ended_at: datetime | None = None
    stripe_object: str = ""
    why: str = ""
    bulk: bool = False
    rate: str | None = None
    rate_as_of: datetime | None = None
    amended_by: str = ""

    @property
    def request(self) -> SignedRequest:
        """What the row says was signed: held against the signature wherever it matters."""
        approval = self.approval
        return SignedRequest(
            approval_id=approval.approval_id,
            requester_id=approval.requester_id,
            change=self.change,
            path=approval.path,
            base_minor=self.base_minor,
            policy=self.policy,
            round=approval.round,
            since_round=approval.since_round,
            amended_by=self.amended_by,
        )


@dataclass(frozen=True)
class StoredDecision:
    """A decision as it was signed, and what became of it.

    Attributes:
        decision: The row's copy; what binds is the signed one.
        signed: The signed decision.
        status: `submitted`, `recorded`, `refused` or `conflict`.
        submitted_at: When the staff side signed it.
        why: What stands, where it was not recorded.
    """

    decision: Decision
    signed: str
    status: str
    submitted_at: datetime
    why: str = ""


@dataclass(frozen=True)
class AuditEntry:
    """One step in a request's history.

    Attributes:
        approval_id: Whose history.
        event: A stable word, such as `decision_recorded`.
        actor: A person's id, or `system`.
        detail: What happened, as plain data.
    """

    approval_id: str
    event: str
    actor: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    """A mail to be written: sent at most once for its key.

    Attributes:
        key: Object, step, round and recipient.
        to: The address.
        template: Name under `templates/email`.
        context: What the template is filled with.
        bulk: It is about one of many: other mails leave first.
        not_before: It is kept until then; None where it may leave at once.
    """

    key: str
    to: str
    template: str
    context: dict[str, Any]
    bulk: bool = False
    not_before: datetime | None = None


class Transaction(Protocol):
    """What one database transaction can read and write; it commits as a whole or not at all."""

    async def approval(self, approval_id: str) -> Record | None:
        """The request, locked until the transaction ends."""
        ...

    async def save(self, record: Record) -> None:
        """Write back what may change of a request."""
        ...

    async def applied_automatically(self, since: datetime, until: datetime) -> Sequence[Record]:
        """What was applied in Stripe in that time without anybody being asked, oldest first."""
        ...

    async def decisions(self, approval_id: str) -> Sequence[StoredDecision]:
        """All decisions on a request, in the order they were signed."""
        ...

    async def decision(self, decision_id: str) -> StoredDecision | None:
        """One decision."""
        ...

    async def amendments(self, approval_id: str) -> Sequence[Amendment]:
        """Everything that its requester made of a request, whether it was taken up or not, in the order of signing."""
        ...

    async def settle_decision(self, decision_id: str, status: str, why: str, now: datetime) -> None:
        """Say what became of a decision."""
        ...

    async def effect(self, approval_id: str) -> tuple[Effect, datetime] | None:
        """The request's effect and when it was intended."""
        ...

    async def intend(self, effect: Effect, now: datetime) -> None:
        """Keep the effect before it is tried; a second one for the same request is refused by the database."""
        ...

    async def settle_effect(self, effect: Effect, made: StripeObject | None, why: str, now: datetime) -> None:
        """Say what became of the effect."""
        ...

    async def people(self, ids: Collection[str]) -> Mapping[str, Person]:
        """People by id."""
        ...

    async def members(self, groups: Collection[Group]) -> Sequence[Person]:
        """Active people of any of the groups."""
        ...

    async def absences(self, since: datetime) -> Sequence[StoredAbsence]:
        """Absences that were to last until after that moment, whether or not they ended earlier."""
        ...

    async def audit(self, entry: AuditEntry, now: datetime) -> None:
        """Append to the request's hash-chained history."""
        ...

    async def post(self, letter: Letter, now: datetime) -> bool:
        """Put a mail into the outbox; False where one with the same key is there, which stays as it is."""
        ...

    async def ask_for_checkpoint(self, request_id: str, now: datetime) -> str:
        """Wish for a checkpoint over the audit log; the id of the wish that stands."""
        ...


class Ledger(Protocol):
    """The database, as activities see it."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: commits at the end of the block, rolls back when it raises."""
        ...


class Clock(Protocol):
    """What time it is."""

    def __call__(self) -> datetime:
        """Now, with its zone."""
        ...


class Calendars(Protocol):
    """When people work."""

    def of(self, person: Person, around: datetime) -> Calendar | None:
        """The person's calendar.

        Args:
            person: As the directory knows them.
            around: When it is needed: holidays are known for some years only.

        Returns:
            None where what the directory says of them makes none.
        """
        ...
