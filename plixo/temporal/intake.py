"""Starts and signals as strangers send them: with no argument, or with many."""

from temporalio import client, worker
from temporalio.bridge.proto.workflow_activation import WorkflowActivation


def take_starts(activation: WorkflowActivation) -> None:
    """Have a start with many arguments come with none, as one whose argument cannot be read.

    No workflow of ours takes many. Python would refuse to make it, and Temporal repeat the task until somebody ends
    the run, which holds the name of a request that is then never opened.
    """
    for job in activation.jobs:
        if job.HasField("initialize_workflow") and len(job.initialize_workflow.arguments) > 1:
            del job.initialize_workflow.arguments[:]


class Intake(client.Interceptor, worker.Interceptor):
    """Hands a signal's handler one argument, whatever came: it is None where another number of them did.

    Python would refuse such a call, and the workflow task with it, again and again.
    """

    def workflow_interceptor_class(
        self,
        input: worker.WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's own name
    ) -> type[worker.WorkflowInboundInterceptor]:
        """What each workflow is wrapped in."""
        return _OneArgument


class _OneArgument(worker.WorkflowInboundInterceptor):
    async def handle_signal(self, input: worker.HandleSignalInput) -> None:  # noqa: A002 - the SDK's own name
        if len(input.args) != 1:
            input.args = [None]
        await super().handle_signal(input)
