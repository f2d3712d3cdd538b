"""Documents and their bytes, which are kept in parts: whoever passes one on holds one part at a time."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.documents import Document, DocumentKind
from plixo.store import readable
from plixo.store.models import DocumentPartRow, DocumentRow
from plixo.store.statements import Statement, insert_into

PART: Final = 256 * 1024
"""Bytes of each part but the last."""

_NEW: Final = Statement(insert_into(DocumentRow))
_NEW_PART: Final = Statement(insert_into(DocumentPartRow))
_PART: Final = Statement(
    select(DocumentPartRow.content).where(
        DocumentPartRow.document_id == bindparam("document_id"),
        DocumentPartRow.position == bindparam("position"),
    )
)


async def insert(session: AsyncSession, document: Document, content: bytes) -> None:
    """Keep a document with its bytes."""
    row = {**vars(document), "kind": document.kind.value}
    await _NEW.change(session, **row)
    for position, start in enumerate(range(0, len(content), PART)):
        given = {"document_id": document.document_id, "position": position}
        await _NEW_PART.change(session, **given, content=content[start : start + PART])
        await _let_others_run()


async def of_approval(session: AsyncSession, approval_id: str) -> Sequence[Document]:
    """All documents on a request, in the order they were added."""
    query = (
        select(DocumentRow)
        .where(DocumentRow.approval_id == approval_id)
        .order_by(DocumentRow.added_at, DocumentRow.document_id)
    )
    return [_document(row) for row in await readable.rows(session, query, DocumentRow.document_id)]


async def part(session: AsyncSession, document: Document, position: int) -> bytes:
    """One part of its bytes, counted from 0; nothing behind the last, or where somebody left what are no bytes."""
    row = await _PART.first(session, document_id=document.document_id, position=position)
    return row.content if row and isinstance(row.content, bytes) else b""


def parts(document: Document) -> range:
    """The positions of its parts."""
    return range(-(-document.size // PART))


async def is_whole(session: AsyncSession, document: Document) -> bool:
    """Whether its bytes are those that were added: by their number and their SHA-256."""
    found, size = hashlib.sha256(), 0
    for position in parts(document):
        content = await part(session, document, position)
        size += len(content)
        found.update(content)
        await _let_others_run()
    return size == document.size and found.hexdigest() == document.sha256


async def first_changed(session: AsyncSession, approval_id: str) -> str | None:
    """What is wrong with the first bad document of a request, in words; None where each is as it was added."""
    for document in await of_approval(session, approval_id):
        if not await is_whole(session, document):
            return f"{approval_id}: the bytes of document {document.document_id} are not those that were added"
    return None


async def _let_others_run() -> None:
    """SQLite works on the event loop itself, where ten mebibytes at once would keep everybody waiting."""
    await asyncio.sleep(0)


def _document(row: Any) -> Document:  # noqa: ANN401 - a row
    return Document(
        document_id=row.document_id,
        approval_id=row.approval_id,
        person_id=row.person_id,
        name=row.name,
        kind=DocumentKind(row.kind),
        size=row.size,
        sha256=row.sha256,
        added_at=row.added_at,
    )
