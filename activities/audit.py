"""Asking for a checkpoint: a worker can wish for one, and no more, since it does not hold the audit key."""

from dataclasses import dataclass

from temporalio import activity

from plixo.messages.audit import CheckpointAsked, CheckpointWish
from plixo.ports import Clock, Ledger


@dataclass(frozen=True)
class AuditActivities:
    """What the audit log's workflows ask of the database.

    Attributes:
        ledger: The database.
        clock: What time it is.
    """

    ledger: Ledger
    clock: Clock

    @activity.defn(name="ask_for_checkpoint")
    async def ask_for_checkpoint(self, wish: CheckpointWish) -> CheckpointAsked:
        """Write the wish down for the staff side; asked again under the same id, nothing more is written."""
        async with self.ledger.begin() as tx:
            stands = await tx.ask_for_checkpoint(wish.request_id, self.clock())
        return CheckpointAsked(stands, "asked" if stands == wish.request_id else "already_asked")
