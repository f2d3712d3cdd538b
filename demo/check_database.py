"""Reading the product's tables with plain SQL, all of them as one moment showed them."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from psycopg.rows import dict_row

from demo.check_model import House, Row, UnreadableError

COLUMNS: Final = {
    "people": "person_id name email groups limits related_customers delegate_id active",
    "policies": "version hash content",
    "rates": "currency base rate as_of",
    "approvals": "approval_id kind requester_id customer_id target_id change digest amount_minor currency base_minor "
    "base_currency rate rate_as_of net_minor tax_minor gross_minor policy path automatic signed state round created_at "
    "ended_at stripe_object since_round amended_by routed_at",
    "amendments": "decision_id approval_id requester_id round since_round change digest amount_minor base_minor "
    "base_currency rate rate_as_of policy path automatic signed replaced created_at",
    "decisions": "decision_id approval_id round stage person_id group_name verdict digest amount_minor comment basis "
    "subject signed status position submitted_at settled_at",
    "absences": "absence_id person_id delegate_id since until entered_by signed",
    "absence_returns": "absence_id ended_at ended_by signed",
    "effects": "effect_id approval_id kind params key customer_id amount_minor currency state stripe_object",
    "audit": "approval_id seq at event actor detail prev hash",
    "outbox": "key recipient attempts sent_at",
    "checkpoints": "number root requests entries previous signed",
    "documents": "document_id approval_id person_id name kind size sha256",
    "document_parts": "document_id position content",
}
"""What is read of each table."""

_JSON: Final = frozenset({"groups", "limits", "related_customers", "change", "path", "params", "detail"})
_MOMENTS: Final = frozenset(
    {"as_of", "rate_as_of", "created_at", "routed_at", "ended_at", "submitted_at", "settled_at", "sent_at"},
) | {*("since", "until")}


def read_house(url: str) -> House:
    """Everything the checker needs of the database.

    Raises:
        UnreadableError: There is no such database, or it has other tables.
    """
    try:
        tables = _read_postgresql(url) if url.startswith("postgres") else _read_sqlite(_file(url))
        found = {table: [_plain(row, table) for row in rows] for table, rows in tables.items()}
    except (OSError, sqlite3.Error, psycopg.Error, KeyError, ValueError, TypeError) as broken:
        raise UnreadableError(f"The database cannot be read: {broken!r}") from broken
    return House(
        people={row["person_id"]: row for row in found["people"]},
        policies=found["policies"],
        rates={(row["currency"], row["base"]): row for row in found["rates"]},
        approvals={row["approval_id"]: row for row in _sorted(found["approvals"], "created_at", "approval_id")},
        decisions=sorted(found["decisions"], key=lambda row: (row["approval_id"], row["position"] or 0)),
        absences=_sorted(found["absences"], "since", "absence_id"),
        returns={row["absence_id"]: row for row in found["absence_returns"]},
        effects={row["approval_id"]: row for row in found["effects"]},
        audit=_sorted(found["audit"], "approval_id", "seq"),
        outbox={row["key"]: row for row in found["outbox"]},
        checkpoints=_sorted(found["checkpoints"], "number"),
        documents=_whole(found["documents"], _sorted(found["document_parts"], "document_id", "position")),
        amendments=_sorted(found["amendments"], "approval_id", "round", "created_at", "decision_id"),
    )


def _whole(documents: list[Row], parts: list[Row]) -> list[Row]:
    """Each document with its bytes; a part that is none is left out, and the rest will not fit the hash."""
    content: dict[str, list[bytes]] = {row["document_id"]: [] for row in documents}
    for part in parts:
        if isinstance(part["content"], bytes):
            content.setdefault(part["document_id"], []).append(part["content"])
    return [{**row, "content": b"".join(content[row["document_id"]])} for row in documents]


def _file(url: str) -> Path:
    """The file of `sqlite+driver:///path`, or the path itself."""
    return Path(unquote(url.partition("///")[2]) if url.startswith("sqlite") and ":///" in url else url)


def _read_sqlite(path: Path) -> dict[str, list[Row]]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=15)) as connection:
        connection.row_factory = sqlite3.Row
        connection.isolation_level = None
        connection.execute("BEGIN")
        return _tables(lambda query: [dict(row) for row in connection.execute(query)])


def _read_postgresql(url: str) -> dict[str, list[Row]]:
    scheme, _, rest = url.partition("://")
    plain = f"{scheme.partition('+')[0]}://{rest}"
    with psycopg.connect(plain, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return _tables(lambda query: connection.execute(query.encode()).fetchall())


def _tables(read: Callable[[str], list[Row]]) -> dict[str, list[Row]]:
    return {table: read(f"SELECT * FROM {table}") for table in COLUMNS}  # noqa: S608 - the names stand above


def _plain(row: Row, table: str) -> Row:
    return {name: _value(name, row[name]) for name in COLUMNS[table].split()}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever the driver gives
    if name in _JSON and isinstance(value, str):
        return _decoded(value)
    if name in _MOMENTS and value is not None:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return value


def _decoded(text: str) -> Any:  # noqa: ANN401 - parsed JSON
    """What was tampered with until it is no JSON stays as it is: no signature or hash will fit it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sorted(rows: list[Row], *names: str) -> list[Row]:
    return sorted(rows, key=lambda row: tuple(row[name] for name in names))
