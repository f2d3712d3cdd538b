"""What an operator can do to a workflow behind the product's back."""

import uuid

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from starters.credits import Asked
from tests.support.house import House


async def points(house: House, asked: Asked) -> list[int]:
    """Every place in the request's history that an operator can go back to."""
    history = await house.workflow(asked).fetch_history()
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id for event in history.events if event.event_type == done]


async def reset(house: House, asked: Asked, event_id: int, *, run_id: str = "", reapply: bool = True) -> None:
    client = house.workshop.temporal
    kind = ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE if reapply else ResetReapplyType.RESET_REAPPLY_TYPE_NONE
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=house.workflow(asked).id, run_id=run_id),
            reason="an operator tries it",
            workflow_task_finish_event_id=event_id,
            reset_reapply_type=kind,
            request_id=str(uuid.uuid4()),
        ),
    )


async def run_of(house: House, asked: Asked) -> str:
    return (await house.workflow(asked).describe()).run_id
