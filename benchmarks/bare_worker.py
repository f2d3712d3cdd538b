"""The floor's worker, a process of its own: set up as the product's own, both queues, each with a client of its own."""

import asyncio
import gc
import os
import signal
import sys

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from benchmarks.bare import QUEUE, SECOND_QUEUE, BareWorkflow, execute_bare, open_bare, record_bare
from workers.main import STICKY_TIMEOUT

READY = "worker polling"


async def run(address: str, cached: int) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    first = Worker(
        await Client.connect(address),
        task_queue=QUEUE,
        workflows=[BareWorkflow],
        activities=[open_bare, record_bare],
        max_cached_workflows=cached,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
    second = Worker(
        await Client.connect(address),
        task_queue=SECOND_QUEUE,
        activities=[execute_bare],
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
    async with first, second:
        gc.freeze()
        sys.stdout.write(f"{READY} {QUEUE}, {SECOND_QUEUE}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(run(os.environ["PLIXO_TEMPORAL_ADDRESS"], int(sys.argv[1])))
