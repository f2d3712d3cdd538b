"""What the workers' sandbox leaves out buys nothing; what a sandbox is for, it does."""

import sys
import time
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.converter import WorkflowSerializationContext
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import RestrictedWorkflowAccessError

from plixo.config import Settings
from plixo.temporal.client import connect
from plixo.temporal.converter import data_converter
from plixo.temporal.intake import Intake
from tests.replay import corpus
from workers.sandbox import SANDBOX
from workflows.approval import ApprovalWorkflow
from workflows.checkpoint import CheckpointWorkflow
from workflows.credit_approval import CreditApprovalWorkflow
from workflows.digest import DigestWorkflow

SERVER = str(Path(sys.executable).parent / "temporal-test-server")


@workflow.defn(failure_exception_types=[RestrictedWorkflowAccessError])
class ReadsTheClock:
    """Would not replay."""

    @workflow.run
    async def run(self) -> float:
        return time.time()


@pytest.mark.parametrize("name", corpus.recorded())
async def test_a_recorded_history_replays_in_it(name: str) -> None:
    replayer = Replayer(
        workflows=[ApprovalWorkflow, CreditApprovalWorkflow, CheckpointWorkflow, DigestWorkflow],
        workflow_runner=SANDBOX,
        data_converter=data_converter(corpus.CODEC),
        interceptors=[Intake()],
    )
    await replayer.replay_workflow(corpus.history(name))


async def test_what_would_not_replay_is_still_refused() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=SERVER) as env,
        Worker(env.client, task_queue="clocks", workflows=[ReadsTheClock], workflow_runner=SANDBOX),
    ):
        with pytest.raises(WorkflowFailureError) as refused:
            await env.client.execute_workflow(ReadsTheClock.run, id="clock", task_queue="clocks")
    assert "time.time" in str(refused.value.cause)


async def test_our_converter_and_codec_ask_for_no_context() -> None:
    """One that did would be told nothing in this sandbox."""
    client = await connect(
        Settings.model_construct(temporal_address="127.0.0.1:1", temporal_namespace="any"), lazy=True
    )
    parts = client.data_converter
    context = WorkflowSerializationContext(namespace="any", workflow_id="credit/any")
    assert parts.with_context(context) is parts
    assert parts.external_storage is None, "what stores payloads elsewhere is told in whose name"
