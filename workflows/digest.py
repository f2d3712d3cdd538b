"""The weekly digest, once a week."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.digests import DigestActivities
    from plixo.messages.digests import DigestAsked, DigestWritten

from workflows import policies
from workflows.attributes import SCHEDULED

LAST_WEEK: Final = DigestAsked()
"""A schedule starts it without an argument."""


@workflow.defn
class DigestWorkflow:
    """Tells Controllers what went through automatically in a week; a schedule starts it.

    However late or often it is started, each Controller gets one mail a week: its key in the outbox sees to that.
    """

    @workflow.run
    async def run(self, asked: DigestAsked = LAST_WEEK) -> DigestWritten:
        """Have the letters written."""
        info = workflow.info()
        # A start that Temporal makes up for after it was away is still about the week it was due for.
        due = info.typed_search_attributes.get(SCHEDULED) or info.start_time
        written = await workflow.execute_activity_method(
            DigestActivities.write_digest,
            DigestAsked(asked.at or due.isoformat()),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary="Tell Controllers what went through automatically",
        )
        workflow.set_current_details(f"Week {written.week}: **{written.state}**, {written.letters} new letters.")
        return written
