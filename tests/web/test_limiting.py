"""The lane for many: few at a time, after everybody else, and never without end."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from web import limiting
from web.limiting import Lane


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_so_many_are_served_at_a_time_and_the_others_wait_their_turn() -> None:
    many, served, go = Lane(2), 0, asyncio.Event()

    async def one() -> None:
        nonlocal served
        async with many.turn():
            served += 1
            await go.wait()

    tasks = [asyncio.create_task(one()) for _ in range(5)]
    await settle()
    assert served == 2
    go.set()
    await asyncio.gather(*tasks)
    assert served == 5


async def test_when_too_many_wait_more_are_told_to_come_back() -> None:
    many, go = Lane(1, waiting=1), asyncio.Event()

    async def one() -> None:
        async with many.turn():
            await go.wait()

    tasks = [asyncio.create_task(one()) for _ in range(2)]
    await settle()
    with pytest.raises(HTTPException) as caught:
        await one()
    assert (caught.value.status_code, caught.value.headers) == (429, {"Retry-After": "1"})
    go.set()
    await asyncio.gather(*tasks)
    await one()


async def test_a_turn_waits_until_nobody_else_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "COURTESY_SECONDS", 100)
    many, served = Lane(1), []

    async def one() -> None:
        async with many.turn():
            served.append("many")

    many.came()
    many.came()
    task = asyncio.create_task(one())
    many.came(-1)
    await settle()
    assert served == []
    many.came(-1)
    await task
    assert served == ["many"]


async def test_but_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "COURTESY_SECONDS", 0.01)
    many = Lane(1)
    many.came()
    async with asyncio.timeout(20), many.turn():
        pass


async def test_one_that_was_cut_off_gives_its_turn_back() -> None:
    many = Lane(1)
    many.came()
    waiting = asyncio.create_task(many.turn().__aenter__())
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    many.came(-1)
    async with asyncio.timeout(20), many.turn():
        pass
