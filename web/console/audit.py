"""The audit log as a whole: is it unbroken, what happened last, and the whole of it to take away."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from plixo.domain.checkpoint import Checkpoint
from plixo.domain.refusals import NotAllowed
from plixo.signing.keys import KeyFileError, load_public_keys
from plixo.signing.tokens import StaffVerifier
from plixo.store import audit_export, checkpoints, people, trail
from plixo.store.audit_file import Block, Checked, check_block, to_document
from plixo.store.checkpoint_file import CHECKPOINT_KIND
from web.audit_story import story_html
from web.console.navigation import AUDITORS, need
from web.console.timeline import Step, step
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

MOST_CHECKED: Final = 200
"""How many requests a view checks: it must not take longer as the log grows."""

MOST_TAKEN: Final = 500
"""How many requests the console hands out in one file; `plixo audit export` has no such bound."""

SLACK: Final = timedelta(minutes=10)
"""How far a worker's clock may be behind that of who signed the checkpoint."""


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


@dataclass(frozen=True)
class Looked:
    """What a view has looked at.

    Attributes:
        checked: What came of it.
        changed: How many requests have changed since the checkpoint, or are there at all without one.
        checkpoint: The newest; None where there is none.
        problem: What is wrong with it, or keeps the next one from being made; empty when nothing is.
    """

    checked: Checked
    changed: int
    checkpoint: Checkpoint | None
    problem: str

    @property
    def unchecked(self) -> int:
        """How many of those that changed were more than a view checks."""
        return self.changed - self.checked.requests


@router.get("/audit")
async def show(visit: PageVisit) -> Response:
    """What has changed since the newest checkpoint, checked this moment, and the newest entries."""
    need(allowed=visit.person.belongs_to(*AUDITORS))
    looked = await _look(visit)
    async with visit.desk.ledger.read() as session:
        names = {person.person_id: person for person in await people.everybody(session)}
        entries = [Entry(line.approval_id, line.seq, step(line, names)) for line in await trail.newest(session)]
    return page(visit, "console/audit.html", {"looked": looked, "entries": entries, "most": MOST_TAKEN})


@router.get("/audit/export.html")
async def export_page(visit: PageVisit) -> Response:
    """The newest requests as one page that needs nothing else."""
    blocks, scope, _whole = await _taken(visit)
    async with visit.desk.ledger.read() as session:
        everybody = {person.person_id: person for person in await people.everybody(session)}
    html = story_html(blocks, everybody, visit.staff.verifier, visit.now, scope=scope)
    return _file(html, "text/html", f"plixo-audit-{visit.now:%Y-%m-%d}.html")


@router.get("/audit/export.json")
async def export_sealed(visit: PageVisit) -> Response:
    """The newest requests as a sealed file."""
    began = visit.now
    blocks, _scope, whole = await _taken(visit)
    public = json.loads(visit.staff.settings.public_keys.read_text(encoding="utf-8"))
    document = to_document(blocks, public, visit.desk.signer, began, whole=whole)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _file(text, "application/json", f"plixo-audit-{visit.now:%Y-%m-%d}.json")


async def _look(visit: Visit) -> Looked:
    async with visit.desk.ledger.read() as session:
        newest = next(iter(await checkpoints.newest(session)), None)
        problem = await checkpoints.problem(session)
        checkpoint = _signed(visit, newest) if newest else None
        if newest and checkpoint is None:
            problem = f"Checkpoint {newest.number} in the database was not signed by the audit key."
        since = datetime.fromisoformat(checkpoint.at) - SLACK if checkpoint else None
        ids, changed = await trail.changed_since(session, since, MOST_CHECKED)
        checked = Checked()
        async for block in audit_export.blocks(session, ids):
            checked = checked.plus(block, check_block(block, visit.staff.verifier))
    return Looked(checked, changed, checkpoint, problem)


def _signed(visit: Visit, kept: checkpoints.Kept) -> Checkpoint | None:
    """What was signed, where the audit key did and the row says the same."""
    try:
        verifier = StaffVerifier(load_public_keys(visit.staff.settings.audit_public_keys))
        checkpoint = Checkpoint.from_claims(verifier.verify(kept.signed, CHECKPOINT_KIND, now=None))
    except (NotAllowed, KeyFileError, TypeError, LookupError):
        return None
    same = (kept.number, kept.root, kept.requests) == (checkpoint.number, checkpoint.root, checkpoint.requests)
    return checkpoint if same else None


async def _taken(visit: Visit) -> tuple[Sequence[Block], str, bool]:
    """The newest requests, which ones they are in words, and whether they are all."""
    need(allowed=visit.person.belongs_to(*AUDITORS))
    async with visit.desk.ledger.read() as session:
        known = await audit_export.known_ids(session)
        whole = len(known) <= MOST_TAKEN
        ids = known if whole else sorted((await trail.changed_since(session, None, MOST_TAKEN))[0])
        blocks: list[Any] = [block async for block in audit_export.blocks(session, ids)]
    return blocks, "Every request" if whole else f"The {len(ids)} of {len(known)} requests that changed last", whole


def _file(text: str, kind: str, name: str) -> Response:
    return Response(text, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
