"""Versions of workers: which build works on requests, and how another one takes over while requests wait.

A worker that names its build gets work only once that build is current. Requests that wait move to the current build
with their next step; the recorded histories prove that it replays what the one before it did.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from plixo.messages.approvals import APPROVALS_QUEUE, STRIPE_QUEUE

DEPLOYMENT: Final = "plixo"
"""The name under which Temporal knows all builds of our workers."""

QUEUES: Final = (
    (APPROVALS_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
    (APPROVALS_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
    (STRIPE_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
)
"""What a build must poll before requests can be left to it."""

POLLED_WITHIN: Final = timedelta(minutes=2)
"""A poll lasts a minute at most; the rest is for clocks that differ. Temporal lists who polled for five minutes."""

SETTLE_SECONDS: Final = 30.0
"""How long the cluster may take to know a build whose workers came up just now, and to send it all work."""


class CannotPromote(Exception):
    """A build cannot be made current as things stand; the message says what to do."""


@dataclass(frozen=True)
class Promoted:
    """What became current.

    Attributes:
        build: The build that gets all work from now on.
        before: The one that got it before; empty when none did.
    """

    build: str
    before: str


def deployment(build: str) -> WorkerDeploymentConfig | None:
    """How a worker of that build announces itself; None without a build, where versions are off.

    Requests wait for months, so they are never pinned to the build that they were started on.
    """
    if not build:
        return None
    return WorkerDeploymentConfig(
        WorkerDeploymentVersion(DEPLOYMENT, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def promote(client: Client, build: str, *, wait_seconds: float = 0) -> Promoted:
    """Make a build current once its workers poll every queue.

    Args:
        client: Connected to the workers' namespace.
        build: As `PLIXO_BUILD_ID` names it.
        wait_seconds: How long to wait for its workers.

    Raises:
        CannotPromote: Not all queues are polled by it, or the cluster does not take it.
        RPCError: The cluster refuses.
    """
    await _until_up(client, build, wait_seconds)
    before = await _set_current(client, build)
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not _in_force(await _described(client), build):  # noqa: ASYNC110 - the cluster has no event for it
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise CannotPromote(
            f"Build {build} is set current, but after {SETTLE_SECONDS:.0f} s not every part of the cluster knows; "
            "run this again."
        ) from error
    return Promoted(build, before)


async def unpromoted(client: Client, build: str) -> str:
    """Why the workers of a build get no work, in words; empty while they do, or when another build took over.

    Raises:
        RPCError: The cluster refuses or is away.
    """
    found = await _described(client)
    builds = {one.deployment_version.build_id: one for one in found.version_summaries} if found else {}
    current = found.routing_config.current_deployment_version.build_id if found else ""
    if current == build or build not in builds or not await _polled(client, build):
        return ""
    taken_over = builds[build].HasField("last_current_time") and current and await _polled(client, current)
    return "" if taken_over else f"build {build} is up and not current; run `plixo worker promote {build}`"


async def _until_up(client: Client, build: str, wait_seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + wait_seconds
    while True:
        polled = await _polled(client, build)
        missing = sorted({queue for queue, kind in QUEUES if (queue, kind) not in polled})
        if not missing:
            return
        if asyncio.get_running_loop().time() >= ends:
            raise CannotPromote(
                f"No worker of build {build} polls {' and '.join(missing)}; start `plixo worker` with "
                f"PLIXO_BUILD_ID={build} first. Nothing was changed."
            )
        await asyncio.sleep(0.2)


async def _polled(client: Client, build: str) -> frozenset[tuple[str, int]]:
    """Which of the queues a build's workers poll right now."""
    since = datetime.now(UTC) - POLLED_WITHIN
    return frozenset([place for place in QUEUES if build in await _builds_at(client, *place, since)])


async def _builds_at(client: Client, queue: str, kind: TaskQueueType.ValueType, since: datetime) -> Mapping[str, str]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    found = await client.workflow_service.describe_task_queue(request)
    return {
        poller.deployment_options.build_id: poller.identity
        for poller in found.pollers
        if poller.deployment_options.deployment_name == DEPLOYMENT
        and poller.last_access_time.ToDatetime(tzinfo=UTC) >= since
    }


async def _set_current(client: Client, build: str) -> str:
    """Set it; the build that was current before."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build, identity=client.identity
    )
    ends = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        try:
            answer = await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            if error.status is RPCStatusCode.FAILED_PRECONDITION:
                raise CannotPromote(f"Temporal does not make build {build} current: {error.message}") from error
            # Its workers poll already, and a moment later the cluster knows the build by name.
            if error.status is not RPCStatusCode.NOT_FOUND or asyncio.get_running_loop().time() >= ends:
                raise
            await asyncio.sleep(0.2)
        else:
            return str(answer.previous_deployment_version.build_id)


async def _described(client: Client) -> WorkerDeploymentInfo | None:
    """All builds that the cluster knows; None before the first worker that named one."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    try:
        return (await client.workflow_service.describe_worker_deployment(request)).worker_deployment_info
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


def _in_force(found: WorkerDeploymentInfo | None, build: str) -> bool:
    if found is None or found.routing_config.current_deployment_version.build_id != build:
        return False
    under_way = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
    return found.routing_config_update_state != under_way
