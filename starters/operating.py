"""What operators do by hand, past the product's own doors: kept with their name, in the history of what they touch."""

from collections.abc import Sequence
from typing import Final

from plixo.domain.people import Person
from plixo.ports import AuditEntry
from starters.desk import Desk

MAX_ASKED: Final = 200
"""Characters of what was asked that are kept; a signal's name may be of any length."""


async def note_operation(desk: Desk, person: Person, approval_ids: Sequence[str], asked: str, *, allowed: bool) -> None:
    """Keep in the histories of requests that somebody asks Temporal for something about their workflows.

    It is kept before Temporal is asked, so that nothing happens unseen; a workflow that belongs to no request has no
    history to keep it in.

    Args:
        desk: The staff side.
        person: Who asks.
        approval_ids: Whose workflows.
        asked: What for, such as `POST terminate`.
        allowed: Whether it will be done.
    """
    event = "operated" if allowed else "operation_refused"
    for approval_id in approval_ids:
        async with desk.ledger.begin() as tx:
            if await tx.approval(approval_id) is not None:
                entry = AuditEntry(approval_id, event, person.person_id, {"asked": asked[:MAX_ASKED]})
                await tx.audit(entry, desk.clock())
