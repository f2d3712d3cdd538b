"""The sums that limits depend on, read under a lock so that two requests at once cannot both slip under."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from plixo.domain.approval import COUNTED, State
from plixo.domain.facts import Sums
from plixo.store.models import AmendmentRow, ApprovalRow, DecisionRow


async def lock(session: AsyncSession, *names: str) -> None:
    """Hold every name until the transaction ends, always in the same order so that nobody waits in a circle.

    SQLite has one writer at a time already.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for name in sorted(names):
        await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def read(
    session: AsyncSession, requester_id: str, customer_id: str, now: datetime, days: int, *, but: str = ""
) -> Sums:
    """What was granted before, in minor units of the base currency.

    A request counts from when it was made, or from when its requester last changed it to more than a smaller amount.

    Args:
        session: Reads the database.
        requester_id: Who asks.
        customer_id: For whom.
        now: What time it is.
        days: How far the sums go back.
        but: A request that is left out, since it is asked for anew; none, where it is empty.
    """
    given = {
        "requester": requester_id,
        "customer": customer_id,
        "since": now - timedelta(days=days),
        "today": now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
    }
    row = (await session.execute(_ALL, given)).mappings().one()
    own = (await session.execute(_OWN, {**given, "but": but})).mappings().one() if but else {}
    to_come = (await session.execute(_TO_COME, {**given, "but": but})).mappings().one()
    return Sums(**{name: int(total) - int(own.get(name, 0)) + int(to_come[name]) for name, total in row.items()})


_UNCOUNTED: Final = [state.value for state in State if state not in COUNTED]
"""Said by what they leave out: SQLite takes a list of states that it may have for the best way to the rows, and reads
every request that there is instead of the index that holds the sum."""


_Column = InstrumentedAttribute[Any]


def _since_created(since: str) -> ColumnElement[bool]:
    return ApprovalRow.created_at >= bindparam(since)


def _since_routed(since: str) -> ColumnElement[bool]:
    """Made before that and routed anew after it."""
    return and_(ApprovalRow.routed_at >= bindparam(since), _unindexed(ApprovalRow.created_at) < bindparam(since))


def _itself_since(since: str) -> ColumnElement[bool]:
    itself = ApprovalRow.approval_id == bindparam("but")
    return and_(itself, func.coalesce(ApprovalRow.routed_at, ApprovalRow.created_at) >= bindparam(since))


def _indexed(column: _Column) -> ColumnElement[Any]:
    return column.expression


def _unindexed(column: _Column) -> ColumnElement[Any]:
    """The column, so that the few requests that were routed anew are found by the index that holds those alone."""
    return func.coalesce(column, column)


def _sums(
    in_time: Callable[[str], ColumnElement[bool]], by: Callable[[_Column], ColumnElement[Any]]
) -> dict[str, ScalarSelect[int]]:
    """Each of the sums; each finds its rows by an index of its own."""
    requester = by(ApprovalRow.requester_id) == bindparam("requester")
    customer = by(ApprovalRow.customer_id) == bindparam("customer")
    automatic = ApprovalRow.automatic.is_(True)

    def one(since: str, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
        found = select(func.coalesce(func.sum(ApprovalRow.base_minor), 0))
        return found.where(in_time(since), ApprovalRow.state.not_in(_UNCOUNTED), *conditions).scalar_subquery()

    return {
        "requester_automatic": one("since", requester, automatic),
        "customer_automatic": one("since", customer, automatic),
        "customer_all": one("since", customer),
        "company_day": one("today"),
        "requester_day": one("today", requester),
    }


_CREATED: Final = _sums(_since_created, _indexed)
_ROUTED: Final = _sums(_since_routed, _unindexed)
_ITSELF: Final = _sums(_itself_since, _unindexed)
_ALL: Final = select(*((_CREATED[name] + _ROUTED[name]).label(name) for name in _CREATED))
_OWN: Final = select(*(total.label(name) for name, total in _ITSELF.items()))


def _to_come() -> Select[int, int, int, int, int]:
    """What signed amendments ask for that are not taken up yet; what they take the place of still counts beside it."""
    mine, automatic = AmendmentRow.requester_id == bindparam("requester"), AmendmentRow.automatic.is_(True)
    customer = ApprovalRow.customer_id == bindparam("customer")
    today = AmendmentRow.created_at >= bindparam("today")

    def one(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((and_(*conditions), AmendmentRow.base_minor), else_=0)), 0)

    return (
        select(
            one(mine, automatic).label("requester_automatic"),
            one(customer, automatic).label("customer_automatic"),
            one(customer).label("customer_all"),
            one(today).label("company_day"),
            one(today, mine).label("requester_day"),
        )
        .select_from(AmendmentRow)
        .join(DecisionRow, DecisionRow.decision_id == AmendmentRow.decision_id)
        .join(ApprovalRow, ApprovalRow.approval_id == AmendmentRow.approval_id)
        .where(
            DecisionRow.status == "submitted",
            AmendmentRow.approval_id != bindparam("but"),
            AmendmentRow.created_at >= bindparam("since"),
        )
    )


_TO_COME: Final = _to_come()
