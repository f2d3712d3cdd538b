"""The audit log: one hash chain a request, so that requests do not wait for each other.

Each entry's hash covers the one before it: a changed, removed or reordered entry breaks the chain at that place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import RowMapping, Select, Text, bindparam, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.canonical import can_be_hashed, sha256_hex
from plixo.ports import AuditEntry
from plixo.store.models import AuditRow
from plixo.store.statements import Statement, insert_into

_LAST: Final = Statement(
    select(AuditRow.seq, AuditRow.hash)
    .where(AuditRow.approval_id == bindparam("approval_id"))
    .order_by(AuditRow.seq.desc())
    .limit(1),
)
_NEW: Final = Statement(insert_into(AuditRow))

_ENTRIES: Final = select(
    *(column for column in AuditRow.__table__.columns if column.name != "detail"),
    # Whoever may add an entry may add one that no parser reads: it is parsed here, where that stops nothing else.
    cast(AuditRow.detail, Text).label("detail"),
)

UNREADABLE_DETAIL: Final[Mapping[str, Any]] = {"unreadable": True}
"""Stands for a detail that cannot be read or hashed; no entry of ours says this."""

GENESIS: Final = "0" * 64
"""What the first entry of a chain names as the hash before it."""


@dataclass(frozen=True)
class AuditLine:
    """An entry as it is kept."""

    approval_id: str
    seq: int
    at: str
    event: str
    actor: str
    detail: dict[str, Any]
    prev: str
    hash: str

    def expected_hash(self) -> str:
        """SHA-256 over the canonical JSON of the entry's content and of the hash before it."""
        content = dict(vars(self))
        del content["hash"]
        return sha256_hex(content)


async def append(session: AsyncSession, entry: AuditEntry, now: datetime) -> None:
    """Add to the end of a request's chain; the caller's transaction holds the request's lock."""
    last = await _LAST.first(session, approval_id=entry.approval_id)
    seq, prev = (last.seq + 1, last.hash) if last else (1, GENESIS)
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    line = AuditLine(entry.approval_id, seq, at, entry.event, entry.actor, entry.detail, prev, hash="")
    await _NEW.change(session, **{**vars(line), "hash": line.expected_hash()})


async def lines(session: AsyncSession, approval_id: str | None = None) -> Sequence[AuditLine]:
    """The chain of one request, or every chain, in order."""
    query = entries().order_by(AuditRow.approval_id, AuditRow.seq)
    if approval_id is not None:
        query = query.where(AuditRow.approval_id == approval_id)
    return await read(session, query)


def entries() -> Select[Any]:
    """Asks for entries; `read` reads what it is narrowed down to."""
    return _ENTRIES


async def read(session: AsyncSession, query: Select[Any]) -> Sequence[AuditLine]:
    """The entries that the query asks for; what cannot be read in one stops none of the others."""
    return [_line(row) for row in (await session.execute(query)).mappings()]


def _line(row: RowMapping) -> AuditLine:
    return AuditLine(**{**row, "detail": _detail(row["detail"])})


def _detail(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) and can_be_hashed(found) else dict(UNREADABLE_DETAIL)


def first_break(chain: Sequence[AuditLine]) -> str | None:
    """What is wrong with the first bad entry of the chains, in words; None when every chain is whole."""
    seq, prev, current = 0, GENESIS, None
    for line in chain:
        if line.approval_id != current:
            seq, prev, current = 0, GENESIS, line.approval_id
        seq += 1
        if line.seq != seq:
            return f"{line.approval_id}: entry {seq} is missing or out of place (found {line.seq})"
        if line.detail == UNREADABLE_DETAIL:
            return f"{line.approval_id}: entry {line.seq} holds what no entry can, and cannot be read"
        if line.prev != prev:
            return f"{line.approval_id}: entry {line.seq} does not follow the one before it"
        if line.hash != line.expected_hash():
            return f"{line.approval_id}: entry {line.seq} was changed"
        prev = line.hash
    return None
