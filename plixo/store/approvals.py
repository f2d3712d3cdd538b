"""Reading and writing approval requests."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import COUNTED, ENDED, Approval, State
from plixo.domain.change import ProposedChange
from plixo.domain.clocks import Moments
from plixo.domain.decision import Decision
from plixo.domain.effects import Amounts
from plixo.domain.escalation import Escalated
from plixo.domain.path import ApprovalPath
from plixo.domain.people import Group
from plixo.ports import Record
from plixo.store import readable
from plixo.store.decisions import recorded
from plixo.store.models import ApprovalRow
from plixo.store.statements import Statement, everything_of, insert_into

_NEW: Final = Statement(insert_into(ApprovalRow))

log = logging.getLogger(__name__)

Could = tuple[tuple[Group, int], ...]
"""Per seat, how many people could decide when its stage began."""

# Statements that every request needs many times are built once: building one takes longer than running it.
_BY_ID: Final = everything_of(ApprovalRow).where(ApprovalRow.approval_id == bindparam("approval_id"))
_ONE: Final = Statement(_BY_ID)
_ONE_LOCKED: Final = Statement(_BY_ID.with_for_update())


_MOVING: Final = (
    *("net_minor", "tax_minor", "gross_minor", "state", "round", "stage", "waits_for", "stand_ins"),
    *("stage_since", "due_at", "clocks", "ended_at", "stripe_object", "why", "amended_by"),
)
_SAVED: Final = Statement(
    update(ApprovalRow)
    .where(ApprovalRow.approval_id == bindparam("saved_id"))
    .values({name: bindparam(name) for name in _MOVING}),
)
_BY_REQUEST_ID: Final = select(ApprovalRow.approval_id).where(
    ApprovalRow.requester_id == bindparam("requester_id"),
    ApprovalRow.request_id == bindparam("request_id"),
)
_PENDING: Final = select(func.coalesce(func.sum(ApprovalRow.amount_minor), 0)).where(
    ApprovalRow.target_id == bindparam("target_id"),
    ApprovalRow.currency == bindparam("currency"),
    ApprovalRow.approval_id != bindparam("but"),
    ApprovalRow.state.in_([state.value for state in COUNTED - {State.EXECUTED, State.NEEDS_ATTENTION}]),
)


async def load(session: AsyncSession, approval_id: str, *, lock: bool) -> Record | None:
    """The request with its recorded decisions; locked until the transaction ends when asked for."""
    row = await (_ONE_LOCKED if lock else _ONE).first(session, approval_id=approval_id)
    return to_record(row, await recorded(session, approval_id)) if row else None


async def by_request_id(session: AsyncSession, requester_id: str, request_id: str) -> Record | None:
    """The request that this person made under their own id."""
    given = {"requester_id": requester_id, "request_id": request_id}
    found = (await session.execute(_BY_REQUEST_ID, given)).scalar_one_or_none()
    return await load(session, found, lock=False) if found else None


async def by_request_ids(session: AsyncSession, requester_id: str, request_ids: Collection[str]) -> Sequence[Record]:
    """Those of the requests that this person made under these ids of their own; decisions are left out."""
    query = select(ApprovalRow).where(
        ApprovalRow.requester_id == requester_id,
        ApprovalRow.request_id.in_(sorted(set(request_ids))),
    )
    return [to_record(row, ()) for row in await readable.rows(session, query, ApprovalRow.approval_id)]


async def insert(session: AsyncSession, record: Record) -> None:
    """Keep a new request; its amount counts in every sum from the end of this transaction on."""
    change, approval = record.change, record.approval
    row = {
        "approval_id": approval.approval_id,
        "kind": change.kind,
        "request_id": record.request_id,
        "requester_id": approval.requester_id,
        "customer_id": change.customer_id,
        "customer_name": record.customer_name,
        "target_id": change.target.target_id,
        "change": change.to_claims(),
        "digest": approval.digest,
        "amount_minor": change.amount.minor,
        "currency": change.amount.currency,
        "base_minor": record.base_minor,
        "base_currency": record.base_currency,
        "rate": record.rate,
        "rate_as_of": record.rate_as_of,
        "policy": record.policy,
        "path": approval.path.to_claims(),
        "automatic": approval.path.automatic,
        "signed": record.signed,
        "created_at": record.created_at,
        "bulk": record.bulk,
        "since_round": approval.since_round,
        "routed_at": None,
        **_moving(record),
    }
    await _NEW.change(session, **row)


async def save(session: AsyncSession, record: Record) -> None:
    """Write back what may change of a request; triggers refuse a state that cannot follow."""
    await _SAVED.change_one(session, saved_id=record.approval.approval_id, **_moving(record))


async def unstarted(session: AsyncSession, before: datetime, limit: int = 100) -> Sequence[str]:
    """Requests made before the moment whose workflow has not opened them yet, oldest first."""
    query = (
        select(ApprovalRow.approval_id)
        .where(ApprovalRow.state == State.ROUTING.value, _made_before(before))
        .order_by(ApprovalRow.created_at)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


def _made_before(moment: datetime) -> ColumnElement[bool]:
    """Also rows of a far future, which no clock of ours has written: they would count in every sum for good."""
    return or_(ApprovalRow.created_at < moment, ApprovalRow.created_at > moment + timedelta(days=1))


async def unended(session: AsyncSession, ids: Collection[str]) -> set[str]:
    """Which of these are requests that have not come to their end."""
    ended = [state.value for state in ENDED]
    query = select(ApprovalRow.approval_id).where(ApprovalRow.approval_id.in_(ids), ApprovalRow.state.not_in(ended))
    return set((await session.execute(query)).scalars())


async def under_way(session: AsyncSession, before: datetime) -> Sequence[str]:
    """Requests made before the moment that were opened and have not come to their end, oldest first."""
    resting = [state.value for state in ENDED | {State.ROUTING}]
    query = (
        select(ApprovalRow.approval_id)
        .where(ApprovalRow.state.not_in(resting), _made_before(before))
        .order_by(ApprovalRow.created_at)
    )
    return (await session.execute(query)).scalars().all()


async def pending_on(session: AsyncSession, target_id: str, currency: str, *, but: str = "") -> int:
    """What requests already ask of the same target and have not applied, in minor units of the currency.

    What was applied is in Stripe's own figures, and so is what needs attention, if it was applied.

    Args:
        session: Reads the database.
        target_id: Of an invoice.
        currency: Its own.
        but: A request that is left out.
    """
    given = {"target_id": target_id, "currency": currency, "but": but}
    return int((await session.execute(_PENDING, given)).scalar_one())


async def likely_duplicates(session: AsyncSession, target_id: str, customer_id: str, since: datetime) -> list[Record]:
    """Requests of the last days that ask for the same invoice or the same customer's balance again."""
    query = (
        select(ApprovalRow)
        .where(
            ApprovalRow.target_id == target_id,
            ApprovalRow.customer_id == customer_id,
            ApprovalRow.created_at >= since,
            ApprovalRow.state.in_([state.value for state in COUNTED]),
        )
        .order_by(ApprovalRow.created_at.desc())
        .limit(10)
    )
    return [to_record(row, ()) for row in await readable.rows(session, query, ApprovalRow.approval_id)]


def to_record(row: ApprovalRow, decisions: Sequence[Decision]) -> Record:
    """The row as the rest of the house knows it."""
    change = ProposedChange.from_claims(row.change)
    moments, escalated, could = _clocks(row.clocks)
    approval = Approval(
        approval_id=row.approval_id,
        requester_id=row.requester_id,
        digest=row.digest,
        amount_minor=row.amount_minor,
        path=ApprovalPath.from_claims(row.path),
        kind=row.kind,
        state=State(row.state),
        round=row.round,
        stage=row.stage,
        decisions=tuple(decisions),
        escalated=escalated,
        could=could,
        since_round=row.since_round,
    )
    return Record(
        approval=approval,
        change=change,
        request_id=row.request_id,
        customer_name=row.customer_name,
        base_minor=row.base_minor,
        base_currency=row.base_currency,
        policy=row.policy,
        signed=row.signed,
        amounts=Amounts(row.net_minor, row.tax_minor, row.gross_minor, row.currency),
        created_at=row.created_at,
        stage_since=row.stage_since,
        due_at=row.due_at,
        moments=moments,
        ended_at=row.ended_at,
        stripe_object=row.stripe_object,
        why=row.why,
        bulk=row.bulk,
        rate=row.rate,
        rate_as_of=row.rate_as_of,
        amended_by=row.amended_by,
    )


def _moving(record: Record) -> dict[str, Any]:
    approval = record.approval
    return {
        "net_minor": record.amounts.net_minor,
        "tax_minor": record.amounts.tax_minor,
        "gross_minor": record.amounts.gross_minor,
        "state": approval.state.value,
        "round": approval.round,
        "stage": approval.stage,
        "waits_for": [group.value for group in approval.waiting_groups()],
        "stand_ins": _stand_ins(approval),
        "stage_since": record.stage_since,
        "due_at": record.due_at,
        "clocks": _clock_claims(record),
        "ended_at": record.ended_at,
        "stripe_object": record.stripe_object,
        "why": record.why,
        "amended_by": record.amended_by,
    }


def _stand_ins(approval: Approval) -> str:
    groups = approval.waiting_groups()
    found = {person for one in approval.escalated if one.seat in groups for person, _basis in one.stand_ins}
    found |= {handed.subject for group in groups for handed in approval.handed_on(group)}
    return "".join(stand_in(person) for person in sorted(found))


def stand_in(person_id: str) -> str:
    """How the inbox finds whoever may decide by now in the place of others: by id, each in lines of its own."""
    return f"\n{person_id}\n"


def _clock_claims(record: Record) -> dict[str, Any] | None:
    if record.moments is None:
        return None
    could = {group.value: people for group, people in record.approval.could}
    escalated = [one.to_claims() for one in record.approval.escalated]
    return record.moments.to_claims() | {"escalated": escalated, "could": could}


def _clocks(plain: dict[str, Any] | None) -> tuple[Moments | None, tuple[Escalated, ...], Could]:
    """What happens by the clock, and who could decide when it was set; nothing of it where nothing of ours wrote it."""
    try:
        if plain is not None:
            could = tuple((Group(group), int(people)) for group, people in plain.get("could", {}).items())
            escalated = tuple(Escalated.from_claims(one) for one in plain["escalated"])
            return Moments.from_claims(plain), escalated, could
    except (AttributeError, LookupError, TypeError, ValueError):
        log.warning("the clocks of a request cannot be read")
    return None, (), ()
