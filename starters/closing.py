"""The close: reading both sides and comparing them. Nothing is written, in Stripe or here."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from plixo.domain.approval import State
from plixo.domain.change import TargetKind
from plixo.domain.decision import Verdict
from plixo.domain.finance_sheet import Line, Period, Sheet, tie, untied
from plixo.domain.ids import approval_of_effect
from plixo.domain.payments import CallRefused, PaymentsError
from plixo.domain.reconciling import Close, Granted, Holding, compare
from plixo.ports import Clock, Customer, Record
from plixo.store import applied, granted, people
from plixo.store.ledger import SqlLedger

SLACK: Final = timedelta(hours=1)
"""How far Stripe's clock and ours may lie apart."""

STRIPE_SECONDS: Final = 20.0
"""How long a sheet waits for Stripe's lists."""

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


async def sheet(ledger: SqlLedger, books: Books, period: Period, clock: Clock) -> Sheet:
    """The finance sheet of a period, tied to Stripe where it can be read in time.

    Balances are looked through for the customers whose balance was credited in the period; `close` knows how to look
    through all.
    """
    began = clock()
    records = await _applied(ledger, period, began)
    lines = await _lines(ledger, records)
    try:
        async with asyncio.timeout(STRIPE_SECONDS):
            holdings = await _holdings(books, records, period)
    except PaymentsError as failure:
        return untied(period, lines, f"Stripe cannot be read: {failure}")
    except TimeoutError:
        words = f"Stripe's lists take longer than {STRIPE_SECONDS:.0f} s; choose a later or a shorter period"
        return untied(period, lines, words)
    here = {line.approval_id for line in lines}
    async with ledger.read() as session:
        known = await granted.of(session, here | {approval_of_effect(held.effect_id) for held in holdings})
    others = {one.effect_id: one for one in known if one.approval_id not in here}
    # What was applied in another period, or since this began, is told of there.
    elsewhere = {name for name, one in others.items() if one.state is State.EXECUTED}
    kept = [held for held in holdings if held.effect_id not in elsewhere]
    mine = [one for one in known if one.effect_id not in elsewhere]
    return tie(period, lines, mine, kept)


async def sheet_lines(ledger: SqlLedger, period: Period, clock: Clock) -> Sequence[Line]:
    """The lines of a period's sheet alone; Stripe is not read."""
    return await _lines(ledger, await _applied(ledger, period, clock()))


async def _applied(ledger: SqlLedger, period: Period, began: datetime) -> Sequence[Record]:
    async with ledger.read() as session:
        found = await applied.ids_between(session, period.since, min(period.until, began))
        place = {approval_id: number for number, approval_id in enumerate(found)}
        records = await applied.with_decisions(session, found)
    return sorted(records, key=lambda record: place[record.approval.approval_id])


async def _holdings(books: Books, records: Sequence[Record], period: Period) -> list[Holding]:
    """What Stripe made in the period, and what it made before that for requests which ended in it."""
    oldest = min([period.since, *(record.created_at for record in records)]) - SLACK
    wanted = {record.stripe_object for record in records}
    found: list[Holding] = []
    async for held in books.credit_notes_of_ours():
        if held.made_at and held.made_at < oldest:  # the newest come first
            break
        found.append(held)
    balance = {one.change.customer_id for one in records if one.change.target.kind is TargetKind.CUSTOMER_BALANCE}
    for customer_id in sorted(balance):
        found += await _balance(books, customer_id)
    mine = {record.approval.approval_id for record in records}
    return [
        held
        for held in found
        if held.object_id in wanted
        or approval_of_effect(held.effect_id) in mine
        or held.made_at is None
        or held.made_at in period
    ]


async def _lines(ledger: SqlLedger, records: Sequence[Record]) -> Sequence[Line]:
    async with ledger.read() as session:
        names = {person.person_id: person.name for person in await people.everybody(session)}
    return [_line(record, names) for record in records]


def _line(record: Record, names: Mapping[str, str]) -> Line:
    approval, change = record.approval, record.change
    agreed = [one for one in approval.decisions if one.verdict is Verdict.APPROVE and approval.counts(one)]
    balance = change.target.kind is TargetKind.CUSTOMER_BALANCE
    assert record.ended_at is not None, "what was applied has ended"
    return Line(
        approval_id=approval.approval_id,
        kind=change.kind,
        requester=names.get(approval.requester_id, approval.requester_id),
        approvers=tuple(names.get(one.person_id, one.person_id) for one in agreed),
        reason=change.reason.label,
        customer=record.customer_name,
        invoice="" if balance else change.target.number or change.target.target_id,
        amounts=record.amounts,
        stripe_id=record.stripe_object,
        applied_at=record.ended_at,
    )
