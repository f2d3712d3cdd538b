"""An import against the real console and Temporal: interrupted, killed, and run again until nothing is missing."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import func, select

from demo.waiting import until
from plixo.store.models import ApprovalRow, AuditRow
from tests.support.house import House
from tests.support.program import ROOT, environment
from web.app import create_app

ROWS = 60
BAD = 30


@dataclass(frozen=True)
class Served:
    """The real console, and imports of one file that run as processes of their own."""

    house: House
    address: str
    file: Path

    async def start(self, stderr: int | None = None) -> asyncio.subprocess.Process:
        options = ("--as", "billing_admin", "--api", self.address, "--json")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starters.cli", "credit", "import", str(self.file), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment(TERM="xterm"),
            cwd=ROOT,
        )

    async def ends(self, running: asyncio.subprocess.Process) -> tuple[int | None, Any]:
        out, _ = await asyncio.wait_for(running.communicate(), 60)
        return running.returncode, json.loads(out)

    async def count(self, column: Any) -> int:
        async with self.house.desk.ledger.read() as session:
            return int((await session.execute(select(func.count(column)))).scalar_one())

    async def kept(self, at_least: int) -> None:
        async def there() -> bool:
            return await self.count(ApprovalRow.approval_id) >= at_least

        await until(f"{at_least} rows to be kept", there)


def read_all(screen: int) -> str:
    """What was written to a terminal until its last writer closed it."""
    seen = b""
    with contextlib.suppress(OSError), open(screen, "rb", buffering=0) as terminal:
        while more := terminal.read(1 << 16):
            seen += more
    return seen.decode(errors="replace")


@pytest.fixture
async def served(idle_house: House, tmp_path: Path) -> AsyncIterator[Served]:
    """The console before a file of which one row is bad and two say the same."""
    customers = ["cus_Nobody" if number == BAD else "cus_ExampleFoods" for number in range(ROWS)]
    file = tmp_path / "credits.csv"
    rows = [f"{name},0.01,USD,goodwill,row {max(number, 1)}\n" for number, name in enumerate(customers)]
    file.write_text("customer,amount,currency,reason,note\n" + "".join(rows))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(idle_house.staff), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    yield Served(idle_house, f"http://127.0.0.1:{listener.getsockname()[1]}", file)
    server.should_exit = True
    await running


async def test_stopped_and_killed_in_the_middle_it_goes_on_where_it_was_and_asks_for_nothing_twice(
    served: Served,
) -> None:
    first = await served.start()
    await served.kept(5)
    first.send_signal(signal.SIGINT)
    code, stopped = await served.ends(first)
    assert (code, stopped["stopped"]) == (130, "It was interrupted.")
    assert stopped["totals"]["left"] > 0
    assert stopped["totals"]["created"] == await served.count(ApprovalRow.approval_id)

    second = await served.start()
    await served.kept(stopped["totals"]["created"] + 5)
    second.kill()
    await second.communicate()
    kept = await served.count(ApprovalRow.approval_id)
    assert kept < ROWS - 1

    screen, end = pty.openpty()
    third = await served.start(end)
    os.close(end)
    shown = asyncio.create_task(asyncio.to_thread(read_all, screen))
    code, whole = await served.ends(third)
    seen = await shown
    assert code == 1
    assert whole["totals"] == {
        "rows": ROWS,
        "created": ROWS - 1 - whole["totals"]["already_there"],
        "already_there": whole["totals"]["already_there"],
        "sound": 0,
        "refused": 1,
        "failed": 0,
        "left": 0,
    }
    assert whole["totals"]["already_there"] >= kept
    assert [row["line"] for row in whole["rows"] if row["status"] == "refused"] == [BAD + 2]
    assert f"/{ROWS}" in seen
    assert await served.count(ApprovalRow.approval_id) == ROWS - 1
    assert await served.count(AuditRow.seq) == ROWS - 1

    code, again = await served.ends(await served.start())
    assert (code, again["totals"]["already_there"]) == (1, ROWS - 1)
    assert await served.count(ApprovalRow.approval_id) == ROWS - 1
