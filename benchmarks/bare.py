"""The floor: the barest workflow that makes the same moves as a credit with one approver, each of them empty.

One activity, one search-attribute update, one timer, one update with one local activity in it, one activity on a second
queue. No codec, no summaries, no details, no rules, no rows.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows.attributes import WAITS_FOR

QUEUE: Final = "bare"
SECOND_QUEUE: Final = "bare-second"
GROUP: Final = "controller"
_SECONDS: Final = timedelta(seconds=20)


@dataclass(frozen=True)
class Bare:
    """Every message of the floor."""

    key: str


@activity.defn(name="bare_open")
async def open_bare(given: Bare) -> Bare:
    """Nothing."""
    return given


@activity.defn(name="bare_record")
async def record_bare(given: Bare) -> Bare:
    """Nothing."""
    return given


@activity.defn(name="bare_execute")
async def execute_bare(given: Bare) -> Bare:
    """Nothing."""
    return given


@workflow.defn
class BareWorkflow:
    """The same moves as `ApprovalWorkflow`, and nothing else."""

    def __init__(self) -> None:
        """Nothing is decided."""
        self._decided = False

    @workflow.run
    async def run(self, given: Bare) -> Bare:
        """Activity, attribute update, timer, activity."""
        await workflow.execute_activity(open_bare, given, start_to_close_timeout=_SECONDS)
        workflow.upsert_search_attributes([WAITS_FOR.value_set([GROUP])])
        await workflow.wait_condition(lambda: self._decided, timeout=timedelta(hours=4))
        return await workflow.execute_activity(
            execute_bare,
            given,
            task_queue=SECOND_QUEUE,
            start_to_close_timeout=_SECONDS,
        )

    @workflow.update
    async def decide(self, given: Bare) -> Bare:
        """One local activity."""
        await workflow.execute_local_activity(record_bare, given, start_to_close_timeout=_SECONDS)
        self._decided = True
        return given
