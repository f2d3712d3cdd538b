"""Reading and writing signed decisions."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import Decision, Verdict
from plixo.domain.people import Group
from plixo.ports import StoredDecision
from plixo.store.models import DecisionRow


async def insert(session: AsyncSession, decision: Decision, signed: str, now: datetime) -> None:
    """Keep a signed decision before anybody is told of it."""
    session.add(
        DecisionRow(
            decision_id=decision.decision_id,
            approval_id=decision.approval_id,
            round=decision.round,
            stage=decision.stage,
            person_id=decision.person_id,
            group=decision.group.value if decision.group else None,
            verdict=decision.verdict.value,
            digest=decision.digest,
            amount_minor=decision.amount_minor,
            comment=decision.comment,
            signed=signed,
            status="submitted",
            position=None,
            why="",
            submitted_at=now,
            settled_at=None,
            told_at=None,
        ),
    )
    await session.flush()


async def load(session: AsyncSession, decision_id: str) -> StoredDecision | None:
    """One decision."""
    row = await session.get(DecisionRow, decision_id, populate_existing=True)
    return _stored(row) if row else None


async def of_approval(session: AsyncSession, approval_id: str) -> Sequence[StoredDecision]:
    """All decisions on a request, in the order they were signed."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.approval_id == approval_id)
        .order_by(DecisionRow.submitted_at, DecisionRow.decision_id)
    )
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def recorded(session: AsyncSession, approval_id: str) -> tuple[Decision, ...]:
    """What was recorded of a request, in the order it was recorded."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.approval_id == approval_id, DecisionRow.status == "recorded")
        .order_by(DecisionRow.position)
    )
    return tuple(_decision(row) for row in (await session.execute(query)).scalars())


async def settle(session: AsyncSession, decision_id: str, status: str, why: str, now: datetime) -> None:
    """Say what became of a decision; a recorded one gets the next place in its request's order."""
    row = await session.get_one(DecisionRow, decision_id)
    row.status, row.why, row.settled_at = status, why, now
    if status == "recorded":
        last = select(func.max(DecisionRow.position)).where(DecisionRow.approval_id == row.approval_id)
        row.position = ((await session.execute(last)).scalar_one() or 0) + 1
    await session.flush()


async def told(session: AsyncSession, decision_id: str, now: datetime) -> None:
    """Its workflow surely knows of it, whatever dies: it said so."""
    row = await session.get_one(DecisionRow, decision_id)
    row.told_at = row.told_at or now
    await session.flush()


async def untaken(session: AsyncSession, before: datetime, limit: int = 100) -> Sequence[StoredDecision]:
    """Decisions that were signed before the moment and not taken up yet, oldest first."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.status == "submitted", DecisionRow.submitted_at < before)
        .order_by(DecisionRow.submitted_at)
        .limit(limit)
    )
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def unconfirmed(session: AsyncSession, before: datetime, limit: int = 100) -> Sequence[StoredDecision]:
    """Decisions that were recorded, and of which their workflow may not know, oldest first.

    Temporal notes what was recorded after it was: a server or a worker that dies in between has forgotten it, and the
    workflow would wait on.
    """
    query = (
        select(DecisionRow)
        .where(DecisionRow.told_at.is_(None), DecisionRow.status == "recorded", DecisionRow.submitted_at < before)
        .order_by(DecisionRow.submitted_at)
        .limit(limit)
    )
    return [_stored(row) for row in (await session.execute(query)).scalars()]


def _decision(row: DecisionRow) -> Decision:
    return Decision(
        decision_id=row.decision_id,
        approval_id=row.approval_id,
        round=row.round,
        stage=row.stage,
        person_id=row.person_id,
        group=Group(row.group) if row.group else None,
        verdict=Verdict(row.verdict),
        digest=row.digest,
        amount_minor=row.amount_minor,
        comment=row.comment,
    )


def _stored(row: DecisionRow) -> StoredDecision:
    return StoredDecision(_decision(row), row.signed, row.status, row.submitted_at, row.why)
