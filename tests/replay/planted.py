"""Changes to the workflow that nobody may make without `workflow.patched`, each planted into a copy of it.

Each says by which lines of a fingerprint one knows the histories that it breaks.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import workflow

from workflows import policies
from workflows.approval import ApprovalWorkflow

with workflow.unsafe.imports_passed_through():
    from activities.approvals import ApprovalActivities
    from plixo.messages.approvals import ApprovalOutcome, ApprovalRequest, Decide, Executed, Recorded, Step

NAME: Final = ApprovalWorkflow.__name__


@workflow.defn(name=NAME)
class Unchanged(ApprovalWorkflow):
    """The control: a copy without a change breaks nothing."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        return await super().run(request)


@workflow.defn(name=NAME)
class OneMoreTimer(ApprovalWorkflow):
    """A pause before the request is opened."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        await workflow.sleep(1)
        return await super().run(request)


@workflow.defn(name=NAME)
class OneMoreActivity(ApprovalWorkflow):
    """The approvers hear of it once more before money moves."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        return await super().run(request)

    async def _apply_in_stripe(self) -> Executed:
        await workflow.execute_activity_method(
            ApprovalActivities.remind,
            Step(self._approval_id),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
        )
        return await super()._apply_in_stripe()


@workflow.defn(name=NAME)
class NoAttributes(ApprovalWorkflow):
    """The search attributes are no longer kept in step."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        return await super().run(request)

    def _show_who_is_asked(self) -> None:
        self._say_who_is_asked()


@workflow.defn(name=NAME)
class RecordedElsewhere(ApprovalWorkflow):
    """A decision is recorded by an activity that is no longer local."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        return await super().run(request)

    async def _take_up(self, message: Decide) -> Recorded:
        await workflow.wait_condition(lambda: self._opened)
        return await workflow.execute_activity_method(
            ApprovalActivities.record,
            message,
            start_to_close_timeout=timedelta(seconds=3),
        )


@workflow.defn(name=NAME)
class NoExpiry(ApprovalWorkflow):
    """Nobody returns a request whose time is up."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalOutcome:
        return await super().run(request)

    async def _expire(self, stage: tuple[int, int]) -> None:
        await workflow.wait_condition(lambda: (self._standing.round, self._standing.stage) != stage)


@dataclass(frozen=True)
class Planted:
    """A planted change.

    Attributes:
        changed: The workflow with it.
        breaks: The histories with such a line in their fingerprint.
        unless: But not those that end like this, since they never come to where it was planted.
    """

    changed: type[ApprovalWorkflow]
    breaks: str
    unless: tuple[str, ...] = ()


PLANTED: Final = (
    Planted(OneMoreTimer, "started "),
    Planted(OneMoreActivity, "started ", unless=("failed: approval_unknown", "continued as ApprovalWorkflow")),
    Planted(NoAttributes, "attributes "),
    Planted(RecordedElsewhere, "local activity record_decision "),
    Planted(NoExpiry, "activity expire_approval "),
)
