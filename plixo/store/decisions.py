"""Reading and writing signed decisions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from plixo.domain.approval import State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.people import Group
from plixo.ports import StoredDecision
from plixo.store.models import ApprovalRow, DecisionRow
from plixo.store.statements import Statement, everything_of, insert_into

_NEW: Final = Statement(insert_into(DecisionRow))
_APPROVAL: Final = DecisionRow.approval_id == bindparam("approval_id")
_ROWS: Final = everything_of(DecisionRow)
_OF_APPROVAL: Final = Statement(_ROWS.where(_APPROVAL).order_by(DecisionRow.submitted_at, DecisionRow.decision_id))
_RECORDED: Final = Statement(_ROWS.where(_APPROVAL, DecisionRow.status == "recorded").order_by(DecisionRow.position))
_OF_APPROVALS: Final = (
    select(DecisionRow)
    .where(DecisionRow.approval_id.in_(bindparam("approval_ids", expanding=True)))
    .order_by(DecisionRow.approval_id, DecisionRow.position)
)
_ONE: Final = Statement(_ROWS.where(DecisionRow.decision_id == bindparam("decision_id")))
_SETTLED_AS: Final = Statement(
    update(DecisionRow)
    .where(DecisionRow.decision_id == bindparam("settled_id"))
    .values({name: bindparam(name) for name in ("status", "why", "settled_at")}),
)
_OTHER: Final = aliased(DecisionRow)
_LAST: Final = select(func.coalesce(func.max(_OTHER.position), 0)).where(_OTHER.approval_id == DecisionRow.approval_id)
_PLACED: Final = Statement(
    update(DecisionRow)
    .where(DecisionRow.decision_id == bindparam("placed_id"))
    .values(position=_LAST.scalar_subquery() + 1),
)


async def insert(session: AsyncSession, decision: Decision, signed: str, now: datetime) -> None:
    """Keep a signed decision before anybody is told of it."""
    row = {
        "decision_id": decision.decision_id,
        "approval_id": decision.approval_id,
        "round": decision.round,
        "stage": decision.stage,
        "person_id": decision.person_id,
        "group": decision.group.value if decision.group else None,
        "verdict": decision.verdict.value,
        "digest": decision.digest,
        "amount_minor": decision.amount_minor,
        "comment": decision.comment,
        "basis": decision.basis,
        "subject": decision.subject,
        "signed": signed,
        "status": "submitted",
        "position": None,
        "why": "",
        "submitted_at": now,
        "settled_at": None,
    }
    await _NEW.change(session, **row)


async def load(session: AsyncSession, decision_id: str) -> StoredDecision | None:
    """One decision."""
    row = await _ONE.first(session, decision_id=decision_id)
    return _stored(row) if row else None


async def of_approval(session: AsyncSession, approval_id: str) -> Sequence[StoredDecision]:
    """All decisions on a request, in the order they were signed."""
    return [_stored(row) for row in await _OF_APPROVAL.rows(session, approval_id=approval_id)]


async def recorded(session: AsyncSession, approval_id: str) -> tuple[Decision, ...]:
    """What was recorded of a request, in the order it was recorded."""
    return tuple([_decision(row) for row in await _RECORDED.rows(session, approval_id=approval_id)])


async def recorded_of(session: AsyncSession, approval_ids: Collection[str]) -> Mapping[str, tuple[Decision, ...]]:
    """What was recorded of each of these requests, in the order it was recorded."""
    found: dict[str, tuple[Decision, ...]] = {}
    if approval_ids:
        for row in (await session.execute(_OF_APPROVALS, {"approval_ids": sorted(approval_ids)})).scalars():
            if row.status == "recorded":  # asked for here, it would tempt SQLite to read all that ever was
                found[row.approval_id] = (*found.get(row.approval_id, ()), _decision(row))
    return found


async def of_approvals(session: AsyncSession, approval_ids: Collection[str]) -> Mapping[str, Sequence[StoredDecision]]:
    """All decisions on each of these requests, in the order they were signed."""
    found: dict[str, list[StoredDecision]] = {approval_id: [] for approval_id in approval_ids}
    if approval_ids:
        for row in (await session.execute(_OF_APPROVALS, {"approval_ids": sorted(approval_ids)})).scalars():
            found[row.approval_id].append(_stored(row))
    return {one: sorted(stored, key=lambda each: each.submitted_at) for one, stored in found.items()}


async def settle(session: AsyncSession, decision_id: str, status: str, why: str, now: datetime) -> None:
    """Say what became of a decision; a recorded one gets the next place in its request's order."""
    await _SETTLED_AS.change_one(session, settled_id=decision_id, status=status, why=why, settled_at=now)
    if status == "recorded":
        await _PLACED.change_one(session, placed_id=decision_id)


async def untaken(session: AsyncSession, before: datetime, limit: int = 1000) -> Sequence[str]:
    """Ids of decisions that were signed before the moment and not taken up yet, oldest first."""
    query = (
        select(DecisionRow.decision_id)
        .where(DecisionRow.status == "submitted", DecisionRow.submitted_at < before)
        .order_by(DecisionRow.submitted_at)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


_JUST_ENDED: Final = timedelta(hours=1)
"""How long a workflow is asked after that should have ended with its request; its next timer ends it in any case."""


async def settling(session: AsyncSession, before: datetime) -> Sequence[tuple[str, str]]:
    """Requests that people settled before the moment, and whose workflow may not know, oldest first.

    These are the approved ones that nobody has begun to apply, and those that were rejected or withdrawn just now.

    Returns:
        Each request's id, and that of a decision that was recorded on it.
    """
    last = func.max(DecisionRow.settled_at)
    query = (
        select(DecisionRow.approval_id, func.min(DecisionRow.decision_id))
        .join(ApprovalRow, ApprovalRow.approval_id == DecisionRow.approval_id)
        .where(
            ApprovalRow.state.in_(_SETTLED),
            or_(ApprovalRow.state == State.APPROVED.value, ApprovalRow.ended_at > before - _JUST_ENDED),
            DecisionRow.status == "recorded",
        )
        .group_by(DecisionRow.approval_id)
        .having(last < before)
        .order_by(last)
    )
    return [(approval_id, decision_id) for approval_id, decision_id in await session.execute(query)]


_SETTLED: Final = (State.APPROVED.value, State.REJECTED.value, State.WITHDRAWN.value)

_GROUPS: Final = frozenset(group.value for group in Group)
"""A row that names another one was not written by the staff side: it fits no signature, and holds up nobody."""


def _decision(row: DecisionRow) -> Decision:
    return Decision(
        decision_id=row.decision_id,
        approval_id=row.approval_id,
        round=row.round,
        stage=row.stage,
        person_id=row.person_id,
        group=Group(row.group) if row.group in _GROUPS else None,
        verdict=Verdict(row.verdict),
        digest=row.digest,
        amount_minor=row.amount_minor,
        comment=row.comment,
        basis=row.basis,
        subject=row.subject,
    )


def _stored(row: DecisionRow) -> StoredDecision:
    return StoredDecision(_decision(row), row.signed, row.status, row.submitted_at, row.why)
