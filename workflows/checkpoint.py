"""A checkpoint over the audit log, asked for."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities
    from plixo.messages.audit import CheckpointAsked, CheckpointWish

from workflows import policies

NIGHTLY: Final = CheckpointWish()
"""A schedule starts it without an argument."""


@workflow.defn
class CheckpointWorkflow:
    """Asks the staff side to sign a checkpoint; a schedule starts it.

    It only asks: whoever writes to Temporal can have one made more often, and can make none themselves.
    """

    @workflow.run
    async def run(self, wish: CheckpointWish = NIGHTLY) -> CheckpointAsked:
        """Write the wish down."""
        asked = await workflow.execute_activity_method(
            AuditActivities.ask_for_checkpoint,
            CheckpointWish(wish.request_id or workflow.info().workflow_id),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary="Ask the staff side for a signed checkpoint",
        )
        workflow.set_current_details(f"Asked for a checkpoint over the audit log: **{asked.request_id}**.")
        return asked
