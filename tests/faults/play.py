"""Playing a plan: requests under kills in all weathers, then the scenes, then the independent check."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo import check
from demo.parts import Part
from demo.playing import _sources
from demo.waiting import NeverHappened
from tests.faults.crowd import Crowd
from tests.faults.field import Field, Tally, opened
from tests.faults.plan import Batch, Gust, Plan
from tests.faults.postgres import own_postgres, programs
from tests.faults.scenes import Scenes
from tests.faults.strikes import NAMES, TRAPS, Strikes

MOMENTS: Final = 60.0
"""How long the checker waits for what is still under way."""

Tell = Callable[[str], None]
Keep = Callable[[Field], Awaitable[None]]


@dataclass
class Outcome:
    """What a plan came to.

    Attributes:
        plan: What was to be played.
        tally: What was.
        reports: The checker's, by the database it was on.
        seconds: By part of the run.
    """

    plan: Plan
    tally: Tally = field(default_factory=Tally)
    reports: dict[str, check.Report] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def findings(self) -> list[str]:
        """Everything that must not be."""
        found = [f"{name}: {one.what} {one.approval_id} {one.detail}" for name, one in self._found()]
        return [*self.tally.findings, *found]

    def _found(self) -> list[tuple[str, check.Finding]]:
        return [(name, one) for name, report in self.reports.items() for one in report.findings]


@dataclass(frozen=True)
class Act:
    """A part of the plan, on one house.

    Attributes:
        name: Of its database.
        batches: Requests under kills.
        scenes: Played afterwards.
        postgres: The database's process, where it is one of ours.
    """

    name: str
    batches: Sequence[Batch]
    scenes: Sequence[str] = ()
    postgres: Part | None = None


async def play(plan: Plan, data: Path, tell: Tell, *, hurry: bool = False, keep: Keep | None = None) -> Outcome:
    """Play everything.

    Args:
        plan: What.
        data: An empty folder.
        tell: Told of each step before it is taken.
        hurry: Have every worker on short timeouts.
        keep: Called on the first house once it was checked, while its parts still run.
    """
    outcome = Outcome(plan)
    began = time.monotonic()
    async with opened(data / "sqlite", outcome.tally, hurry=hurry) as here:
        await _act(Act("SQLite", plan.batches, plan.scenes), here, outcome, tell)
        if keep:
            await keep(here)
    outcome.seconds["SQLite"] = round(time.monotonic() - began, 1)
    if plan.postgres:
        await _on_postgres(outcome, data, tell)
    outcome.seconds["in all"] = round(time.monotonic() - began, 1)
    return outcome


async def _on_postgres(outcome: Outcome, data: Path, tell: Tell) -> None:
    began, bin_folder = time.monotonic(), programs()
    if bin_folder is None:
        why = "PostgreSQL stopped hard: NOT PLAYED, there is no initdb here"
        (outcome.tally.findings if os.environ.get("CI") else outcome.tally.notes).append(why)
        return
    async with (
        own_postgres(bin_folder, data / "postgres.log") as (server, url),
        opened(data / "postgres", outcome.tally, database_url=_with_driver(url)) as here,
    ):
        await _act(Act("PostgreSQL", outcome.plan.postgres, postgres=server), here, outcome, tell)
    outcome.seconds["PostgreSQL"] = round(time.monotonic() - began, 1)


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


async def _act(act: Act, here: Field, outcome: Outcome, tell: Tell) -> None:
    crowd = Crowd(here)
    watching = asyncio.create_task(crowd.watch())
    try:
        await Storm(here, crowd, Strikes(here, crowd, act.postgres)).blow(act.batches, tell)
        await _scenes(Scenes(here, crowd), act.scenes, tell)
    finally:
        watching.cancel()
        await crowd.leave()
    tell(f"{act.name}: the independent check")
    report = await check.check(_sources(here.stack), patience_seconds=MOMENTS)
    outcome.reports[act.name] = report
    await _hold_to_the_plan(act, here, report)


async def _scenes(stage: Scenes, scenes: Sequence[str], tell: Tell) -> None:
    for scene in scenes:
        tell(f"scene: {scene.replace('_', ' ')}")
        try:
            await stage.play(scene)
        except (NeverHappened, TimeoutError) as never:
            stage.field.tally.findings.append(f"The scene {scene} was not played to its end: {never}.")
            await stage.field.new_worker()


async def _hold_to_the_plan(act: Act, here: Field, report: check.Report) -> None:
    """Faults may cost time, never change how a request ends; and no relay sends a mail more often than it died."""
    ends = {row["id"]: row["status"] for row in report.approvals}
    for approval_id, wanted in here.wanted.items():
        if ends.get(approval_id) != wanted:
            here.tally.findings.append(f"{approval_id} is {ends.get(approval_id)}; it was to be {wanted}.")
    aside, deaths = report.counts.get("mails put aside", 0), here.tally.kills["worker"]
    if aside > deaths:
        here.tally.findings.append(f"{aside} mails were sent again, for {deaths} kills of a relay.")
    after_a_mail = any(batch.strike.kind == "killed_after_a_mail" for batch in act.batches)
    if after_a_mail and not aside and await here.eyes.mails_left():
        here.tally.findings.append("A relay was killed after a mail, and no mail was sent again.")


@dataclass
class Storm:
    """Batches of requests, each in its weather and under its strike."""

    here: Field
    crowd: Crowd
    strikes: Strikes
    _weather: list[tuple[Gust, int]] = field(default_factory=list)
    _lossy: tuple[Gust, int] | None = None

    async def blow(self, batches: Sequence[Batch], tell: Tell) -> None:
        """All of them, one after the other; the requests of one are still under way in the next."""
        for number, batch in enumerate(batches):
            tell(f"{len(batch.errands)} requests, {NAMES[batch.strike.kind]}")
            await self._batch(batch, number)
        await self._worker_again(trapped=False)
        tell("every request to its end")
        await self.crowd.all_done()
        await self._lose(None)
        for gust, rule in self._weather:
            if not await self._lifted(gust, rule):
                self.here.tally.findings.append(f"{gust.name}: nothing came that it could strike.")

    async def _batch(self, batch: Batch, number: int) -> None:
        await self._lose(batch.lossy)
        self._weather += [(gust, await self.here.stripe.plant(gust.rule)) for gust in batch.weather]
        for errand in batch.errands:
            self.crowd.send(errand)
        self.strikes.arm(batch.strike)
        await self._worker_again(trapped=batch.strike.kind in TRAPS)
        await self.strikes.strike(batch.strike, number)

    async def _worker_again(self, *, trapped: bool) -> None:
        """A worker runs, and carries the trap that is to be sprung; without one the running one will do."""
        worker = self.here.stack.worker
        if trapped:
            await worker.stop()
        if worker.returncode is not None:
            if not trapped:
                self.here.alter()
            await self.here.stack.restart(worker)

    async def _lose(self, lossy: Gust | None) -> None:
        """Have so many answers lost from now on."""
        if self._lossy and self._lossy[0] is not lossy:
            await self._lifted(*self._lossy)
            self._lossy = None
        if lossy and self._lossy is None:
            self._lossy = (lossy, await self.here.stripe.plant(lossy.rule))

    async def _lifted(self, gust: Gust, rule: int) -> int:
        """Take a fault away; how many calls it struck."""
        calls, hits = (await self.here.stripe.hits())[rule]
        await self.here.stripe.lift(rule)
        self.here.tally.played[gust.name] += hits
        self.here.tally.seen[gust.name] += calls
        return hits
