"""Stripe objects as JSON documents in one table, listed the way Stripe lists: newest first, by cursor."""

import json
from collections.abc import Iterable
from typing import Any

from standin.call import Doc
from standin.database import Database
from standin.errors import bad_param, missing

DEFAULT_LIMIT = 10
LATEST = 2**62
"""No time is later; larger numbers would not fit into SQL."""
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Objects:
    """The documents of all kinds."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection

    def add(self, doc: Doc) -> Doc:
        """Writes a new document; its id must be new."""
        self._connection.execute(
            "INSERT INTO objects (id, object, doc) VALUES (?, ?, ?)", (doc["id"], doc["object"], json.dumps(doc))
        )
        return doc

    def save(self, doc: Doc) -> Doc:
        """Writes a changed document back."""
        self._connection.execute("UPDATE objects SET doc = ? WHERE id = ?", (json.dumps(doc), doc["id"]))
        return doc

    def find(self, object_id: str) -> Doc | None:
        """The document with this id, of whatever kind."""
        row = self._connection.execute("SELECT doc FROM objects WHERE id = ?", (object_id,)).fetchone()
        return json.loads(row["doc"]) if row else None

    def get(self, kind: str, object_id: str, *, param: str, in_path: bool = False) -> Doc:
        """The document of this kind and id; a deleted one is found only by its own path.

        Raises:
            ApiError: There is none (404 by path, 400 by parameter).
        """
        doc = self.find(object_id)
        if doc is None or doc["object"] != kind or (doc.get("deleted") and not in_path):
            raise missing(kind, object_id, param=param, in_path=in_path)
        return doc

    def count(self, kind: str, **equals: str | None) -> int:
        """How many documents of a kind there are, or of those whose fields equal these."""
        where, values = _equal(equals)
        sql = f"SELECT count(*) AS n FROM objects WHERE object = ?{where}"  # noqa: S608 - names are the code's own
        return int(self._connection.execute(sql, [kind, *values]).fetchone()["n"])

    def all(self, kind: str, **equals: str | None) -> list[Doc]:
        """Every document of a kind whose fields equal these, oldest first; None finds those without the field."""
        where, values = _equal(equals)
        rows = self._connection.execute(
            f"SELECT doc FROM objects WHERE object = ?{where} ORDER BY seq",  # noqa: S608 - names are the code's own
            [kind, *values],
        )
        return [json.loads(row["doc"]) for row in rows]

    def page(self, kind: str, url: str, params: Doc, filters: Iterable[str] = ()) -> Doc:
        """One page of a list.

        Args:
            kind: The objects' `object` field.
            url: The list's own path, as it stands in the answer.
            params: The call's parameters: `limit`, `starting_after`, `ending_before`, `created` and the filters.
            filters: Names of parameters that are compared with the field of the same name.

        Raises:
            ApiError: A cursor names nothing in this list.
        """
        equals = {name: params[name] for name in filters if name in params}
        where, values = _equal(equals)
        where, values = _between(where, values, params.get("created"))
        where += " AND json_extract(doc, '$.deleted') IS NULL"
        backwards = "ending_before" in params
        where, values = self._cursor(kind, params, where, values)
        limit = _limit(params)
        order = "ASC" if backwards else "DESC"
        sql = f"SELECT doc FROM objects WHERE object = ?{where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - the same
        rows = self._connection.execute(sql, [kind, *values, limit + 1]).fetchall()
        docs = [json.loads(row["doc"]) for row in rows[:limit]]
        return envelope(docs[::-1] if backwards else docs, url, has_more=len(rows) > limit)

    def _cursor(self, kind: str, params: Doc, where: str, values: list[Any]) -> tuple[str, list[Any]]:
        for param, sign in (("starting_after", "<"), ("ending_before", ">")):
            if param not in params:
                continue
            row = self._connection.execute(
                "SELECT seq FROM objects WHERE object = ? AND id = ?", (kind, params[param])
            ).fetchone()
            if row is None:
                raise missing(kind, params[param], param=param, in_path=False)
            where, values = f"{where} AND seq {sign} ?", [*values, row["seq"]]
        return where, values


def envelope(docs: list[Doc], url: str, *, has_more: bool = False) -> Doc:
    """A list object around these documents."""
    return {"object": "list", "data": docs, "has_more": has_more, "url": url}


def slice_page(docs: list[Doc], url: str, params: Doc) -> Doc:
    """One page of a list that is part of another document, in that document's order."""
    start, limit = 0, _limit(params)
    cursor = params.get("starting_after")
    if cursor is not None:
        ids = [doc["id"] for doc in docs]
        if cursor not in ids:
            raise bad_param("starting_after", f"No such line: '{cursor}'", "resource_missing")
        start = ids.index(cursor) + 1
    return envelope(docs[start : start + limit], url, has_more=len(docs) > start + limit)


def _limit(params: Doc) -> int:
    limit: int = params.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= 100:  # noqa: PLR2004 - Stripe's own bounds, named in the message
        raise bad_param("limit", "This value must be between 1 and 100.", "parameter_invalid_integer")
    return limit


def _equal(equals: dict[str, Any]) -> tuple[str, list[Any]]:
    where = "".join(f" AND {_column(name)} IS ?" for name in equals)
    return where, list(equals.values())


def _column(name: str) -> str:
    return name if name in {"customer", "invoice"} else f"json_extract(doc, '$.{name}')"


def _between(where: str, values: list[Any], created: Doc | int | None) -> tuple[str, list[Any]]:
    if created is None:
        return where, values
    bounds = created if isinstance(created, dict) else {"gte": created, "lte": created}
    for name, bound in bounds.items():
        where += f" AND json_extract(doc, '$.created') {COMPARISONS[name]} ?"
        values = [*values, max(min(bound, LATEST), -LATEST)]
    return where, values
