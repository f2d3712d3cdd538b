"""A line that stood still: wall time goes on while the process is suspended, and the clock of timeouts does not."""

import pytest

from plixo.domain.payments import Unavailable
from plixo.stripe.line import Line
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
