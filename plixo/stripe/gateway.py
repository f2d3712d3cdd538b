"""The one door to Stripe: domain types in and out, every failure sorted, every write with its effect's own key."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self, TypeVar, cast
from urllib.parse import quote_plus

import stripe
from stripe.params import (
    CreditNoteListParams,
    CustomerBalanceTransactionListParams,
)

from plixo.domain.change import ProposedChange, TargetKind
from plixo.domain.effects import Amounts, Effect, EffectKind, TargetFacts, credit_params
from plixo.domain.payments import CallRefused
from plixo.domain.reconciling import Holding
from plixo.ports import Customer, Invoice, StripeObject
from plixo.stripe import reading
from plixo.stripe.client import open_client
from plixo.stripe.line import Line, OnResult
from plixo.stripe.lookup import LookUps, Pages
from plixo.stripe.paging import PAGE, each, newest
from plixo.stripe.rate import TokenBucket

T = TypeVar("T")

CALLS_PER_SECOND: Final = 20.0
"""With the bucket's burst of 5 this stays at the 25 a second that Stripe allows an endpoint, and a sandbox in all."""


class StripeGateway:
    """Implements `plixo.ports.Payments` on Stripe, or on the stand-in.

    Failures are `plixo.ports.PaymentsError`s: a write that may have been carried out is `OutcomeUnknown`, a read that
    failed on the way is `Unavailable`. It retries nothing: when to try again is Temporal's business.
    """

    def __init__(self, client: stripe.StripeClient, below: stripe.HTTPXClient, line: Line, *, read_only: bool) -> None:
        self._client = client
        self._api = client.v1
        self._below = below
        self._line = line
        self._look_ups = LookUps(line)
        self._read_only = read_only

    @classmethod
    def open(
        cls,
        *,
        api_key: str,
        base_url: str | None,
        timeout: float = 20.0,
        read_only: bool = False,
        on_result: OnResult | None = None,
        calls_per_second: float | None = CALLS_PER_SECOND,
    ) -> Self:
        """A gateway; close it with `aclose`, or use it in `async with`.

        Args:
            api_key: Secret or restricted key.
            base_url: Where the API is; None for Stripe itself.
            timeout: Seconds a call may take in all; the activity's own must be well above twice this, since a call
                may wait as long for its turn.
            read_only: Refuse every write before it is sent.
            on_result: Told the operation and the result of every call that was tried (`plixo.stripe.line`).
            calls_per_second: This gateway's share of what Stripe allows; None for no limit, as with the stand-in.
        """
        client, below = open_client(api_key=api_key, base_url=base_url, timeout=timeout)
        bucket = TokenBucket(calls_per_second) if calls_per_second is not None else None
        return cls(client, below, Line(api_key, timeout, bucket, on_result), read_only=read_only)

    async def __aenter__(self) -> Self:
        """The gateway itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._below.close_async()  # type: ignore[no-untyped-call]

    async def customer(self, customer_id: str) -> Customer | None:
        """The customer; None where there is none, or none any more."""
        if not reading.is_id("cus_", customer_id):
            return None
        fetch = partial(self._answer, "get", f"/v1/customers/{customer_id}")
        return await self._found("customers.retrieve", fetch, reading.customer)

    async def customers(self, limit: int = 100) -> Sequence[Customer]:
        """The newest customers."""
        turn = partial(self._api.customers.list_async, {"limit": min(limit, PAGE)})
        return await newest(each(self._line, "customers.list", turn, reading.customer), limit)

    async def invoice(self, invoice_id: str) -> Invoice | None:
        """The invoice, or None where there is none."""
        if not reading.is_id("in_", invoice_id):
            return None
        fetch = partial(self._answer, "get", f"/v1/invoices/{invoice_id}")
        return await self._found("invoices.retrieve", fetch, reading.invoice)

    async def billed(self, invoice_id: str) -> tuple[Invoice, Customer | None] | None:
        """The invoice and its customer by one call; None where there is no such invoice."""
        if not reading.is_id("in_", invoice_id):
            return None
        fetch = partial(self._answer, "get", f"/v1/invoices/{invoice_id}", {"expand": ["customer"]})
        return await self._found("invoices.retrieve", fetch, reading.billed)

    async def invoices(self, customer_id: str | None = None, limit: int = 100) -> Sequence[Invoice]:
        """The newest invoices, of one customer or of all."""
        asked: dict[str, Any] = {"limit": min(limit, PAGE)}
        if customer_id is not None:
            asked["customer"] = customer_id
        turn = partial(self._api.invoices.list_async, cast("Any", asked))
        return await newest(each(self._line, "invoices.list", turn, reading.invoice), limit)

    async def facts(self, change: ProposedChange) -> TargetFacts | None:
        """What Stripe says of the target now; None where it is gone, or belongs to another customer."""
        if change.target.kind is TargetKind.CUSTOMER_BALANCE:
            customer = await self.customer(change.customer_id)
            return customer.balance(change.amount.currency) if customer else None
        found = await self.invoice(change.target.target_id)
        if found is None or found.customer_id != change.customer_id:
            return None
        return found.facts

    async def preview(self, change: ProposedChange, facts: TargetFacts) -> Amounts:
        """The credit's net, tax and gross as Stripe works them out; a credit to the balance carries no tax."""
        if change.target.kind is TargetKind.CUSTOMER_BALANCE:
            return Amounts(change.amount.minor, 0, change.amount.minor, change.amount.currency)
        _, params = credit_params(change, change.amount.minor, facts)

        async def ask() -> Amounts:
            return reading.credit_amounts(await self._answer("get", "/v1/credit_notes/preview", params))

        return await self._line.read("credit_notes.preview", ask)

    async def apply(self, effect: Effect) -> StripeObject:
        """Carry out the effect with its key and exact parameters; asked again within a day, it answers the same.

        Raises:
            CallRefused: Also when this gateway only reads, or when the effect has no key: Stripe's SDK would invent
                one, and the next try another.
        """
        if self._read_only:
            raise CallRefused("This gateway only reads; nothing was sent.", "read_only")
        if not effect.key:
            raise CallRefused("The effect has no idempotency key; nothing was sent.", "no_idempotency_key")

        async def make() -> StripeObject:
            return reading.made(effect, await self._create(effect))

        return await self._line.write(f"{effect.kind.value}s.create", make)

    async def find(self, effect: Effect) -> StripeObject | None:
        """The effect's object, if an earlier try made it: by listing, since Stripe's search knows neither kind.

        A voided credit note is found as well. The question is whether the write was carried out, not whether it still
        stands: what a person has voided since must not be written a second time.

        Raises:
            CallRefused: Stripe no longer shows the invoice or customer, so it cannot be told.
            LookUpUnfinished: The list is too long for one try.
        """
        place, pages = self._kin(effect)
        name = f"{effect.effect_id} {place}"
        return await self._look_ups.find(
            name, f"{effect.kind.value}s.list", pages, partial(reading.made_if_ours, effect)
        )

    def credit_notes_of_ours(self) -> AsyncIterator[Holding]:
        """Every credit note that carries an effect's id, void ones too; for the close."""
        turn = partial(self._api.credit_notes.list_async, {"limit": PAGE})
        return each(self._line, "credit_notes.list", turn, reading.holding)

    def balance_credits_of_ours(self, customer_id: str) -> AsyncIterator[Holding]:
        """Every entry of a customer's balance that carries an effect's id.

        Raises:
            CallRefused: Stripe does not show the customer.
        """
        turn = partial(self._api.customers.balance_transactions.list_async, customer_id, {"limit": PAGE})
        return each(self._line, "customer_balance_transactions.list", turn, reading.holding)

    async def _create(self, effect: Effect) -> reading.Doc:
        if effect.kind is EffectKind.CREDIT_NOTE:
            return await self._answer("post", "/v1/credit_notes", effect.params, idempotency_key=effect.key)
        path = f"/v1/customers/{quote_plus(effect.customer_id)}/balance_transactions"
        return await self._answer("post", path, effect.params, idempotency_key=effect.key)

    def _kin(self, effect: Effect) -> tuple[str, Pages]:
        """Whose list the effect's object would be in, and its pages."""
        if effect.kind is EffectKind.CREDIT_NOTE:
            invoice = effect.params["invoice"]
            return invoice, lambda cursor: self._api.credit_notes.list_async(
                cast("CreditNoteListParams", {"invoice": invoice, "limit": PAGE, **cursor})
            )
        entries = self._api.customers.balance_transactions
        return effect.customer_id, lambda cursor: entries.list_async(
            effect.customer_id, cast("CustomerBalanceTransactionListParams", {"limit": PAGE, **cursor})
        )

    async def _answer(
        self, method: str, path: str, asked: Mapping[str, Any] | None = None, **options: str
    ) -> reading.Doc:
        """One call through the SDK, its answer as plain JSON: the SDK's objects cost as much as the call itself."""
        answer = await self._client.raw_request_async(method, path, **(asked or {}), **options)
        return cast("reading.Doc", answer.data)

    async def _found(
        self,
        operation: str,
        fetch: Callable[[], Awaitable[reading.Doc]],
        read: Callable[[reading.Doc], T],
    ) -> T | None:
        """One object, or None where Stripe says that there is none."""

        async def ask() -> T:
            return read(await fetch())

        try:
            return await self._line.read(operation, ask)
        except CallRefused as refused:
            if refused.code == "resource_missing":
                return None
            raise
