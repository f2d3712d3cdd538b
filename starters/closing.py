"""The close: reading both sides and comparing them. Nothing is written, in Stripe or here."""

import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from plixo.domain.approval import State
from plixo.domain.reconciling import Close, Granted, Holding, compare
from plixo.ports import CallRefused, Customer
from plixo.store import granted
from plixo.store.ledger import SqlLedger

_WRITTEN: Final = frozenset({State.EXECUTED, State.NEEDS_ATTENTION})


class Books(Protocol):
    """What the close reads of Stripe."""

    async def customers(self, limit: int = 100) -> Sequence[Customer]:
        """The newest customers."""
        ...

    def credit_notes_of_ours(self) -> AsyncIterator[Holding]:
        """Every credit note that carries an effect's id."""
        ...

    def balance_credits_of_ours(self, customer_id: str) -> AsyncIterator[Holding]:
        """Every entry of a customer's balance that carries an effect's id."""
        ...


async def close(ledger: SqlLedger, books: Books, *, every_customer: bool = False) -> Close:
    """Compare what Stripe holds with what was approved.

    Args:
        ledger: Our side.
        books: Stripe's, by listing: its search knows neither kind of object.
        every_customer: Look through the balances of all customers in Stripe, not only of those that requests name.

    Raises:
        plixo.ports.PaymentsError: Stripe cannot be read.
    """
    async with ledger.read() as session:
        before = await granted.every(session)
    customers = {one.customer_id for one in before}
    holdings = [held async for held in books.credit_notes_of_ours()]
    if every_customer:
        customers |= {one.customer_id for one in await books.customers(limit=sys.maxsize)}
    for customer_id in sorted(customers):
        holdings += await _balance(books, customer_id)
    async with ledger.read() as session:
        after = await granted.every(session)
    return compare(_settled(before, after), holdings)


def _settled(before: Sequence[Granted], after: Sequence[Granted]) -> list[Granted]:
    """What was applied while Stripe was being read may or may not have been seen there: it is under way."""
    known = {one.approval_id: one.state for one in before}
    moved = {one.approval_id for one in after if one.state in _WRITTEN and known.get(one.approval_id) != one.state}
    return [replace(one, state=State.EXECUTING) if one.approval_id in moved else one for one in after]


async def _balance(books: Books, customer_id: str) -> list[Holding]:
    try:
        return [held async for held in books.balance_credits_of_ours(customer_id)]
    except CallRefused as refused:
        if refused.code != "resource_missing":
            raise
        return []  # Stripe no longer shows the customer: what was applied there is found here only
