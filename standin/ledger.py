"""The ledger: every write that was executed, once, in order. A repeated answer adds nothing."""

import json
from typing import Any

from standin.call import Call, Doc
from standin.database import Database

COLUMNS = """at, method, path, idempotency_key, request_id, status, object, id, amount, currency, customer, invoice,
    metadata"""


class Ledger:
    """Append-only; the database itself refuses to change or delete a row."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection

    def enter(self, call: Call, at: int, status: int, done: Doc) -> None:
        """Notes what the call did to which object."""
        row = (
            at, call.method, call.path, call.idempotency_key, call.request_id, status, done["object"], done["id"],
            _amount(done), done.get("currency"), _own_id(done, "customer"), _own_id(done, "invoice"),
            json.dumps(done.get("metadata") or {}),
        )  # fmt: skip
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO ledger ({COLUMNS}) VALUES ({marks})", row)  # noqa: S608 - our own words

    def rows(self, after: int = 0) -> list[dict[str, Any]]:
        """The rows with a higher `seq` than this, oldest first."""
        sql = f"SELECT seq, {COLUMNS} FROM ledger WHERE seq > ? ORDER BY seq"  # noqa: S608 - the same
        rows = self._connection.execute(sql, (after,))
        return [{**row, "metadata": json.loads(row["metadata"]), "replayed": False} for row in map(dict, rows)]


def _amount(done: Doc) -> int | None:
    for name in ("amount", "total", "unit_amount"):
        if isinstance(done.get(name), int):
            return int(done[name])
    return None


def _own_id(done: Doc, kind: str) -> str | None:
    return str(done["id"]) if done["object"] == kind else done.get(kind)
