"""What operators do by hand, past the product's own doors: kept with their name, in the history of what it touches."""

from plixo.domain.people import Person
from plixo.ports import AuditEntry
from starters.desk import Desk


async def note_operation(desk: Desk, person: Person, approval_id: str, asked: str) -> None:
    """Keep in a request's history that somebody asks Temporal for something about its workflow.

    It is kept before Temporal is asked, so that nothing happens unseen; a workflow that belongs to no request has no
    history to keep it in.

    Args:
        desk: The staff side.
        person: Who asks.
        approval_id: Whose workflow.
        asked: What for, such as `POST terminate`.
    """
    async with desk.ledger.begin() as tx:
        if await tx.approval(approval_id) is not None:
            await tx.audit(AuditEntry(approval_id, "operated", person.person_id, {"asked": asked}), desk.clock())
