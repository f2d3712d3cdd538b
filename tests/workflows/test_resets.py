"""An operator resets a workflow to any point it ever passed: what was decided stands, what was done stays done once."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.waiting import until
from plixo.domain.approval import State
from starters.credits import Asked
from tests.support.databases import database
from tests.support.house import House, open_house
from tests.support.operating import points, reset, run_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory() as folder, database("sqlite", Path(folder)) as url:
        async with open_house(Path(folder), url) as opened:
            yield opened


async def rested(house: House, asked: Asked) -> None:
    """Waits until the new run has taken in what was replayed to it and rests on its timer."""

    async def still() -> bool:
        described = (await house.workflow(asked).describe()).raw_description
        return not described.HasField("pending_workflow_task") and not described.pending_activities

    await until("the run to rest", still)


async def test_a_finished_request_reset_to_any_point_is_not_done_again(one_house: House) -> None:
    house = one_house
    asked = await house.ask("700.00", reason="goodwill")
    await house.until_waiting(asked)
    await house.decide(asked, "controller")
    before = await house.until_ended(asked)
    trail = [line.event for line in await house.trail(before.approval.approval_id)]
    first, places = await run_of(house, asked), await points(house, asked)
    assert len(places) >= 4
    for place in places:
        await reset(house, asked, place, run_id=first)
        assert await run_of(house, asked) != first
        outcome = await asyncio.wait_for(house.workflow(asked).result(), 20)
        assert outcome["state"] == "executed", place
    assert await house.record(asked) == before
    assert [line.event for line in await house.trail(before.approval.approval_id)] == trail
    assert len(await house.ledger(asked)) == 1


@pytest.mark.parametrize("reapply", [True, False], ids=["with its messages", "without its messages"])
async def test_a_half_decided_request_reset_to_any_point_goes_on_from_where_it_stood(
    one_house: House, *, reapply: bool
) -> None:
    house = one_house
    asked = await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    await house.decide(asked, "controller")
    before = await house.record(asked)
    first, places = await run_of(house, asked), await points(house, asked)
    assert len(places) >= 3
    for place in places:
        await reset(house, asked, place, run_id=first, reapply=reapply)
        await rested(house, asked)
        after = await house.record(asked)
        assert (after.approval.state, after.approval.decisions) == (State.WAITING, before.approval.decisions), place
    answers = [one["answer"] for one in (await house.workflow(asked).query("decided"))["recorded"]]
    assert set(answers) <= {"accepted", "already_received"}
    assert (await house.decide(asked, "legal")).answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert [known.person_id for known in (await house.record(asked)).approval.decisions] == ["p-controller", "p-legal"]
    assert len(await house.ledger(asked)) == 1


async def test_a_rejected_and_a_withdrawn_request_stay_so(one_house: House) -> None:
    house = one_house
    ends = {"reject": ("controller", State.REJECTED), "withdraw": ("billing_admin", State.WITHDRAWN)}
    for verdict, (role, state) in ends.items():
        asked = await house.ask("710.00", reason="goodwill")
        await house.until_waiting(asked)
        await house.decide(asked, role, verdict)
        before = await house.until_ended(asked)
        first = await run_of(house, asked)
        for place in await points(house, asked):
            await reset(house, asked, place, run_id=first)
            outcome = await asyncio.wait_for(house.workflow(asked).result(), 20)
            assert outcome["state"] == state, place
        assert await house.record(asked) == before
        assert await house.ledger(asked) == []
