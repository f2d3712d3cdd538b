"""What a seed stands for: every request and every fault, drawn before anything runs.

The same seed gives the same plan. When exactly each thing happens is the machine's affair.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

CUSTOMERS: Final = 20
WRITES: Final = {"method": "POST", "path": "/v1/c*"}
READS: Final = {"method": "GET", "path": "/v1/*"}


@dataclass(frozen=True)
class Errand:
    """One credit that somebody asks for and sees through.

    Attributes:
        request_id: The asker's own id, which every try of theirs carries.
        role: Who asks.
        customer: For which of the customers, by number.
        on_invoice: On the customer's invoice, or to their balance.
        amount: In dollars.
        reason: Decides, with role and amount, who is asked.
        verdict: What becomes of it: `approve`, `reject` or `withdraw`.
    """

    request_id: str
    role: str
    customer: int
    on_invoice: bool
    amount: str
    reason: str
    verdict: str = "approve"

    @property
    def ends(self) -> str:
        """How it must end, whatever happens on the way."""
        return {"approve": "executed", "reject": "rejected", "withdraw": "withdrawn"}[self.verdict]


@dataclass(frozen=True)
class Gust:
    """A fault of Stripe's.

    Attributes:
        name: In words, for the table.
        rule: As the stand-in takes it.
    """

    name: str
    rule: Mapping[str, Any]


@dataclass(frozen=True)
class Strike:
    """Something that is killed or stopped.

    Attributes:
        kind: A name of `tests.faults.strikes`.
        after: Seconds of work before a strike that waits for nothing else.
        nth: Which call of Stripe's it waits for.
    """

    kind: str
    after: float = 0.0
    nth: int = 1


@dataclass(frozen=True)
class Batch:
    """Requests that are asked for at once, and what strikes while they are under way.

    Attributes:
        errands: The requests.
        weather: Faults of Stripe's that come with them, and stay until they are spent.
        strike: What is killed or stopped.
        lossy: How Stripe's answers are lost meanwhile; it stays while the following batches have the same.
    """

    errands: Sequence[Errand]
    weather: Sequence[Gust]
    strike: Strike
    lossy: Gust | None = None


@dataclass(frozen=True)
class Size:
    """How much is played.

    Attributes:
        requests: Under kills, besides those of the scenes.
        strikes: How often each kind of strike comes.
        scenes: Played one by one on the same house, in this order.
        postgres: Requests on PostgreSQL.
        postgres_strikes: The strikes there.
        every_weather: Each of Stripe's faults comes; otherwise some of its answers are lost, and nothing else.
    """

    requests: int
    strikes: Mapping[str, int]
    scenes: tuple[str, ...]
    postgres: int = 0
    postgres_strikes: Mapping[str, int] = field(default_factory=dict)
    every_weather: bool = True


SCENES: Final = ("too_slow", "ladder", "key_of_another", "voided", "paid", "stalled", "a_day_later")
NORMAL: Final = Size(
    300,
    {
        "killed_at_random": 16,
        "killed_before_the_call": 2,
        "killed_after_stripe_did_it": 2,
        "killed_after_the_answer": 2,
        "killed_after_a_mail": 1,
        "stopped_in_mid_decision": 2,
        "console_killed_before_it_kept_a_request": 1,
        "console_killed_after_it_kept_a_request": 1,
        "console_killed_in_mid_decision": 1,
        "temporal_killed": 2,
    },
    SCENES,
    36,
    {"postgres_stopped": 3, "killed_at_random": 2},
)
LONG: Final = Size(
    1000,
    {kind: 3 * times for kind, times in NORMAL.strikes.items()},
    SCENES,
    120,
    {"postgres_stopped": 6, "killed_at_random": 6},
)
SHORT: Final = Size(
    9,
    {"killed_before_the_call": 1, "killed_after_stripe_did_it": 1, "killed_after_the_answer": 1},
    (),
    every_weather=False,
)


@dataclass(frozen=True)
class Plan:
    """Everything that a seed stands for."""

    seed: int
    batches: Sequence[Batch]
    scenes: Sequence[str]
    postgres: Sequence[Batch]

    @property
    def errands(self) -> int:
        """How many requests are asked for under kills."""
        return sum(len(batch.errands) for batch in (*self.batches, *self.postgres))


def make_plan(seed: int, size: Size) -> Plan:
    """Draw requests, weather and strikes."""
    chance = random.Random(seed)
    weather = _weather(chance) if size.every_weather else [_LOST]
    lossy = [_lossy(chance, percent) for percent in (1, 10, 50)] if size.every_weather else []
    batches = _batches(chance, "f", (size.requests, size.strikes), weather, lossy)
    postgres = _batches(chance, "p", (size.postgres, size.postgres_strikes), (), [_lossy(chance, 10)])
    return Plan(seed, batches, size.scenes, postgres)


def _batches(
    chance: random.Random,
    prefix: str,
    much: tuple[int, Mapping[str, int]],
    weather: Sequence[Gust],
    lossy: Sequence[Gust],
) -> list[Batch]:
    requests, strikes = much
    kinds = [kind for kind, times in strikes.items() for _ in range(times)]
    chance.shuffle(kinds)
    errands = _errands(chance, prefix, requests)
    share = -(-requests // len(kinds)) if kinds else 0
    found = []
    for number, kind in enumerate(kinds):
        some = errands[number * share : (number + 1) * share]
        here = [gust for place, gust in enumerate(weather) if place % len(kinds) == number]
        strike = Strike(kind, round(chance.uniform(0.3, 2.0), 2), chance.randint(1, max(share // 4, 1)))
        found.append(Batch(some, here, strike, lossy[number * len(lossy) // len(kinds)] if lossy else None))
    return found


def _errands(chance: random.Random, prefix: str, count: int) -> list[Errand]:
    """Each part of the work has its share, and no batch is without credits that go straight to Stripe."""
    usual = [("billing_admin", "goodwill", "approve")] * 4 + [("support", "service_outage", "approve")] * 3
    rare = [("support", "service_outage", "reject"), ("support", "service_outage", "withdraw")]
    rare += [("support", "contract_concession", "approve"), ("support", "fraud", "approve")]
    found: list[Errand] = []
    while len(found) < count:
        for role, reason, verdict in chance.sample([*usual, *chance.sample(rare, 2)], 9):
            dollars = chance.randint(1, 4) if role == "billing_admin" else chance.randint(5, 60)
            amount = f"{dollars}.{chance.randrange(100):02}"
            customer, on_invoice = chance.randrange(CUSTOMERS), chance.random() < 0.6
            found.append(Errand(f"{prefix}-{len(found)}", role, customer, on_invoice, amount, reason, verdict))
    return found[:count]


def _struck(kind: str, **rule: Any) -> dict[str, Any]:
    return {"kind": kind, **WRITES, **rule}


_LOST: Final = Gust("done, then reset", _struck("reset_after", nth=2, times=3))


def _lossy(chance: random.Random, percent: int) -> Gust:
    """At most 60 answers: a request that lost nine in a row would wait for five minutes, as it should."""
    rule = _struck("reset_after", probability=percent / 100, times=60, seed=chance.randrange(10**6))
    return Gust(f"done, then reset: {percent} %", rule)


def _weather(chance: random.Random) -> list[Gust]:
    """Each comes with one of the batches, in another order for each seed."""

    def storm(name: str, kind: str, times: int, **rule: Any) -> Gust:
        return Gust(name, _struck(kind, nth=chance.randint(1, 3), times=times, **rule))

    found = [
        storm("storm of 429 with Retry-After", "429", 12, retry_after=1),
        storm("storm of 429 without it", "429", 12),
        storm("lock_timeout", "lock_timeout", 4),
        storm("409", "409", 4),
        storm("502 with a page of HTML", "502_html", 4),
        storm("cut body", "cut_body", 4),
        storm("500 and nothing done", "500", 3),
        storm("500 and done", "done_500", 3),
        storm("503", "503", 4),
        storm("reset before it is done", "reset_before", 3),
        storm("answer late, done at once", "done_late", 4, seconds=1.5),
        storm("answer late, key in flight", "slow", 4, seconds=1.5),
        Gust("reads: 429, 503", {"kind": "503", **READS, "nth": 2, "times": 5}),
    ]
    chance.shuffle(found)
    return found
