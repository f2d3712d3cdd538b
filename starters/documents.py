"""Adding a document to a request: checked by its content, kept with its bytes, and told of in the request's history."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from plixo.domain.documents import Document, DocumentKind, check_room, document_id, document_name
from plixo.domain.duties import check_may_add_document, may_see
from plixo.domain.ids import is_approval_id
from plixo.domain.people import Person
from plixo.domain.refusals import NotFound, Refused
from plixo.ports import AuditEntry, Record
from plixo.store import documents
from plixo.store.ledger import SqlTransaction
from starters.desk import Desk

_UNKNOWN: Final = ("approval_id", "approval_unknown", "There is no such request; look for it in your inbox.")


@dataclass(frozen=True)
class Adding:
    """What somebody adds.

    Attributes:
        person: Who is signed in.
        name: What the file was called, as it was sent.
        content: Its bytes.
    """

    person: Person
    name: str
    content: bytes


@dataclass(frozen=True)
class Added:
    """What came of it.

    Attributes:
        document: The document as it is kept.
        new: False where the same bytes were on the request already: nothing was added then.
    """

    document: Document
    new: bool


@dataclass(frozen=True)
class _Looked:
    """What a file is by its content, or why it is not taken."""

    sha256: str
    kind: DocumentKind | Refused


async def add_document(desk: Desk, approval_id: str, adding: Adding) -> Added:
    """Add a document; the same bytes on the same request are the same document, whoever adds them again.

    Args:
        desk: The staff side.
        approval_id: Which request.
        adding: Who adds what.

    Raises:
        NotFound: There is no such request, or they may not know of it.
        NotAllowed: They may not add one; the refusal is in the audit log.
        Conflict: The request can no longer be decided.
        Refused: The file is of no kind that is taken, too long, or one too many.
    """
    looked = await asyncio.to_thread(_look, adding.content)  # megabytes take longer than others should wait
    refusal: Refused | None = None
    async with desk.ledger.begin() as tx:
        record = await tx.approval(approval_id) if is_approval_id(approval_id) else None
        if record is None:
            raise NotFound.one(*_UNKNOWN)
        try:
            return await _keep(desk, tx, record, adding, looked)
        except Refused as caught:
            refusal = caught
            detail = {"code": caught.code, "why": str(caught)}
            await tx.audit(AuditEntry(approval_id, "document_refused", adding.person.person_id, detail), desk.clock())
    raise refusal


def _look(content: bytes) -> _Looked:
    try:
        kind: DocumentKind | Refused = DocumentKind.of(content)
    except Refused as unfit:
        kind = unfit
    return _Looked(hashlib.sha256(content).hexdigest(), kind)


async def _keep(desk: Desk, tx: SqlTransaction, record: Record, adding: Adding, looked: _Looked) -> Added:
    """Check and store. Who may not know of a request is told what everybody is told of none."""
    approval, person = record.approval, adding.person
    if not may_see(person, approval.requester_id):
        raise NotFound.one(*_UNKNOWN)
    there = await documents.of_approval(tx.session, approval.approval_id)
    same = next((one for one in there if one.sha256 == looked.sha256), None)
    if same:
        return Added(same, new=False)
    check_may_add_document(approval, person, record.change.customer_id)
    if isinstance(looked.kind, Refused):
        raise looked.kind
    check_room(len(there))
    document = Document(
        document_id=document_id(approval.approval_id, looked.sha256),
        approval_id=approval.approval_id,
        person_id=person.person_id,
        name=document_name(adding.name, looked.kind),
        kind=looked.kind,
        size=len(adding.content),
        sha256=looked.sha256,
        added_at=desk.clock(),
    )
    await documents.insert(tx.session, document, adding.content)
    names = ("document_id", "name", "size", "sha256")
    detail = {name: getattr(document, name) for name in names} | {"kind": document.kind.value}
    await tx.audit(AuditEntry(approval.approval_id, "document_added", person.person_id, detail), document.added_at)
    return Added(document, new=True)
