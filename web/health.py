"""For whoever keeps the process running: is it alive, and can it do its work?"""

import logging
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from plixo.bootstrap import Staff
from plixo.store.away import DATABASE_AWAY
from plixo.store.migrate import current, head
from plixo.temporal.versions import unpromoted
from web.identity import StaffPart

router = APIRouter(include_in_schema=False)
OK: Final = "ok"
log = logging.getLogger(__name__)


@router.get("/livez")
async def livez() -> Response:
    """The process answers."""
    return JSONResponse({"status": OK})


@router.get("/readyz")
async def readyz(staff: StaffPart) -> Response:
    """Every part that requests need answers."""
    parts = await check(staff)
    ready = all(word == OK for word in parts.values())
    return JSONResponse({"status": OK if ready else "not ready", "parts": parts}, 200 if ready else 503)


async def check(staff: Staff) -> dict[str, str]:
    """What each part says of itself: `ok`, or what is the matter."""
    parts = {"database": await _database(staff), "temporal": await _temporal(staff)}
    if staff.settings.build and parts["temporal"] == OK:
        parts["workers"] = await _workers(staff)
    return parts


async def _database(staff: Staff) -> str:
    try:
        revision = await current(staff.settings.database)
    except DATABASE_AWAY:
        return "cannot be reached"
    return OK if revision == head() else "not migrated; run `plixo db upgrade`"


async def _temporal(staff: Staff) -> str:
    try:
        healthy = await staff.desk.temporal.service_client.check_health()
    except Exception as failure:  # noqa: BLE001 - whatever the client raises, it means the same here
        log.warning("Temporal cannot be reached: %s", type(failure).__name__)
        return "cannot be reached"
    return OK if healthy else "not serving"


async def _workers(staff: Staff) -> str:
    """Requests made here wait for nobody when the workers that came up with this build were never promoted."""
    try:
        return await unpromoted(staff.desk.temporal, staff.settings.build) or OK
    except Exception as failure:  # noqa: BLE001 - whatever the client raises, it means the same here
        log.warning("the workers' versions cannot be told: %s", type(failure).__name__)
        return "cannot be told"
