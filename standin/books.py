"""What a handler works with: the objects, the time, new ids, and the events it causes."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from standin.call import Call, Doc
from standin.clock import Clock
from standin.database import Database
from standin.ids import Ids
from standin.objects import Objects
from standin.settings import API_VERSION

LIVEMODE = False


@dataclass(slots=True)
class Books:
    """The books within one transaction.

    Attributes:
        now: The stand-in's time, the same throughout the call.
        outbox: Events caused so far; they become objects when the handler is done.
    """

    objects: Objects
    now: int
    ids: Ids
    outbox: list[Doc] = field(default_factory=list)

    def add(self, prefix: str, kind: str, fields: Doc) -> Doc:
        """A new object with its id, time and mode."""
        return self.objects.add(self.draft(prefix, kind, fields))

    def draft(self, prefix: str, kind: str, fields: Doc) -> Doc:
        """A new object that is not written, as previews need it."""
        frame = {"id": self.ids.new(prefix), "object": kind, "livemode": LIVEMODE}
        return {**frame, "created": self.now, **fields} if kind not in DATED_OTHERWISE else {**frame, **fields}

    def change(self, doc: Doc, **fields: Any) -> Doc:  # noqa: ANN401 - whatever JSON the object holds
        """Writes these fields into the object, in place as well."""
        doc.update(fields)
        return self.objects.save(doc)

    def happened(self, kind: str, doc: Doc, previous: Doc | None = None) -> None:
        """Causes an event; the object is kept as it is now."""
        data = {"object": deepcopy(doc)} | ({} if previous is None else {"previous_attributes": previous})
        self.outbox.append({"type": kind, "data": data})


DATED_OTHERWISE = frozenset({"invoiceitem", "line_item", "credit_note_line_item"})
"""Kinds without a `created` field."""


def open_books(database: Database, clock: Clock, ids: Ids) -> Books:
    """The books as they stand now."""
    return Books(Objects(database), clock.now(), ids)


def close_outbox(books: Books, call: Call) -> None:
    """Writes the events that the call caused, in order."""
    for event in books.outbox:
        source = {"id": call.request_id, "idempotency_key": call.idempotency_key}
        fields = {"api_version": API_VERSION, "pending_webhooks": 0, "request": source, **event}
        books.add("evt", "event", fields)
    books.outbox.clear()
