"""The sums that limits depend on, read under a lock so that two requests at once cannot both slip under."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.approval import COUNTED, State
from plixo.domain.facts import Sums
from plixo.store.models import ApprovalRow


async def lock(session: AsyncSession, *names: str) -> None:
    """Hold every name until the transaction ends, always in the same order so that nobody waits in a circle.

    SQLite has one writer at a time already.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for name in sorted(names):
        await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def read(session: AsyncSession, requester_id: str, customer_id: str, now: datetime, days: int) -> Sums:
    """What was granted before, in minor units of the base currency."""
    given = {
        "requester": requester_id,
        "customer": customer_id,
        "since": now - timedelta(days=days),
        "today": now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
    }
    row = (await session.execute(_ALL, given)).mappings().one()
    return Sums(**{name: int(total) for name, total in row.items()})


_UNCOUNTED: Final = [state.value for state in State if state not in COUNTED]
"""Said by what they leave out: SQLite takes a list of states that it may have for the best way to the rows, and reads
every request that there is instead of the index that holds the sum."""


def _sum(since: str, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """One of the sums; each finds its rows by an index of its own."""
    return (
        select(func.coalesce(func.sum(ApprovalRow.base_minor), 0))
        .where(
            ApprovalRow.created_at >= bindparam(since),
            ApprovalRow.state.not_in(_UNCOUNTED),
            *conditions,
        )
        .scalar_subquery()
    )


_REQUESTER: Final = ApprovalRow.requester_id == bindparam("requester")
_CUSTOMER: Final = ApprovalRow.customer_id == bindparam("customer")
_AUTOMATIC: Final = ApprovalRow.automatic.is_(True)
_ALL: Final = select(
    _sum("since", _REQUESTER, _AUTOMATIC).label("requester_automatic"),
    _sum("since", _CUSTOMER, _AUTOMATIC).label("customer_automatic"),
    _sum("since", _CUSTOMER).label("customer_all"),
    _sum("today").label("company_day"),
    _sum("today", _REQUESTER).label("requester_day"),
)
