"""Documents on a request: the list, adding one, and the bytes of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import Response

from plixo.domain.documents import FIELD, MAX_SIZE_TEXT, MOST, TAKEN, Document, DocumentKind
from plixo.domain.people import Person
from plixo.store import documents, people
from starters.documents import Adding, add_document
from web.api.models import Who
from web.api.routing import failures, router
from web.console.request_view import visible
from web.handing_out import hand_out
from web.identity import ApiCall
from web.uploads import read_upload

document_routes = router("documents")


class DocumentOut(BaseModel):
    """A document, without its bytes."""

    document_id: str
    name: str
    kind: DocumentKind = Field(description="What it is by its content.")
    size: int = Field(description="In bytes.")
    sha256: str = Field(description="Over its bytes, in hexadecimal.")
    person: Who = Field(description="Who added it.")
    added_at: datetime


class Documents(BaseModel):
    """All documents on a request, in the order they were added."""

    documents: list[DocumentOut]


class AddedOut(DocumentOut):
    """A document that was sent."""

    added: bool = Field(description="False where the same bytes were on the request already.")


_SENT: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {"type": "string", "format": "binary", "description": f"{TAKEN}, at most {MAX_SIZE_TEXT}."}
                },
            }
        }
    },
}
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
_BYTES: Final = {
    "content": {kind.media_type.partition(";")[0]: _FILE for kind in DocumentKind},
    "description": "Its bytes, as a file to keep.",
}


@document_routes.get("/approvals/{approval_id}/documents")
async def list_documents(call: ApiCall, approval_id: str) -> Documents:
    """The documents on a request that you may see."""
    await visible(call, approval_id)
    async with call.desk.ledger.read() as session:
        found = await documents.of_approval(session, approval_id)
        who = await people.by_ids(session, {one.person_id for one in found})
    return Documents(documents=[DocumentOut(**_plain(one, who)) for one in found])


@document_routes.post(
    "/approvals/{approval_id}/documents",
    responses=failures(409, 429),
    openapi_extra={"requestBody": _SENT},
    description=f"Who asked for it may, and who is asked to decide, while it can be decided. A request has {MOST} at "
    "most, and nobody removes one. The same bytes sent again are the same document.",
)
async def add(call: ApiCall, approval_id: str) -> AddedOut:
    """Add a document."""
    await visible(call, approval_id)
    upload = await read_upload(call)
    added = await add_document(call.desk, approval_id, Adding(call.person, upload.name, upload.content))
    async with call.desk.ledger.read() as session:
        who = await people.by_ids(session, {added.document.person_id})
    return AddedOut(**_plain(added.document, who), added=added.new)


@document_routes.get(
    "/approvals/{approval_id}/documents/{document_id}",
    response_class=Response,
    responses={200: _BYTES, **failures(409)},
)
async def take(call: ApiCall, approval_id: str, document_id: str) -> Response:
    """The bytes of a document."""
    return await hand_out(call, approval_id, document_id)


def _plain(one: Document, who: Mapping[str, Person]) -> dict[str, Any]:
    person = who.get(one.person_id)
    return {**vars(one), "person": Who(person_id=one.person_id, name=person.name if person else one.person_id)}
