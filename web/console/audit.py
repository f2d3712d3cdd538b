"""The audit log as a whole: is it unbroken, and what happened last?"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from plixo.store import audit_export, people, trail
from plixo.store.audit_file import Checked, check_block
from web.console.navigation import AUDITORS, need
from web.console.timeline import Step, step
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Entry:
    """An audit entry in the list.

    Attributes:
        approval_id: Whose history it belongs to.
        seq: Its place there.
        step: What happened.
    """

    approval_id: str
    seq: int
    step: Step


@router.get("/audit")
async def show(visit: PageVisit) -> Response:
    """Every chain and every signature checked this moment, and the newest entries."""
    need(allowed=visit.person.belongs_to(*AUDITORS))
    checked = await _check(visit)
    async with visit.desk.ledger.read() as session:
        names = {person.person_id: person for person in await people.everybody(session)}
        entries = [Entry(line.approval_id, line.seq, step(line, names)) for line in await trail.newest(session)]
    return page(visit, "console/audit.html", {"checked": checked, "entries": entries})


async def _check(visit: Visit) -> Checked:
    checked = Checked()
    async with visit.desk.ledger.read() as session:
        async for block in audit_export.blocks(session, await audit_export.known_ids(session)):
            checked = checked.plus(block, check_block(block, visit.staff.verifier))
    return checked
