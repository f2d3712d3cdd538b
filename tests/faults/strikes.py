"""What is killed and stopped while requests are under way, each at the moment that it is about."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from demo.parts import Part
from demo.preparing import wait_for_temporal
from demo.waiting import NeverHappened
from tests.faults.crowd import Crowd
from tests.faults.field import LOOK_SECONDS, Field, until
from tests.faults.plan import WRITES, Errand, Strike

PATIENCE_SECONDS: Final = 60.0
"""How long a strike waits for its moment; the batch may have ended before."""

NAMES: Final = {
    "killed_at_random": "worker killed at random",
    "killed_before_the_call": "worker killed before the call",
    "killed_after_stripe_did_it": "worker killed after Stripe did it",
    "killed_after_the_answer": "worker killed after the answer",
    "killed_after_a_mail": "worker killed after a mail, before its mark",
    "stopped_in_mid_decision": "worker stopped (SIGTERM) in mid-decision",
    "console_killed_before_it_kept_a_request": "console killed in mid-post, nothing kept",
    "console_killed_after_it_kept_a_request": "console killed in mid-post, request kept",
    "console_killed_in_mid_decision": "console killed in mid-post, decision kept",
    "temporal_killed": "Temporal server killed and back",
    "postgres_stopped": "PostgreSQL stopped hard and back",
}
TRAPS: Final = {
    "killed_before_the_call": "before_the_call",
    "killed_after_the_answer": "after_the_answer",
    "killed_after_a_mail": "after_the_mail",
}


@dataclass
class Strikes:
    """Strikes.

    Attributes:
        field: Where.
        crowd: Who works meanwhile.
        postgres: The database's own process, where it is one of ours.
    """

    field: Field
    crowd: Crowd
    postgres: Part | None = None

    def arm(self, strike: Strike) -> None:
        """Have the next worker carry what the strike needs of it."""
        trap = TRAPS.get(strike.kind)
        self.field.alter(**({"dies": trap, "nth": strike.nth} if trap else {}))

    async def strike(self, strike: Strike, number: int) -> None:
        """Strike at the right moment."""
        kind = "killed_by_its_trap" if strike.kind in TRAPS else strike.kind
        act: Callable[[Strike, int], Awaitable[None]] = getattr(self, f"_{kind}")
        try:
            await act(strike, number)
        except NeverHappened as never:
            self.field.tally.findings.append(f"{NAMES[strike.kind]}: its moment never came ({never}).")
            await self.field.kill_worker()
        else:
            self.field.tally.played[NAMES[strike.kind]] += 1

    async def _killed_at_random(self, strike: Strike, _number: int) -> None:
        await asyncio.sleep(strike.after)
        await self.field.kill_worker()

    async def _killed_by_its_trap(self, strike: Strike, _number: int) -> None:
        """The worker kills itself there; the parent only sees that it is gone."""
        try:
            await asyncio.wait_for(self.field.stack.worker.wait(), PATIENCE_SECONDS)
        except TimeoutError as error:
            raise NeverHappened(f"it never came by for the time number {strike.nth}") from error
        await self.field.worker_died()

    async def _killed_after_stripe_did_it(self, _strike: Strike, _number: int) -> None:
        """Stripe does it at once and takes its time to say so."""
        rule = await self.field.stripe.plant({"kind": "done_late", **WRITES, "seconds": 10.0})

        async def done_and_not_settled() -> set[str]:
            return await self.field.eyes.intended() & set(await self.field.stripe.done())

        try:
            await until("Stripe to have done it", done_and_not_settled, patience=PATIENCE_SECONDS)
            await self.field.kill_worker()
        finally:
            await self.field.stripe.lift(rule)

    async def _stopped_in_mid_decision(self, _strike: Strike, number: int) -> None:
        """The decision is signed, kept and on its way when the worker is asked to stop."""
        worker = self.field.stack.worker
        hold, _ = await self._waiting(f"term-{number}")
        async with self._standing_still(worker):
            hold.set()
            await until("a decision on its way", self.field.eyes.submitted, patience=PATIENCE_SECONDS)
            os.kill(worker.pid, signal.SIGTERM)
        status = await asyncio.wait_for(worker.wait(), 60)
        if status:
            self.field.tally.findings.append(f"Asked to stop in mid-decision, the worker ended with {status}.")

    async def _console_killed_before_it_kept_a_request(self, _strike: Strike, number: int) -> None:
        rule = await self.field.stripe.plant({"kind": "delay", "method": "GET", "path": "/v1/invoices/*", "seconds": 3})
        self.crowd.send(_automatic(f"web-{number}"))

        async def reading() -> bool:
            return (await self.field.stripe.hits())[rule][1] > 0

        try:
            await until("the console to be at it", reading, patience=PATIENCE_SECONDS)
            await self._kill_console()
        finally:
            await self.field.stripe.lift(rule)

    async def _console_killed_after_it_kept_a_request(self, _strike: Strike, number: int) -> None:
        """Kept and signed, and Temporal not told: it stands still meanwhile."""
        request_id = f"web-{number}"
        async with self._standing_still(self.field.stack.temporal):
            self.crowd.send(_automatic(request_id))
            await until("it to be kept", lambda: self.field.eyes.kept(request_id), patience=PATIENCE_SECONDS)
            await self.field.stack.web.kill()
        await self._console_back()

    async def _console_killed_in_mid_decision(self, _strike: Strike, number: int) -> None:
        hold, approval_id = await self._waiting(f"web-{number}")

        async def kept() -> bool:
            return approval_id in await self.field.eyes.submitted()

        async with self._standing_still(self.field.stack.worker):
            hold.set()
            await until("the decision to be kept", kept, patience=PATIENCE_SECONDS)
            await self.field.stack.web.kill()
        await self._console_back()

    async def _temporal_killed(self, strike: Strike, _number: int) -> None:
        """Away for some seconds: minutes, scaled."""
        stack = self.field.stack
        await asyncio.sleep(strike.after)
        await stack.temporal.kill()
        self.field.tally.kills["Temporal server"] += 1
        await asyncio.sleep(4 * strike.after)
        await stack.temporal.start()
        await wait_for_temporal(stack.temporal, stack.settings.temporal_address)

    async def _postgres_stopped(self, strike: Strike, _number: int) -> None:
        assert self.postgres is not None
        await asyncio.sleep(strike.after)
        os.kill(self.postgres.pid, signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends
        await self.postgres.wait()
        self.field.tally.kills["PostgreSQL"] += 1
        await asyncio.sleep(2 * strike.after)
        await self.postgres.start()

    @asynccontextmanager
    async def _standing_still(self, part: Part) -> AsyncIterator[None]:
        """A part that stands still for as long as the block lasts, and is not gone; it holds no lock meanwhile."""
        os.kill(part.pid, signal.SIGSTOP)
        try:
            while not await self.field.eyes.can_write():
                os.kill(part.pid, signal.SIGCONT)
                await asyncio.sleep(LOOK_SECONDS)
                os.kill(part.pid, signal.SIGSTOP)
            yield
        finally:
            os.kill(part.pid, signal.SIGCONT)

    async def _waiting(self, request_id: str) -> tuple[asyncio.Event, str]:
        """A request that waits for somebody, and what has them decide."""
        hold = asyncio.Event()
        self.crowd.send(
            Errand(request_id, "support", 0, on_invoice=False, amount="20.00", reason="goodwill"), hold=hold
        )
        return hold, await self.crowd.waits(request_id)

    async def _kill_console(self) -> None:
        await self.field.stack.web.kill()
        await self._console_back()

    async def _console_back(self) -> None:
        self.field.tally.kills["console"] += 1
        await self.field.stack.restart(self.field.stack.web)


def _automatic(request_id: str) -> Errand:
    return Errand(request_id, "billing_admin", 1, on_invoice=True, amount="2.00", reason="goodwill")
