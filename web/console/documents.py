"""Documents on a request's page: adding one, and taking one along."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from plixo.domain.refusals import Refused
from starters.documents import Adding, add_document
from web.console.approvals import shown
from web.console.request_view import visible
from web.handing_out import hand_out
from web.identity import PageVisit
from web.uploads import read_upload

router = APIRouter(include_in_schema=False)


@router.post("/approvals/{approval_id}/documents")
async def add(visit: PageVisit, approval_id: str) -> Response:
    """Add a document."""
    await visible(visit, approval_id)
    try:
        upload = await read_upload(visit)
        added = await add_document(visit.desk, approval_id, Adding(visit.person, upload.name, upload.content))
    except Refused as refusal:
        return await shown(visit, approval_id, {"refusal": refusal})
    return RedirectResponse(f"/approvals/{approval_id}?said={'document' if added.new else 'document-known'}", 303)


@router.get("/approvals/{approval_id}/documents/{document_id}")
async def take(visit: PageVisit, approval_id: str, document_id: str) -> Response:
    """One document, as a file."""
    return await hand_out(visit, approval_id, document_id)
