"""An import by the real command through the real console, and how long those who come alone meanwhile wait.

What a finance team imports: what an outage owes, a little on each of many invoices, 5,000 USD in all. The first half of
the rows is automatic, until the requester's sum of 30 days is used up; each of the others waits for the Controller.
"""

import asyncio
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from benchmarks.alone import Single, alone
from benchmarks.credits import Sizes
from benchmarks.figures import Figure, percentile
from benchmarks.house import House
from benchmarks.sides import Failed
from benchmarks.waves import ride
from demo.parts import Part
from demo.places import binary
from plixo.domain.approval import State
from plixo.store.models import ApprovalRow

SPREAD_MINOR: Final = 500_000
"""All rows together: twice what one requester may have automatically, so that half of them is, however many."""

ROWS_AN_INVOICE: Final = 10
LOOK_SECONDS: Final = 0.2
ROWS_A_SECOND: Final = 1.0
"""An import that is slower than this, after a minute, measures nothing."""


@dataclass(frozen=True)
class Imported:
    """What became of the import.

    Attributes:
        asked: Seconds from its start until the command had ended.
        seconds: Until every row's request waited or was executed.
        states: How many are in which state then.
        cpu: Processor seconds by process meanwhile, what single requests took included.
    """

    asked: float
    seconds: float
    states: dict[str, int]
    cpu: dict[str, float]


async def measure_import(house: House, rows: int, sizes: Sizes) -> list[Figure]:
    """Rates in waves, single requests before the import, then both together.

    Args:
        house: Everything.
        rows: How many the file has.
        sizes: Of what the import is compared with; as many single requests as there.
    """
    await ride(house.temporal, house.credit, min(sizes.wave, 20), 10)
    rates = await _rates(house, sizes)
    async with alone(house) as somebody:
        usual = await somebody.again_and_again(_first(sizes.ones * sizes.block))
        running = asyncio.create_task(_imported(house, rows))
        try:
            meanwhile = await somebody.again_and_again(lambda: not running.done())
            imported = await running
        finally:
            running.cancel()
    return [*_speed(imported, rows, rates), *_cpu(imported, rows), *_singles(usual, meanwhile)]


def _first(number: int) -> Callable[[], bool]:
    """So many times, and then no more."""
    left = iter(range(number))
    return lambda: next(left, None) is not None


async def _rates(house: House, sizes: Sizes) -> tuple[float, float]:
    """The product's and the floor's requests a second, decided and executed, many at a time and in turns."""
    taken = dict.fromkeys(("credit", "bare"), 0.0)
    for _ in range(sizes.rounds):
        for side in (house.credit, house.bare):
            taken[side.name] += (await ride(house.temporal, side, sizes.wave, sizes.at_once)).seconds
            await house.mails_left()
    requests = sizes.rounds * sizes.wave
    return requests / taken["credit"], requests / taken["bare"]


async def _imported(house: House, rows: int) -> Imported:
    file = house.stack.data / "credits.csv"
    _write(file, house.credit.invoices, rows)
    options = ("--as", "billing_admin", "--api", house.stack.console_url, "--json")
    command = Part("import", [str(binary("plixo")), "credit", "import", str(file), *options], file.with_suffix(".json"))
    meter = house.processor()
    before, began = meter.read(), time.monotonic()
    await command.start()
    try:
        async with asyncio.timeout(60 + rows / ROWS_A_SECOND):
            code = await command.wait()
            asked = time.monotonic() - began
            _check(command, code, rows)
            states = await _settled(house, rows)
    finally:
        await command.stop()
    taken, after = time.monotonic() - began, meter.read()
    return Imported(asked, taken, states, {name: after[name] - before[name] for name in after})


def _write(file: Path, invoices: Sequence[tuple[str, str]], rows: int) -> None:
    """Rows on one invoice after the other."""
    amount = f"{max(SPREAD_MINOR // rows, 1) / 100:.2f}"
    with file.open("w", encoding="utf-8", newline="") as sheet:
        out = csv.writer(sheet)
        out.writerow(["customer", "invoice", "amount", "currency", "reason", "note"])
        for number in range(rows):
            target = invoices[number % len(invoices)]
            out.writerow([*target, amount, "USD", "service_outage", f"The outage of May, seat {number}"])


def _check(command: Part, code: int, rows: int) -> None:
    """Every row must have been taken, or the rate is another work's."""
    if code:
        raise Failed(f"the import ended with {code}: {command.ending}")
    totals: dict[str, Any] = json.loads(command.log.read_text(encoding="utf-8"))["totals"]
    if totals["created"] != rows:
        raise Failed(f"the import asked for {totals['created']} of {rows} rows")


async def _settled(house: House, rows: int) -> dict[str, int]:
    """Wait until every row's request waits or is executed; how many do which."""
    query = (
        select(ApprovalRow.state, func.count().label("number"))
        .where(ApprovalRow.bulk.is_(True))
        .group_by(ApprovalRow.state)
    )
    while True:
        async with house.ledger.read() as session:
            states = {row.state: row.number for row in await session.execute(query)}
        if sum(states.get(state, 0) for state in (State.WAITING, State.EXECUTED)) == rows:
            return states
        await asyncio.sleep(LOOK_SECONDS)


def _speed(imported: Imported, rows: int, rates: tuple[float, float]) -> list[Figure]:
    rate, (credit, bare) = rows / imported.seconds, rates
    automatic = imported.states.get(State.EXECUTED, 0)
    what = f"an import of {rows:,} rows, until {automatic:,} are executed and {rows - automatic:,} wait for an approver"
    aim = f"at least {credit:.3g}, as below"
    return [
        Figure("import_rate", "rows/s", what, rate, bare, rate / bare, aim, met=rate >= credit),
        Figure(
            "import_credits",
            "requests/s",
            "credits in waves, asked for, decided and executed",
            credit,
            bare,
            credit / bare,
        ),
        Figure("import_asked", "rows/s", "of the import, until the command has ended", rows / imported.asked),
    ]


def _cpu(imported: Imported, rows: int) -> list[Figure]:
    """What the rate is made of."""
    return [
        Figure(f"import_cpu_{name}", "ms", f"processor time a row of: {name}", 1000 * seconds / rows)
        for name, seconds in imported.cpu.items()
        if name != "bare_worker"
    ]


def _singles(usual: Sequence[Single], meanwhile: Sequence[Single]) -> list[Figure]:
    """Before the import, and while it runs; the ratio is to the former."""
    found = []
    for percent, words in ((50, "half of them"), (99, "99 of 100")):
        before, after = (_within([one.seconds for one in ones], percent) for ones in (usual, meanwhile))
        name, ratio = f"single_p{percent}", after / before
        what = f"single requests, from asking to executed: {words} within"
        aim: tuple[str, bool | None] = ("at most 3", ratio <= 3) if percent == 50 else ("", None)  # noqa: PLR2004
        found += [
            Figure(f"{name}_usual", "ms", f"{len(usual)} {what}", before),
            Figure(f"{name}_meanwhile", "ms", f"{len(meanwhile)} {what}, during an import", after, None, ratio, *aim),
        ]
    before, after = (1000 * sum(one.cpu for one in ones) / len(ones) for ones in (usual, meanwhile))
    words = "processor time of all processes during a single request, the import's work too; the ratio is to without it"
    found.append(Figure("single_cpu", "ms", words, after, None, after / before))
    for part, words in _PARTS.items():
        before, after = (_within([getattr(one, part) for one in ones], 50) for ones in (usual, meanwhile))
        found.append(
            Figure(f"single_{part}", "ms", f"half of them, during an import: {words}", after, None, after / before)
        )
    return found


_PARTS: Final = {
    "asked": "the console answers the request",
    "waited": "then it waits for its approver",
    "decided": "the console answers the decision",
    "executed": "then it is executed",
}


def _within(seconds: Sequence[float], percent: float) -> float:
    """Milliseconds."""
    return 1000 * percentile(seconds, percent)
