"""The sandbox that workflows run in: the SDK's own, without two costs that buy nothing here, and unmoved by odd starts.

Both costs come with every workflow and every payload. What is passed through are constants and pure rules, which the
workflow files pass through themselves already; the workflow file itself is loaded anew for each request, as ever.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from plixo.temporal.intake import take_starts

PASSED_THROUGH: Final = ("activities", "plixo", "workflows.attributes", "workflows.policies")


@dataclass(frozen=True)
class ContextFreeSandbox(SandboxedWorkflowRunner):
    """A sandbox whose workflows are not asked in whose name a payload is encoded.

    The SDK asks inside the sandbox, four times for each payload, and entering it costs more than the encoding. Our
    converter and codec treat every payload alike and store none elsewhere; one that took its context into account
    would need the SDK's way.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance that answers without entering the sandbox, and takes every start."""
        instance = super().create_instance(det)
        instance.get_serialization_context = _none  # type: ignore[assignment, method-assign]
        instance.get_external_store_context = _none  # type: ignore[assignment, method-assign]
        instance.activate = partial(_activate, instance.activate)  # type: ignore[method-assign]
        return instance


def _activate(
    activate: Callable[[WorkflowActivation], WorkflowActivationCompletion], activation: WorkflowActivation
) -> WorkflowActivationCompletion:
    take_starts(activation)
    return activate(activation)


def _none(_command: object) -> None:
    return None


SANDBOX: Final = ContextFreeSandbox(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH),
)
