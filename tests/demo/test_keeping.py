"""A part that ends by itself, without the product: a shell stands in for it."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from demo.keeping import Keeper, keep_running
from demo.parts import Part
from demo.places import CannotStart
from demo.waiting import until


def part(folder: Path, script: str, ready: str = "ready") -> Part:
    return Part("shell", ["sh", "-c", script], folder / "shell.log", ready=ready)


def ticking(seconds: float) -> Iterator[float]:
    return (number * seconds for number in count())


async def test_a_part_that_ends_at_once_is_given_up_after_three_times(tmp_path: Path) -> None:
    said: list[str] = []
    broken = part(tmp_path, "echo the disk is full >&2; exit 3")
    await broken.start()

    with pytest.raises(CannotStart) as given_up:
        await Keeper(broken, said.append).keep()

    log = tmp_path / "shell.log"
    assert str(given_up.value) == f"The shell stopped 3 times within 60 s: the disk is full (its log: {log})"
    assert said == [f"The shell stopped: the disk is full (its log: {log}). Starting it again."] * 2
    assert log.read_text() == "the disk is full\n" * 3


async def test_a_part_that_ends_now_and_then_is_started_again_for_ever(tmp_path: Path) -> None:
    said: list[str] = []
    clock = ticking(31).__next__
    now_and_then = part(tmp_path, "echo ready")
    await now_and_then.start()
    keeping = asyncio.ensure_future(Keeper(now_and_then, said.append, clock).keep())

    async def often() -> bool:
        return sum("Starting it again" in line for line in said) > 6

    try:
        await until("seven new starts", often)
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await now_and_then.kill()


async def test_when_one_part_is_given_up_the_others_are_no_longer_started_again(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    broken, sound = part(tmp_path, "exit 1"), part(tmp_path / "sound", "echo ready; exec sleep 60")
    await broken.start()
    await sound.start()

    with pytest.raises(CannotStart, match="stopped 3 times"):
        await keep_running([sound, broken], lambda _: None)
    await sound.stop()
    await asyncio.sleep(0.2)

    assert sound.returncode is not None
    assert sound.ending == "ended by SIGTERM"
