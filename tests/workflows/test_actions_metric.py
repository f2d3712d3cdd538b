"""What a request costs, counted by the server itself: its `action` metric is what Temporal Cloud bills by."""

import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from demo.waiting import until
from plixo.domain.approval import State
from plixo.messages.approvals import Decide
from tests.support.rows import PlayedStripe, Rows, fresh_sqlite, open_rows
from tests.support.workers import at_work, settled, start
from workflows import attributes
from workflows.approval import ApprovalWorkflow


@dataclass
class Meter:
    """A dev server with its metrics, and workers on it."""

    client: Client
    rows: Rows
    url: str

    async def read(self) -> float:
        async with httpx.AsyncClient() as http:
            said = (await http.get(self.url)).text
        return sum(float(count) for count in re.findall(r"^action(?:_total)?\{.*\} (\S+)$", said, re.MULTILINE))

    async def rested(self) -> float:
        """What the meter says once it has not moved for longer than it lags."""
        seen: list[float] = []

        async def still() -> bool:
            seen.append(await self.read())
            return len(seen) > 6 and len(set(seen[-7:])) == 1

        await until("the meter to rest", still, every=0.5)
        return seen[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
async def meter(tmp_path: Path) -> AsyncIterator[Meter]:
    port = free_port()
    server = str(Path(sys.executable).parent / "temporal")
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=server,
            dev_server_extra_args=["--metrics-port", str(port)],
            search_attributes=attributes.ALL,
        ) as env,
        open_rows(await fresh_sqlite(tmp_path)) as rows,
        at_work(env.client, rows, PlayedStripe()),
    ):
        yield Meter(env.client, rows, f"http://127.0.0.1:{port}/metrics")


async def test_one_approver_costs_seven_actions_and_an_automatic_credit_three(meter: Meter) -> None:
    before = await meter.rested()
    automatic = await start(meter.client, await meter.rows.ask(18_000, stages=()))
    assert (await automatic.result()).state == "executed"
    between = await meter.rested()
    assert between - before == 3

    approval_id = await meter.rows.ask()
    handle = await start(meter.client, approval_id)
    await settled(meter.rows, approval_id, State.WAITING)

    async def its_timer_runs() -> bool:
        return any([event.HasField("timer_started_event_attributes") async for event in handle.fetch_history_events()])

    await until("the one timer", its_timer_runs)
    decision_id = await meter.rows.say(approval_id, "controller")
    await handle.execute_update(ApprovalWorkflow.decide, Decide(approval_id, decision_id), id=decision_id)
    assert (await handle.result()).state == "executed"
    assert await meter.rested() - between == 7
