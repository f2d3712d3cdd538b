"""Schedules on a real server: made once, changed when their declaration changed, left paused by whoever paused them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client, ScheduleUpdate, ScheduleUpdateInput
from temporalio.testing import WorkflowEnvironment

from demo.places import binary
from starters.schedules import reconcile
from workflows.schedules import CHECKPOINT, DIGEST, Scheduled, schedules

DAILY = schedules(checkpoint_hours=24)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[Client]:
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(binary("temporal"))) as server:
        yield server.client


def named(name: str, **changed: object) -> tuple[Scheduled, ...]:
    return (replace(DAILY[0], schedule_id=name, **changed),)


async def said(client: Client, wanted: tuple[Scheduled, ...]) -> list[tuple[str, bool]]:
    return [(one.done, one.paused) for one in await reconcile(client, wanted)]


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_missing_is_made_and_the_second_run_changes_nothing(client: Client) -> None:
    assert await said(client, DAILY) == [("made", False)] * 2
    assert await said(client, DAILY) == [("there", False)] * 2
    found = await client.get_schedule_handle(CHECKPOINT).describe()
    assert found.schedule.state.note == DAILY[0].note
    following = found.info.next_action_times
    assert {moment.strftime("%H:%M") for moment in following} == {"00:10"}
    assert following[1] - following[0] == timedelta(days=1)


async def test_the_digest_is_due_early_on_mondays(client: Client) -> None:
    await reconcile(client, DAILY)
    following = (await client.get_schedule_handle(DIGEST).describe()).info.next_action_times
    assert {moment.strftime("%A %H:%M") for moment in following} == {"Monday 06:00"}
    assert following[1] - following[0] == timedelta(weeks=1)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("hourly", {"every": timedelta(hours=1)}),
        ("later", {"offset": timedelta(minutes=20)}),
        ("elsewhere", {"task_queue": "other"}),
        ("otherwise", {"workflow": "Another"}),
    ],
)
async def test_what_differs_is_changed(client: Client, name: str, changed: dict[str, object]) -> None:
    await reconcile(client, named(name))
    assert await said(client, named(name, **changed)) == [("changed", False)]
    assert await said(client, named(name, **changed)) == [("there", False)]


async def test_what_somebody_paused_stays_paused_with_their_note(client: Client) -> None:
    await reconcile(client, named("paused"))
    handle = client.get_schedule_handle("paused")
    await handle.pause(note="Moving the folder.")
    assert await said(client, named("paused")) == [("there", True)]
    assert await said(client, named("paused", every=timedelta(hours=2))) == [("changed", True)]
    state = (await handle.describe()).schedule.state
    assert (state.paused, state.note) == (True, "Moving the folder.")


async def test_what_somebody_else_made_of_it_is_put_right(client: Client) -> None:
    await reconcile(client, named("bent"))

    def bend(found: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = found.description.schedule
        schedule.spec.cron_expressions = ["0 3 * * *"]
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle("bent").update(bend)
    assert await said(client, named("bent")) == [("changed", False)]
    assert await said(client, named("bent")) == [("there", False)]
