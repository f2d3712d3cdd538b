"""Requests as they were routed, light enough to read ten thousand of them at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import COUNTED, ENDED
from plixo.store.models import ApprovalRow

_COUNTED: Final = frozenset(state.value for state in COUNTED)
_OPEN: Final = ApprovalRow.state.not_in([state.value for state in ENDED])


class Earlier(NamedTuple):
    """What a request adds to the sums of later ones.

    Attributes:
        approval_id: Its id.
        requester_id: Who asked.
        customer_id: For whom.
        base_minor: Its amount in minor units of the base currency.
        automatic: Whether nobody was asked.
        created_at: Since when it counts.
        until: When it ceased to count, as a rejected one does; None while it counts.
    """

    approval_id: str
    requester_id: str
    customer_id: str
    base_minor: int
    automatic: bool
    created_at: datetime
    until: datetime | None


class Routed(NamedTuple):
    """The rest of what a request was routed with.

    Attributes:
        kind: `credit`.
        reason: Its reason code.
        customer_name: For people.
        amount_minor: In minor units of its own currency.
        currency: Its own.
        base_currency: That of the policy.
        rate: What it was converted at, as text; None without a rate.
        rate_as_of: Since when that rate was known.
        policy: Version and start of the hash.
        path: Its approval path, as plain data.
        state: Where it stands.
        open: Whether it has not come to its end.
    """

    kind: str
    reason: str
    customer_name: str
    amount_minor: int
    currency: str
    base_currency: str
    rate: str | None
    rate_as_of: datetime | None
    policy: str
    path: dict[str, Any]
    state: str
    open: bool


async def routed_since(session: AsyncSession, since: datetime) -> dict[str, Routed]:
    """Requests made since the moment, and every open one, by id."""
    row = ApprovalRow
    query = select(
        row.approval_id, row.kind, row.change["reason"].as_string(), row.customer_name, row.amount_minor, row.currency,
        row.base_currency, row.rate, row.rate_as_of, row.policy, row.path, row.state, _OPEN,
    ).where(or_(row.created_at >= since, _OPEN))  # fmt: skip
    return dict(_routed(*found) for found in (await session.execute(query)).all())


async def earlier(session: AsyncSession, since: datetime, window: timedelta) -> Sequence[Earlier]:
    """Every request that the sums of those since the moment, and of every open one, may add up; oldest first."""
    row = ApprovalRow
    oldest_open = (await session.execute(select(func.min(row.created_at)).where(_OPEN))).scalar_one_or_none()
    oldest = min(since, oldest_open) if oldest_open else since
    query = (
        select(
            row.approval_id, row.requester_id, row.customer_id, row.base_minor, row.automatic, row.created_at,
            row.state, row.ended_at,
        )
        .where(row.created_at >= oldest - window)
        .order_by(row.created_at, row.approval_id)
    )  # fmt: skip
    return [_earlier(*found) for found in (await session.execute(query)).all()]


def _earlier(*found: Any) -> Earlier:  # noqa: ANN401 - a row of many columns
    *told, created_at, state, ended_at = found
    until = None if state in _COUNTED else ended_at or created_at
    return Earlier._make([*told, created_at, until])


def _routed(approval_id: str, *rest: Any) -> tuple[str, Routed]:  # noqa: ANN401
    *told, is_open = rest
    return approval_id, Routed._make([*told, bool(is_open)])
