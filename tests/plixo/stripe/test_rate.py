import pytest

from plixo.stripe.rate import TokenBucket


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    time = Time()
    bucket = TokenBucket(16, burst=5, clock=time, sleep=time.sleep)
    starts = []
    for _ in range(30):
        assert await bucket.take(at_most=10) is None
        starts.append(time.now - 100)
    assert starts[:5] == [0] * 5
    assert sum(start < 1 for start in starts) == 20
    assert starts[29] == 25 / 16


async def test_an_idle_hour_saves_up_no_more_than_the_burst() -> None:
    time = Time()
    bucket = TokenBucket(16, burst=5, clock=time, sleep=time.sleep)
    time.now += 3600
    for _ in range(6):
        await bucket.take(at_most=10)
    assert time.slept == [1 / 16]


async def test_a_queue_that_is_too_long_is_told_and_takes_no_turn() -> None:
    time = Time()
    bucket = TokenBucket(1, burst=1, clock=time, sleep=time.sleep)
    await bucket.take(at_most=0)
    assert await bucket.take(at_most=0.5) == 1
    assert await bucket.take(at_most=0.5) == 1
    assert time.slept == []
    assert await bucket.take(at_most=1) is None
    assert time.slept == [1]


@pytest.mark.parametrize(("per_second", "burst"), [(0, 5), (-1, 5), (20, 0)])
def test_a_rate_that_lets_nothing_through_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        TokenBucket(per_second, burst)
