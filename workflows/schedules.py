"""What Temporal starts by the clock, all of it: `plixo temporal setup` and the embedded stack make it so."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from plixo.messages.approvals import APPROVALS_QUEUE
from workflows.checkpoint import CheckpointWorkflow
from workflows.digest import DigestWorkflow

CHECKPOINT: Final = "audit-checkpoint"
"""Asks for a checkpoint over the audit log."""

DIGEST: Final = "weekly-digest"
"""Tells Controllers what went through automatically."""

_MONDAY: Final = timedelta(days=4)
"""After 1 January 1970, which was a Thursday."""


@dataclass(frozen=True)
class Scheduled:
    """One thing that is started by the clock.

    Attributes:
        schedule_id: Its name in Temporal; also what its workflows' ids begin with.
        every: How often, counted from 1970 in UTC, so that a day begins at midnight there.
        offset: How much later than that.
        workflow: Its name. It is started without an argument, so that making a schedule needs no payload keys.
        task_queue: Where it runs.
        note: What it is for, for operators.
    """

    schedule_id: str
    every: timedelta
    offset: timedelta
    workflow: str
    task_queue: str
    note: str


def schedules(*, checkpoint_hours: int) -> tuple[Scheduled, ...]:
    """All of them.

    Args:
        checkpoint_hours: How many hours lie between two checkpoints.
    """
    return (
        Scheduled(
            schedule_id=CHECKPOINT,
            every=timedelta(hours=checkpoint_hours),
            offset=timedelta(minutes=10),
            workflow=CheckpointWorkflow.__name__,
            task_queue=APPROVALS_QUEUE,
            note="Asks the staff side for a signed checkpoint over the audit log.",
        ),
        Scheduled(
            schedule_id=DIGEST,
            every=timedelta(weeks=1),
            offset=_MONDAY + timedelta(hours=6),  # early enough for every morning that is not over yet
            workflow=DigestWorkflow.__name__,
            task_queue=APPROVALS_QUEUE,
            note="Tells Controllers what went through automatically in the week before.",
        ),
    )
