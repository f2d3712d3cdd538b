"""What the page of a request shows of its documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from plixo.domain.documents import Document, check_room
from plixo.domain.duties import check_may_add_document
from plixo.domain.refusals import Refused
from plixo.ports import Record
from web.identity import Visit


@dataclass(frozen=True)
class Documents:
    """The part of the page.

    Attributes:
        listed: In the order they were added.
        why_not: Why the reader cannot add one now; empty where they can.
    """

    listed: Sequence[Document]
    why_not: str


def documents_of(visit: Visit, record: Record, found: Sequence[Document]) -> Documents:
    """What there is, and whether the reader may add to it."""
    try:
        check_may_add_document(record.approval, visit.person, record.change.customer_id)
        check_room(len(found))
    except Refused as refusal:
        return Documents(found, str(refusal))
    return Documents(found, "")
