"""Fairness keys: customers have their turns one after the other, where the cluster does not bill for it."""

from dataclasses import replace
from typing import Any

from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle


class WithoutFairnessKeys(Interceptor):
    """Starts without fairness keys, for clusters that bill them; the priority stays."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Stands before the client."""
        return _Keyless(next)


class _Keyless(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002 - the SDK's name
        input.priority = replace(input.priority, fairness_key=None, fairness_weight=None)
        return await super().start_workflow(input)
