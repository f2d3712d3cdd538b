"""Temporal's remote codec protocol, for the pages of Temporal UI: who may see every request may read what it shows.

Its pages are on the console's own address, so nobody else is answered, and no other site's page is ever let in.
"""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from plixo.domain.duties import may_operate, may_see_all
from plixo.domain.refusals import Refused
from plixo.temporal.codec import Codec, NotPayloads, decode_json, encode_json
from web.console.navigation import need
from web.identity import PageVisit, StaffPart, Visit
from web.limiting import CODINGS
from web.middleware import origin_of

FOREIGN: Final = "Only pages of this console are answered here."


async def own_page(request: Request, staff: StaffPart) -> None:
    """Refuse whatever does not say that it comes from a page of ours; a browser always says.

    Raises:
        HTTPException: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = site == "same-origin" if site else origin == origin_of(staff.settings.base_url)
    if not ours:
        raise HTTPException(403, FOREIGN)


router = APIRouter(prefix="/codec", include_in_schema=False, dependencies=[Depends(own_page)])


async def coding(request: Request, visit: PageVisit) -> Visit:
    """Who may have payloads read, as often as pages need it.

    Raises:
        NotFound: They may not.
        HTTPException: 429, when there were too many.
    """
    need(allowed=may_see_all(visit.person))
    request.app.state.limiter.check(CODINGS, visit.person.person_id)
    return visit


Coding = Annotated[Visit, Depends(coding)]


@router.post("/decode")
async def decode(visit: Coding) -> Response:
    """What the payloads say."""
    return await _coded(visit, decode_json)


@router.post("/encode")
async def encode(visit: Coding) -> Response:
    """The payloads as Temporal may keep them: what an operator's signal or update carries."""
    need(allowed=may_operate(visit.person))
    return await _coded(visit, encode_json)


async def _coded(visit: Visit, work: Callable[[Codec, bytes], bytes]) -> Response:
    codec = visit.staff.codec
    need(allowed=codec is not None)
    assert codec is not None
    try:
        return Response(work(codec, await visit.request.body()), media_type="application/json")
    except NotPayloads as problem:
        raise Refused.one("payloads", "payloads_invalid", str(problem)) from problem
