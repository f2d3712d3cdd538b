"""The full credit with one approver against the floor, both in one run, wave by wave in turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from benchmarks.figures import Figure, middle, percentile
from benchmarks.house import House
from benchmarks.meters import MIB, StripeCalls, memory_bytes
from benchmarks.sides import Side
from benchmarks.waves import Wave, at_rest, ride, stand


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        ones: Rounds of single requests.
        block: Single requests of each side in one of these rounds.
        rounds: Waves of each side.
        wave: Requests a wave.
        at_once: How many of them at a time.
    """

    ones: int = 5
    block: int = 10
    rounds: int = 5
    wave: int = 80
    at_once: int = 50

    @property
    def invoices(self) -> int:
        """So many that none collects more than a few credits."""
        return max((self.ones * self.block + (self.rounds + 1) * self.wave) // 4, 2)


@dataclass(frozen=True)
class Ridden:
    """One wave and what it used.

    Attributes:
        wave: Its times.
        mails: Seconds until the last mail had left.
        cpu: Processor seconds by process, mails included.
    """

    wave: Wave
    mails: float
    cpu: dict[str, float]


Rounds = list[tuple[Ridden, Ridden]]
"""The product's and the floor's, which ran one after the other."""


async def measure_credits(house: House, sizes: Sizes) -> list[Figure]:
    """Every figure of the comparison."""
    calls = StripeCalls(house.stack.standin_url)
    await _rounds(house, 1, min(sizes.wave, sizes.at_once), sizes.at_once)  # whatever is loaded at the first request
    await calls.begin()
    single = await _rounds(house, sizes.ones, sizes.block, 1)
    many = await _rounds(house, sizes.rounds, sizes.wave, sizes.at_once)
    requests = sizes.ones * sizes.block + sizes.rounds * sizes.wave
    stripe = Figure("stripe_calls", "calls", "calls to Stripe a request", await calls.read() / requests)
    return [
        *_speed(single, sizes.block, 1),
        *_speed(many, sizes.wave, sizes.at_once),
        *_shares(many, sizes.wave),
        *await _cost(house),
        *_memory(house),
        stripe,
    ]


async def _rounds(house: House, rounds: int, size: int, at_once: int) -> Rounds:
    """In turns, and each side first in every other round."""
    found: Rounds = []
    for number in range(rounds):
        if number % 2:
            bare = await _ridden(house, house.bare, size, at_once)
            found.append((await _ridden(house, house.credit, size, at_once), bare))
        else:
            credit = await _ridden(house, house.credit, size, at_once)
            found.append((credit, await _ridden(house, house.bare, size, at_once)))
    return found


async def _ridden(house: House, side: Side, size: int, at_once: int) -> Ridden:
    """One wave; the mails leave before the next begins, so that nobody else's wave bears them.

    A single decision is one that comes when everything else is done, as a person's does; among many there is no rest.
    """
    meter = house.processor()
    before = meter.read()
    wave = await ride(house.temporal, side, size, at_once, house.mails_left if at_once == 1 else None)
    mails = await house.mails_left()
    after = meter.read()
    return Ridden(wave, mails, {name: after[name] - before[name] for name in after})


def _speed(rounds: Rounds, size: int, at_once: int) -> list[Figure]:
    many = at_once > 1
    about, what = f"{at_once} at a time", f"at_{at_once}"
    rates = (_rate([one for one, _ in rounds], size), _rate([other for _, other in rounds], size))
    each = sorted(_rate([one], size) / _rate([other], size) for one, other in rounds)
    ratio = rates[0] / rates[1]
    posted = size * len(rounds) / sum(one.wave.seconds + one.mails for one, _ in rounds)
    aim: tuple[str, bool | None] = ("at least 0.6", ratio >= 0.6) if many else ("", None)  # noqa: PLR2004 - the aim
    return [
        Figure(f"requests_{what}", "requests/s", f"from request to executed, {about}", *rates, ratio, *aim),
        Figure(f"ratio_lowest_{what}", "", f"of the rounds' own ratios, the lowest; highest {each[-1]:.2f}", each[0]),
        Figure(f"requests_and_mails_{what}", "requests/s", "the same, until the last mail has left", posted),
        *_latency(rounds, about, what, many=many),
    ]


def _rate(ridden: Sequence[Ridden], size: int) -> float:
    return size * len(ridden) / sum(one.wave.seconds for one in ridden)


def _latency(rounds: Rounds, about: str, what: str, *, many: bool) -> list[Figure]:
    ours = [1000 * taken for one, _ in rounds for taken in one.wave.decisions]
    theirs = [1000 * taken for _, other in rounds for taken in other.wave.decisions]
    half, tail = (middle(ours), middle(theirs)), (percentile(ours, 99), percentile(theirs, 99))
    ratio = half[0] / half[1]
    aim: tuple[str, bool | None] = ("", None) if many else ("at most 1.5", ratio <= 1.5)  # noqa: PLR2004 - the aim
    return [
        Figure(f"decision_p50_{what}", "ms", f"half of all decisions are answered within, {about}", *half, ratio, *aim),
        Figure(f"decision_p99_{what}", "ms", f"99 of 100 are answered within, {about}", *tail, tail[0] / tail[1]),
    ]


_PROCESSES = {
    "worker": ("worker", "bare_worker", "the worker process"),
    "driver": ("driver", "driver", "the driver: the staff side, and for the product the mailbox"),
    "server": ("server", "server", "the Temporal server"),
    "standin": ("standin", "", "the stand-in for Stripe"),
}


def _shares(rounds: Rounds, size: int) -> list[Figure]:
    """Processor time a request, by process: what the ratio is made of."""
    requests = size * len(rounds) / 1000
    found = []
    for name, (ours, theirs, words) in _PROCESSES.items():
        mine = sum(one.cpu[ours] for one, _ in rounds) / requests
        bare = sum(other.cpu[theirs] for _, other in rounds) / requests if theirs else None
        found.append(Figure(f"cpu_{name}", "ms", f"processor time a request of {words}", mine, bare))
    mine, bare = sum(one.plixo for one in found), sum(one.bare or 0 for one in found)
    return [*found, Figure("cpu", "ms", "processor time a request of all of them", mine, bare, mine / (bare or 1))]


async def _cost(house: House) -> list[Figure]:
    """Of one more request each: what Temporal bills, and what it keeps."""
    ours = await _costs(house.temporal, house.credit)
    theirs = await _costs(house.temporal, house.bare)
    names = {
        "actions": ("actions", "billable Temporal actions a request"),
        "events": ("events", "history events a request"),
        "history": ("bytes", "history a request"),
    }
    pairs = zip(names.items(), ours, theirs, strict=True)
    return [Figure(name, unit, words, mine, bare, mine / bare) for (name, (unit, words)), mine, bare in pairs]


async def _costs(temporal: Client, side: Side) -> tuple[float, float, float]:
    await at_rest(temporal, side, 0)
    workflow_id = (await stand(temporal, side, 1, 1))[0]
    await side.decide(workflow_id)
    await side.ended(workflow_id)
    handle = temporal.get_workflow_handle(workflow_id)
    actions = events = 0
    async for event in handle.fetch_history_events():
        events += 1
        actions += _ACTIONS.get(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_"), 0)
    info = (await handle.describe()).raw_description.workflow_execution_info
    return float(actions), float(events), float(info.history_size_bytes)


_ACTIONS = dict.fromkeys(
    (
        "WORKFLOW_EXECUTION_STARTED",
        "ACTIVITY_TASK_STARTED",
        "TIMER_STARTED",
        "MARKER_RECORDED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        "WORKFLOW_EXECUTION_SIGNALED",
    ),
    1,
)
"""Counted from the history, as tests/workflows/test_actions_metric.py holds against the server's own count."""


def _memory(house: House) -> list[Figure]:
    ours, theirs = (memory_bytes(part.pid) / MIB for part in (house.stack.worker, house.bare_worker))
    return [Figure("worker_memory", "MiB", "the worker's resident memory after all of it", ours, theirs)]
