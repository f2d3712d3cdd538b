"""Reading and writing absences: added to, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.absence import Absence, StoredAbsence
from plixo.store.absence_rows import AbsenceRow, ReturnRow
from plixo.store.statements import Statement

_COLUMNS: Final = select(
    AbsenceRow.absence_id,
    AbsenceRow.person_id,
    AbsenceRow.delegate_id,
    AbsenceRow.since,
    AbsenceRow.until,
    AbsenceRow.entered_by,
    AbsenceRow.signed,
    ReturnRow.ended_at,
    ReturnRow.signed.label("returned"),
).outerjoin(ReturnRow, ReturnRow.absence_id == AbsenceRow.absence_id)
_IN_ORDER: Final = (AbsenceRow.since, AbsenceRow.absence_id)


_LASTING: Final = Statement(_COLUMNS.where(AbsenceRow.until > bindparam("since")).order_by(*_IN_ORDER))
_ONE: Final = Statement(_COLUMNS.where(AbsenceRow.absence_id == bindparam("absence_id")))


async def insert(session: AsyncSession, absence: Absence, signed: str, now: datetime) -> None:
    """Keep a signed absence."""
    row = AbsenceRow(
        absence_id=absence.absence_id,
        person_id=absence.person_id,
        delegate_id=absence.delegate_id,
        since=absence.since,
        until=absence.until,
        entered_by=absence.entered_by,
        entered_at=now,
        signed=signed,
    )
    session.add(row)
    await session.flush()


async def end(session: AsyncSession, absence_id: str, ended_at: datetime, ended_by: str, signed: str) -> None:
    """Keep that somebody is back."""
    session.add(ReturnRow(absence_id=absence_id, ended_at=ended_at, ended_by=ended_by, signed=signed))
    await session.flush()


async def lasting(session: AsyncSession, since: datetime) -> Sequence[StoredAbsence]:
    """Those that were to last until after that moment, whether or not they ended earlier."""
    return [_stored(row) for row in await _LASTING.rows(session, since=since)]


async def load(session: AsyncSession, absence_id: str) -> StoredAbsence | None:
    """One absence."""
    row = await _ONE.first(session, absence_id=absence_id)
    return _stored(row) if row else None


def _stored(row: Any) -> StoredAbsence:  # noqa: ANN401 - a row of either kind
    found = Absence(*(getattr(row, name) for name in _NAMES))
    return StoredAbsence(found, row.signed, row.returned or "")


_NAMES: Final = ("absence_id", "person_id", "delegate_id", "since", "until", "entered_by", "ended_at")
