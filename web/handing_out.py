"""A document on its way out: always as a file to keep, never as something that a browser shows as a page of ours."""

import logging
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from starlette.responses import Response

from plixo.domain.documents import Document, is_document_id
from plixo.domain.refusals import Conflict, NotFound
from plixo.store import documents
from web.console.request_view import visible
from web.identity import Visit

POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""Where a browser shows it all the same, it runs nothing and is of no origin."""

log = logging.getLogger(__name__)


async def hand_out(visit: Visit, approval_id: str, document_id: str) -> Response:
    """A document's bytes, for whoever may see its request.

    They are read twice, part by part: first to see that they are those that were added, then to be sent.

    Raises:
        NotFound: There is no such request or document, or they may not know of it.
        Conflict: The bytes were changed in the database.
    """
    await visible(visit, approval_id)
    async with visit.desk.ledger.read() as session:
        there = await documents.of_approval(session, approval_id) if is_document_id(document_id) else ()
        document = next((one for one in there if one.document_id == document_id), None)
        if document is None:
            raise NotFound.one("document_id", "document_unknown", "There is no such document on this request.")
        if not await documents.is_whole(session, document):
            log.error("document %s was changed in the database since it was added", document_id)
            words = "This document was changed in the database since it was added, so it is not handed out."
            raise Conflict.one("document_id", "document_changed", words)
    return StreamingResponse(_parts(visit, document), media_type=document.kind.media_type, headers=_headers(document))


async def _parts(visit: Visit, document: Document) -> AsyncIterator[bytes]:
    """Each with a session of its own, so that who reads slowly keeps no connection to the database from others."""
    for position in documents.parts(document):
        async with visit.desk.ledger.read() as session:
            content = await documents.part(session, document, position)
        yield content


def _headers(document: Document) -> dict[str, str]:
    """The name twice: whole for browsers of today, and in letters that every other one reads."""
    plain = "".join(letter if letter.isascii() and letter not in "%?" else "_" for letter in document.name)
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(document.name, safe='')}"
    length = str(document.size)
    return {"Content-Disposition": named, "Content-Length": length, "Content-Security-Policy": POLICY}
