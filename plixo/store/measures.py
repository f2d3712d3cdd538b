"""Reading what the measures are made of."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.measures import Decided, Month, Waits, months
from plixo.domain.path import ApprovalPath
from plixo.domain.people import Group
from plixo.store.models import ApprovalRow, DecisionRow

MOST_DECISIONS: Final = 5000
"""How many of the newest decisions are looked at."""

_GROUPS: Final = {group.value: group for group in Group}


async def decided(session: AsyncSession, since: datetime) -> Sequence[Decided]:
    """The newest decisions that were recorded since then: approvals and rejections.

    A stage began to wait when the last decision of the stage before it was signed, and the first when the request was
    made: a worker opens it moments later.
    """
    query = (
        select(DecisionRow, ApprovalRow.created_at, ApprovalRow.path)
        .join(ApprovalRow, ApprovalRow.approval_id == DecisionRow.approval_id)
        .where(
            DecisionRow.settled_at >= since,
            DecisionRow.status == "recorded",
            DecisionRow.verdict.in_([verdict.value for verdict in Verdict if verdict.settles]),
        )
        .order_by(DecisionRow.settled_at.desc())
        .limit(MOST_DECISIONS)
    )
    found = (await session.execute(query)).all()
    began = await _began(session, {row.approval_id for row, _created, _path in found if row.round})
    ended: dict[tuple[str, int, int], datetime] = {}
    for row, _created, _path in found:
        place = (row.approval_id, row.round, row.stage)
        ended[place] = max(ended.get(place, row.submitted_at), row.submitted_at)
    return [
        _decided(row, began.get((row.approval_id, row.round), created), path, ended)
        for row, created, path in found
        if row.group in _GROUPS
    ]


async def _began(session: AsyncSession, ids: Collection[str]) -> Mapping[tuple[str, int], datetime]:
    """When each round but the first of these requests began: its requester had changed it then."""
    query = select(DecisionRow).where(
        DecisionRow.approval_id.in_(sorted(ids)),
        DecisionRow.verdict == Verdict.AMEND.value,
        DecisionRow.status == "recorded",
    )
    changed = (await session.execute(query)).scalars() if ids else ()
    return {(row.approval_id, row.round + 1): row.submitted_at for row in changed}


async def waits(session: AsyncSession, now: datetime) -> Sequence[Waits]:
    """Where requests wait now, most of them first."""
    query = (
        select(ApprovalRow.waits_on, func.count(), func.count().filter(ApprovalRow.due_at < now))
        .where(ApprovalRow.state == State.WAITING.value)
        .group_by(ApprovalRow.waits_on)
    )
    asked, late = Counter[tuple[Group, ...]](), defaultdict[tuple[Group, ...], int](int)
    for words, requests, overdue in (await session.execute(query)).all():
        groups = tuple(group for group in Group if group.value in (words or "").split(","))
        asked[groups] += requests
        late[groups] += overdue
    return [Waits(groups, requests, late[groups]) for groups, requests in asked.most_common()]


async def volumes(session: AsyncSession, now: datetime, count: int) -> Sequence[Month]:
    """What was asked for in each of so many months, oldest first."""
    edges = months(now, count)
    found = []
    for first, after in pairwise(edges):
        made = (ApprovalRow.created_at >= first, ApprovalRow.created_at < after)
        applied = func.count().filter(ApprovalRow.state == State.EXECUTED.value)
        row = (await session.execute(select(func.count(), applied).select_from(ApprovalRow).where(*made))).one()
        found.append(Month(first, int(row[0]), int(row[1])))
    return found


def _decided(
    row: DecisionRow, created: datetime, path: dict[str, object], ended: dict[tuple[str, int, int], datetime]
) -> Decided:
    stages = ApprovalPath.from_claims(path).stages
    due = stages[row.stage].clock.due_hours if row.stage < len(stages) else 0
    asked = ended.get((row.approval_id, row.round, row.stage - 1), created)
    return Decided(_GROUPS[row.group or ""], asked, row.submitted_at, due)
