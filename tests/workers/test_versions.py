"""Two builds of the workers side by side on a real server, and requests that wait while one takes over from the other.

In one-machine mode builds have no say: every other test runs there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from temporalio.service import RPCError

from demo.waiting import until
from plixo.bootstrap import Workshop, open_workshop
from plixo.config import Settings
from plixo.domain.approval import State
from plixo.temporal import versions
from plixo.temporal.versions import CannotPromote, deployment, promote, unpromoted
from starters.credits import Asked
from tests.support.house import House
from web import health
from workers.main import stripe_worker, working


def in_production(house: House, build: str) -> Settings:
    return house.settings.model_copy(update={"env": "production", "build_id": build})


@asynccontextmanager
async def workshop_of(house: House, build: str) -> AsyncIterator[Workshop]:
    """The workers' side of a build, with clients of its own as in a process of its own."""
    async with open_workshop(in_production(house, build)) as opened:
        yield opened


@asynccontextmanager
async def build_at_work(house: House, build: str) -> AsyncIterator[None]:
    async with workshop_of(house, build) as opened, working(opened):
        yield


async def ready(house: House, build: str) -> dict[str, str]:
    """What the console of that build says of itself."""
    return await health.check(replace(house.staff, settings=in_production(house, build)))


async def builds_of(house: House, asked: Asked) -> list[str]:
    """Which build took each of a request's steps."""
    found = []
    async for event in house.workflow(asked).fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            done = event.workflow_task_completed_event_attributes
            found.append(done.deployment_version.build_id or done.worker_deployment_version)
    return found


async def known(house: House, build: str) -> None:
    """Waits until the cluster has heard of a build's workers."""

    async def there() -> bool:
        return await unpromoted(house.workshop.temporal, build) != ""

    await until(f"build {build} to be known", there)


async def test_a_request_that_waits_goes_on_with_the_build_that_is_promoted(idle_house: House) -> None:
    house, client = idle_house, idle_house.workshop.temporal
    async with build_at_work(house, "one"):
        early = await house.ask()
        await known(house, "one")
        assert "run `plixo worker promote one`" in (await ready(house, "one"))["workers"]
        assert (await house.record(early)).approval.state is State.ROUTING, "nobody works before the first promotion"

        done = await promote(client, "one", wait_seconds=30)
        assert (done.build, done.before) == ("one", "")
        waiting = [early, await house.ask(), await house.ask()]
        for asked in waiting:
            await house.until_waiting(asked)
        assert set((await ready(house, "one")).values()) == {health.OK}

        async with build_at_work(house, "two"):
            await known(house, "two")
            assert "build two is up and not current" in (await ready(house, "two"))["workers"]
            assert (await ready(house, "one"))["workers"] == health.OK
            beside = await house.ask()
            await house.until_waiting(beside)
            assert (await house.decide(beside, "controller")).answer == "accepted", "no decision hangs meanwhile"
            await house.until_state(beside, State.EXECUTED)
            assert set(await builds_of(house, beside)) == {"one"}

            assert (await promote(client, "two")).before == "one"
            assert (await house.decide(waiting[0], "controller")).answer == "accepted"
            await house.until_ended(waiting[0])
            assert (await builds_of(house, waiting[0]))[-1] == "two"
            assert set((await ready(house, "two")).values()) == {health.OK}
            assert (await ready(house, "one"))["workers"] == health.OK, "it was current, and another took over"
            assert (await promote(client, "two")).before == "two", "said twice it stays so"
        assert (await ready(house, "two"))["workers"] == health.OK

    async with build_at_work(house, "two"):
        answers = await asyncio.gather(*(house.decide(asked, "controller") for asked in waiting[1:]))
        assert [answer.answer for answer in answers] == ["accepted"] * 2
        for asked in waiting[1:]:
            assert (await house.until_ended(asked)).approval.state is State.EXECUTED
            assert (await builds_of(house, asked))[0] == "one"
            assert (await builds_of(house, asked))[-1] == "two"
            assert len(await house.ledger(asked)) == 1


async def test_a_build_whose_workers_are_not_all_up_is_not_promoted(
    idle_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, client = idle_house, idle_house.workshop.temporal
    with pytest.raises(CannotPromote, match="No worker of build new polls plixo-approvals and plixo-stripe; start"):
        await promote(client, "new")
    assert await unpromoted(client, "new") == ""
    assert (await ready(house, "new"))["workers"] == health.OK, "a console may come up before its workers do"
    async with workshop_of(house, "new") as opened, stripe_worker(opened.stripe_client, opened):
        await known(house, "new")
        with pytest.raises(CannotPromote, match="No worker of build new polls plixo-approvals; start"):
            await promote(client, "new", wait_seconds=0.3)
    described = await versions._described(client)
    assert described is not None
    assert described.routing_config.current_deployment_version.build_id == ""

    async def away(*_given: Any) -> str:
        raise RPCError("played", versions.RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(health, "unpromoted", away)
    assert (await ready(house, "new"))["workers"] == "cannot be told"


def test_builds_have_no_say_in_one_machine_mode() -> None:
    assert deployment(Settings(env="dev", build_id="one").build) is None
    named = deployment(Settings(env="production", build_id="one").build)
    assert named is not None
    assert (named.version.to_canonical_string(), named.use_worker_versioning) == ("plixo.one", True)
    assert named.default_versioning_behavior.name == "AUTO_UPGRADE"
    assert deployment(Settings(env="production").build) is None
