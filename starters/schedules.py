"""Making Temporal's schedules what the product declares; what an operator paused stays paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.schedules import Scheduled

MADE: Final = "made"
CHANGED: Final = "changed"
THERE: Final = "there"


@dataclass(frozen=True)
class Reconciled:
    """One schedule as it is now.

    Attributes:
        schedule_id: Which.
        done: `made`, `changed` or `there`.
        paused: Whether somebody paused it.
    """

    schedule_id: str
    done: str
    paused: bool


async def reconcile(client: Client, wanted: Sequence[Scheduled]) -> tuple[Reconciled, ...]:
    """Make what is missing and change what differs; may be done again at any time.

    Raises:
        RPCError: The cluster refuses.
    """
    return tuple([await _reconcile(client, one) for one in wanted])


async def _reconcile(client: Client, wanted: Scheduled) -> Reconciled:
    handle = client.get_schedule_handle(wanted.schedule_id)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return await _make(client, wanted)
    paused = found.schedule.state.paused
    if _same(found, wanted):
        return Reconciled(wanted.schedule_id, THERE, paused)

    def changed(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(_schedule(wanted, _.description.schedule.state))

    await handle.update(changed)
    return Reconciled(wanted.schedule_id, CHANGED, paused)


async def _make(client: Client, wanted: Scheduled) -> Reconciled:
    try:
        await client.create_schedule(wanted.schedule_id, _schedule(wanted, ScheduleState(note=wanted.note)))
    except ScheduleAlreadyRunningError:  # somebody else made it in the same moment
        return await _reconcile(client, wanted)
    return Reconciled(wanted.schedule_id, MADE, paused=False)


def _schedule(wanted: Scheduled, state: ScheduleState) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            wanted.workflow,
            id=wanted.schedule_id,
            task_queue=wanted.task_queue,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=wanted.every, offset=wanted.offset)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
        state=state,
    )


def _same(found: ScheduleDescription, wanted: Scheduled) -> bool:
    """Whether it starts the same at the same times; state and notes are the operators'."""
    action, spec = found.schedule.action, found.schedule.spec
    if not isinstance(action, ScheduleActionStartWorkflow):
        return False
    intervals = [(one.every, one.offset) for one in spec.intervals]
    asked = (action.workflow, action.task_queue, intervals, [*spec.calendars, *spec.cron_expressions, *action.args])
    return asked == (wanted.workflow, wanted.task_queue, [(wanted.every, wanted.offset)], [])
