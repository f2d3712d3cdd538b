"""The SQLite file: tables, the connection, and nested transactions on it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Documents stay JSON; the generated columns are what lists filter by, so that no value is stored twice.
# The triggers make the ledger append-only for any writer of the file, not by good manners alone.
SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    object TEXT NOT NULL,
    doc TEXT NOT NULL,
    customer TEXT GENERATED ALWAYS AS (json_extract(doc, '$.customer')) VIRTUAL,
    invoice TEXT GENERATED ALWAYS AS (json_extract(doc, '$.invoice')) VIRTUAL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (object, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (object, customer, seq);
CREATE INDEX IF NOT EXISTS objects_by_invoice ON objects (object, invoice, seq);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, at INTEGER NOT NULL, fingerprint TEXT NOT NULL, request_id TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS keys_by_age ON keys (at);
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    idempotency_key TEXT, request_id TEXT NOT NULL, status INTEGER NOT NULL, object TEXT, id TEXT, amount INTEGER,
    currency TEXT, customer TEXT, invoice TEXT, metadata TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS ledger_keeps BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_stands BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), offset_seconds INTEGER NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0);
"""


class Database:
    """One connection, used from the event loop only, so that every transaction runs without interleaving.

    Raises:
        OSError: The folder cannot be made.
        sqlite3.OperationalError: The file cannot be opened or written.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(file, isolation_level=None, timeout=2.0, check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self._depth = 0
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another transaction, all or nothing of the inner part."""
        begin, undo, end = _statements(self._depth)
        self.connection.execute(begin)
        self._depth += 1
        try:
            yield
        except BaseException:
            for statement in undo:
                self.connection.execute(statement)
            raise
        else:
            self.connection.execute(end)
        finally:
            self._depth -= 1

    def close(self) -> None:
        """Folds the write-ahead log into the file and closes it."""
        self.connection.close()


def _statements(depth: int) -> tuple[str, tuple[str, ...], str]:
    if depth == 0:
        return "BEGIN IMMEDIATE", ("ROLLBACK",), "COMMIT"
    name = f"level_{depth}"
    return f"SAVEPOINT {name}", (f"ROLLBACK TO {name}", f"RELEASE {name}"), f"RELEASE {name}"
