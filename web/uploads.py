"""A document as a form or a program sends it: read piece by piece, and no further into memory than one can be long."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from plixo.domain.documents import FIELD, MAX_BYTES, TAKEN, check_size
from plixo.domain.refusals import Refused
from web.identity import Visit
from web.limiting import UPLOADS, Lane, Limiter, Uploads

ENVELOPE: Final = 64 * 1024
"""Bytes that a form may have around the file."""
_UNREADABLE: Final = "The form cannot be read; send the file as multipart/form-data, in the field `document`."


@dataclass(frozen=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: What it was called there, as it was said.
        content: Its bytes.
    """

    name: str
    content: bytes


async def read_upload(visit: Visit) -> Upload:
    """The file in the form that is being sent.

    Raises:
        Refused: There is none, or it is longer than a document may be.
        HTTPException: 400 for what is no form, 429 where this person sends too many.
    """
    limiter: Limiter = visit.request.app.state.limiter
    uploads: Uploads = visit.request.app.state.uploads
    lane: Lane = visit.request.app.state.lane
    limiter.check(UPLOADS, visit.person.person_id)
    with uploads.one(visit.person.person_id):
        lane.came(-1)  # who sends slowly is not being served meanwhile: an import need not give way
        try:
            return await _read(visit.request)
        finally:
            lane.came()


async def _read(request: Request) -> Upload:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _missing()
    parser = _InMemory(request.headers, _as_far_as_it_fits(request), max_files=1, max_fields=4)
    try:
        form = await parser.parse()
    except (MultiPartException, ClientDisconnect, ValueError) as broken:
        raise HTTPException(400, _UNREADABLE) from broken
    sent = form.get(FIELD)
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise _missing()
    check_size(sent.size or 0)
    return Upload(sent.filename, await sent.read())


class _InMemory(MultiPartParser):
    """Puts no file into a folder for temporary ones: what is held back below fits into memory."""

    spool_max_size = MAX_BYTES + ENVELOPE


async def _as_far_as_it_fits(request: Request) -> AsyncGenerator[bytes, None]:
    """The body, as long as it can still be a document and its form; the rest of a longer one is heard and dropped.

    Raises:
        Refused: It is longer, which is said once it has been heard out.
    """
    fits, seen = int(request.headers.get("content-length", "0")) <= MAX_BYTES + ENVELOPE, 0
    async for piece in request.stream():
        seen += len(piece)
        fits = fits and seen <= MAX_BYTES + ENVELOPE
        if fits:
            yield piece
    if not fits:
        check_size(MAX_BYTES + 1)


def _missing() -> Refused:
    return Refused.one(FIELD, "document_missing", f"Choose a file to add: {TAKEN}.")
