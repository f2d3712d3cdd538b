"""Signals as strangers send them: with no argument, or with many."""

from temporalio import client, worker


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
