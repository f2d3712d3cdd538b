"""A line that stood still: wall time goes on while the process is suspended, and the clock of timeouts does not."""

import asyncio

import pytest

from plixo.domain.payments import RateLimited, Unavailable
from plixo.stripe.line import AT_ONCE, Line
from plixo.stripe.rate import TokenBucket


class Slept:
    """A turn that takes so many seconds of wall time, none of them noticed by a timeout."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.wall, self.sent = seconds, 1000.0, 0
        self.told: list[tuple[str, str]] = []
        bucket = TokenBucket(1, burst=1, clock=lambda: 0.0, sleep=self._sleep)
        self.line = Line("sk_test_x", 20.0, bucket, self._tell, clock=lambda: self.wall)

    async def _sleep(self, _seconds: float) -> None:
        self.wall += self.seconds

    def _tell(self, operation: str, result: str) -> None:
        self.told.append((operation, result))

    async def send(self) -> int:
        self.sent += 1
        return self.sent


@pytest.mark.parametrize("seconds", [41, 86_400, -1])
async def test_a_write_whose_turn_came_long_after_is_not_sent(seconds: float) -> None:
    slept = Slept(seconds)
    await slept.line.write("credit_notes.create", slept.send)
    with pytest.raises(Unavailable, match=r"^This try was stalled; nothing was sent\.$"):
        await slept.line.write("credit_notes.create", slept.send)
    assert (slept.sent, slept.told) == (1, [("credit_notes.create", "ok")])


async def test_a_write_that_only_waited_its_turn_is_sent() -> None:
    slept = Slept(40)
    await slept.line.write("credit_notes.create", slept.send)
    assert await slept.line.write("credit_notes.create", slept.send) == 2


async def test_a_read_does_no_harm_however_late() -> None:
    slept = Slept(86_400)
    await slept.line.read("invoices.retrieve", slept.send)
    assert await slept.line.read("invoices.retrieve", slept.send) == 2


class Held:
    """Calls that are not answered until they are let go."""

    def __init__(self, deadline: float = 20.0) -> None:
        self.line = Line("sk_test_x", deadline, None, None)
        self.under_way, self.most = 0, 0
        self.full, self.go_on = asyncio.Event(), asyncio.Event()

    async def call(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        if self.under_way == AT_ONCE:
            self.full.set()
        await self.go_on.wait()
        self.under_way -= 1


async def test_so_many_calls_at_a_time_and_the_others_after_them() -> None:
    held = Held()
    async with asyncio.TaskGroup() as calls:
        for _ in range(3 * AT_ONCE):
            calls.create_task(held.line.read("invoices.retrieve", held.call))
        await held.full.wait()
        held.go_on.set()
    assert (held.most, held.under_way) == (AT_ONCE, 0)


async def test_a_call_that_fails_or_is_given_up_makes_room() -> None:
    async def fail() -> None:
        raise LookupError

    held = Held()
    for _ in range(AT_ONCE):
        with pytest.raises(Unavailable):
            await held.line.read("invoices.retrieve", fail)
    given_up = [asyncio.create_task(held.line.read("invoices.retrieve", held.call)) for _ in range(AT_ONCE)]
    await held.full.wait()
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    held.go_on.set()
    await held.line.read("invoices.retrieve", held.call)


async def test_whoever_waits_for_others_past_the_deadline_is_told_that_nothing_was_sent() -> None:
    held = Held()
    others = [asyncio.create_task(held.line.read("invoices.retrieve", held.call)) for _ in range(AT_ONCE)]
    await held.full.wait()
    held.line._deadline = 0.0
    with pytest.raises(RateLimited, match="nothing was sent"):
        await held.line.write("credit_notes.create", held.call)
    assert held.most == AT_ONCE
    held.go_on.set()
    await asyncio.gather(*others)
