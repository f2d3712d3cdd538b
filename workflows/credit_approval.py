"""What carried credits before `ApprovalWorkflow`: requests that wait keep the type that they were started as."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from plixo.messages.approvals import ApprovalOutcome, ApprovalRequest, Executed, Standing

from workflows.approval import UNTOLD, ApprovalWorkflow


@workflow.defn
class CreditApprovalWorkflow(ApprovalWorkflow):
    """Takes the steps that it always took: what came with `ApprovalWorkflow` would not replay.

    Nothing starts it any more. One whose history becomes too long is ended by Temporal, and its request taken up again
    by an `ApprovalWorkflow`.
    """

    @workflow.init
    def __init__(self, request: ApprovalRequest = UNTOLD) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ApprovalRequest = UNTOLD) -> ApprovalOutcome:
        """As every request."""
        return await super().run(request)

    def _is_long(self) -> bool:
        return False

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def _show_who_is_left(self, before: Standing) -> None:
        pass

    def _find_by(self, wanted: Sequence[SearchAttributeUpdate[Any]]) -> None:
        workflow.upsert_search_attributes(wanted)

    def _call_for_attention(self, executed: Executed) -> None:
        pass
