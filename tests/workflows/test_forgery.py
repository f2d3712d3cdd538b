"""Whoever writes to Temporal, by whatever way in, moves nothing and leaves a trace."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle

from demo.places import binary
from demo.waiting import until
from plixo.domain.approval import State
from plixo.messages.approvals import Decide
from plixo.ports import Record
from starters.credits import Asked
from tests.support.databases import database
from tests.support.forging import KINDS, Forger, plant
from tests.support.house import House, open_house
from workflows.approval import ApprovalWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = tuple(KINDS)
SOME = ("nobody-signed-it", "foreign-key", "expired", "altered-amount", "another-round")
"""A program is slow to start, and what it sends are ids, whatever is behind them."""

AT_ONCE = 4
"""Ways in are tried side by side, and fewer than the ten updates that a workflow takes at a time."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house() -> AsyncIterator[House]:
    """One house for every way in; each uses requests of its own."""
    with tempfile.TemporaryDirectory() as folder, database("sqlite", Path(folder)) as url:
        async with open_house(Path(folder), url) as opened:
            yield opened


Way = Callable[[House, "WorkflowHandle[object, object]", Decide], Awaitable[None]]


async def by_update(_house: House, handle: "WorkflowHandle[object, object]", message: Decide) -> None:
    answer = await handle.execute_update(ApprovalWorkflow.decide, message)
    assert answer.answer in {"refused", "conflict"}


async def by_withdrawal(_house: House, handle: "WorkflowHandle[object, object]", message: Decide) -> None:
    answer = await handle.execute_update(ApprovalWorkflow.withdraw, message)
    assert answer.answer in {"refused", "conflict"}


async def by_signal(_house: House, handle: "WorkflowHandle[object, object]", message: Decide) -> None:
    await handle.signal(ApprovalWorkflow.submit_decision, message)


async def by_temporals_cli_update(house: House, handle: "WorkflowHandle[object, object]", message: Decide) -> None:
    """It has no key to read the answer with, and may say that it failed."""
    await _cli(house, handle.id, message, "update", "execute", "--name", "decide")


async def by_temporals_cli_signal(house: House, handle: "WorkflowHandle[object, object]", message: Decide) -> None:
    assert await _cli(house, handle.id, message, "signal", "--name", "submit_decision") == 0


async def _cli(house: House, workflow_id: str, message: Decide, *command: str) -> int:
    said = {"approval_id": message.approval_id, "decision_id": message.decision_id}
    process = await asyncio.create_subprocess_exec(
        *(str(binary("temporal")), "workflow", *command, "--workflow-id", workflow_id, "--input", json.dumps(said)),
        *("--address", house.settings.temporal_address),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    ("way", "kinds"),
    [
        (by_update, ALL),
        (by_withdrawal, SOME),
        (by_signal, ALL),
        (by_temporals_cli_update, SOME),
        (by_temporals_cli_signal, SOME),
    ],
)
async def test_no_forged_decision_moves_anything_and_each_leaves_a_trace(
    one_house: House, way: Way, kinds: Collection[str]
) -> None:
    mine, forger = await _forger(one_house)
    handle, turn = one_house.workflow(mine), asyncio.Semaphore(AT_ONCE)
    approval_id = mine.record.approval.approval_id

    async def forge(kind: str) -> None:
        await plant(forger, kind, _id(kind, mine))
        async with turn:
            await way(one_house, handle, Decide(approval_id, _id(kind, mine)))

    await asyncio.gather(*(forge(kind) for kind in kinds))

    assert await _traces(one_house, mine, [_id(kind, mine) for kind in kinds]) == {
        _id(kind, mine): KINDS[kind][1] for kind in kinds
    }
    assert (await one_house.record(mine)).approval.state is State.WAITING
    await _still_takes_the_real_one(one_house, mine)


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("way", [by_update, by_temporals_cli_signal])
async def test_a_decision_that_was_recorded_on_one_request_is_nothing_on_another(one_house: House, way: Way) -> None:
    mine, forger = await _forger(one_house)
    (real,) = (await _record_of(one_house, forger.other)).approval.decisions
    approval_id = mine.record.approval.approval_id

    await way(one_house, one_house.workflow(mine), Decide(approval_id, real.decision_id))

    assert await _traces(one_house, mine, [real.decision_id]) == {real.decision_id: "decision_unknown"}
    assert (await one_house.record(mine)).approval.state is State.WAITING
    await _still_takes_the_real_one(one_house, mine)


@pytest.mark.asvs("9.1.1")
async def test_a_decision_that_counted_counts_no_second_time(one_house: House) -> None:
    """A real one of two, sent again and again, does not fill the other seat."""
    asked = await one_house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await one_house.until_waiting(asked)
    answer = await one_house.decide(asked, "controller")
    message = Decide(asked.record.approval.approval_id, answer.decision_id)
    for way in (by_signal, by_temporals_cli_signal, by_temporals_cli_update):
        await way(one_house, one_house.workflow(asked), message)
    again = await one_house.workflow(asked).execute_update(ApprovalWorkflow.decide, message)
    record = await one_house.record(asked)
    assert (again.answer, record.approval.state) == ("already_received", State.WAITING)
    assert [known.person_id for known in record.approval.decisions] == ["p-controller"]
    assert [group.value for group in record.approval.waiting_groups()] == ["legal"]


async def _forger(house: House) -> tuple[Asked, Forger]:
    mine, other = await house.ask("700.00", reason="goodwill"), await house.ask("600.00", reason="goodwill")
    for asked in (mine, other):
        await house.until_waiting(asked)
    await house.decide(other, "controller")
    return mine, Forger(house.desk, await house.record(mine), await house.until_ended(other))


async def _record_of(house: House, record: Record) -> Record:
    async with house.desk.ledger.begin() as tx:
        found = await tx.approval(record.approval.approval_id)
    assert found is not None
    return found


def _id(kind: str, asked: Asked) -> str:
    return f"DE-{kind}-{asked.record.approval.approval_id[-6:]}"


async def _traces(house: House, asked: Asked, ids: Collection[str]) -> dict[str, str]:
    """The code in the trace of each forged decision, once all are there."""
    approval_id = asked.record.approval.approval_id

    async def look() -> dict[str, str] | None:
        chain = await house.trail(approval_id)
        refused = [line for line in chain if line.event in {"decision_refused", "decision_conflict"}]
        found = {line.detail["decision_id"]: line.detail["code"] for line in refused}
        return found if set(found) >= set(ids) else None

    return await until("a trace of each forged decision", look)


async def _still_takes_the_real_one(house: House, asked: Asked) -> None:
    assert await house.ledger(asked) == []
    assert (await house.decide(asked, "controller")).answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert len(await house.ledger(asked)) == 1
