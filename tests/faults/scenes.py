"""Faults that need a stage of their own: played one by one, on the house that the kills left."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from demo.parts import Part
from demo.waiting import NeverHappened
from tests.faults.crowd import Crowd
from tests.faults.field import Field, until
from tests.faults.plan import WRITES, Errand

NOTES: Final = {"method": "POST", "path": "/v1/credit_notes"}
ENTRIES: Final = {"method": "POST", "path": "/v1/customers/*/balance_transactions"}
LOOK_UPS: Final = {"method": "GET", "path": "/v1/credit_notes"}
NAMES: Final = {
    "too_slow": "answers slower than the activity's timeout (3 s for 60)",
    "ladder": "unknown outcomes up the ladder (2, 3, 4 s for 5 min, 1 h, a day)",
    "key_of_another": "key used before with other parameters",
    "voided": "invoice voided between approval and execution",
    "paid": "invoice paid between approval and execution",
    "stalled": "worker stalled in mid-call while another does its work",
    "a_day_later": "tried again after 25 hours (clocks moved)",
}


@dataclass
class Scenes:
    """The scenes.

    Attributes:
        field: Where.
        crowd: Who asks and decides.
    """

    field: Field
    crowd: Crowd

    async def play(self, name: str) -> None:
        """Play one; whoever was sent on an errand in it has ended it afterwards."""
        scene: Callable[[], Awaitable[None]] = getattr(self, f"_{name}")
        await scene()
        await self.crowd.all_done()
        self.field.tally.played[NAMES[name]] += 1

    def _expect(self, what: str, *, holds: bool) -> None:
        if not holds:
            self.field.tally.findings.append(f"Expected: {what}.")

    async def _too_slow(self) -> None:
        """Stripe answers after the activity was given up: once with the key still in flight, once done at once."""
        await self.field.new_worker(hurried=8.0)
        rules = [
            await self.field.stripe.plant({"kind": "slow", **NOTES, "seconds": 5.0, "nth": 1}),
            await self.field.stripe.plant({"kind": "done_late", **ENTRIES, "seconds": 5.0, "nth": 1}),
        ]
        self.crowd.send(_credit("slow-1", on_invoice=True))
        self.crowd.send(_credit("slow-2", on_invoice=False))
        await self.crowd.all_done()
        hits = await self.field.stripe.hits()
        self._expect("each slow answer was asked for again", holds=all(hits[rule][0] > 1 for rule in rules))

    async def _ladder(self) -> None:
        """Eight quick tries under the same key; then it is looked up first, and the waits grow."""
        await self.field.new_worker(hurried=20.0)
        looks = await self._counted(LOOK_UPS)
        rule = await self.field.stripe.plant({"kind": "reset_before", **NOTES, "nth": 1, "times": 10})
        lost = await self.field.stripe.plant({"kind": "reset_after", **ENTRIES, "nth": 1, "times": 20})
        began = time.monotonic()
        self.crowd.send(_credit("ladder-1", on_invoice=True))
        self.crowd.send(_credit("ladder-2", on_invoice=False))
        await self.crowd.all_done()
        hits = await self.field.stripe.hits()
        self._expect("the eleventh try was the first that reached Stripe", holds=hits[rule] == (11, 10))
        self._expect("the ninth, tenth and eleventh try looked it up first", holds=hits[looks][0] == 3)
        self._expect("what eight tries left done was found, not tried again", holds=hits[lost] == (8, 8))
        self._expect("the ladder was climbed, not eleven quick tries made", holds=time.monotonic() - began >= 8 + 2 + 3)

    async def _key_of_another(self) -> None:
        """Somebody used the key first: nothing is written, and a person must look."""
        hold, approval_id = await self._held("key-1", "needs_attention")
        await self.field.stripe.post("/v1/customers", key=f"plixo-{approval_id}-r0", name="Somebody else's")
        hold.set()

    async def _voided(self) -> None:
        await self._changed("void-1", "void")

    async def _paid(self) -> None:
        await self._changed("paid-1", "pay", payment_method="pm_card_visa")

    async def _changed(self, request_id: str, step: str, **form: Any) -> None:
        """The worker cannot read the invoice until it is another: approved before, executed after."""
        self.field.billed.append(await self.field.stripe.billed(len(self.field.billed)))
        hold, _ = await self._held(request_id, "returned", customer=len(self.field.billed) - 1)
        rule = await self.field.stripe.plant({"kind": "503", "method": "GET", "path": "/v1/invoices/*"})
        hold.set()
        await self.crowd.comes_to(request_id, "approved")
        await self.field.stripe.post(f"/v1/invoices/{self.field.billed[-1][1]}/{step}", **form)
        await self.field.stripe.lift(rule)

    async def _stalled(self) -> None:
        """A worker stands still right before its call; when it goes on, another has done everything.

        Whether it still makes its call is a race with Temporal's word that its try is over; both must do no harm.
        """
        request_id = await self._stall()
        first = self.field.stack.worker
        self.field.alter(hurried=20.0)
        second = Part("worker", first.command, first.log, first.environment, first.ready)
        self.field.stack.worker = second
        try:
            await self.field.stack.restart(second)
            await self.crowd.comes_to(request_id, "executed")
        finally:
            os.kill(first.pid, signal.SIGCONT)
            await first.stop()

    async def _stall(self) -> str:
        """Have the worker stand still right before a call, in a moment in which it holds no lock; for which request."""
        for turn in range(1, 10):
            await self.field.new_worker(hurried=20.0, dies="before_the_call", by="SIGSTOP")
            worker, request_id = self.field.stack.worker, f"stall-{turn}"
            self.crowd.send(_credit(request_id, on_invoice=True))
            await until("the worker to stand still", partial(_stands_still, worker.pid))
            if await self.field.eyes.can_write():
                return request_id
            os.kill(worker.pid, signal.SIGCONT)
            await self.crowd.comes_to(request_id, "executed")
        raise NeverHappened("every time it held the lock")

    async def _a_day_later(self) -> None:
        """One that Stripe did and one that it never saw; its keys are forgotten when they are tried again.

        A day later every lease has ended as well: a mail that a killed relay may have sent is sent again.
        """
        await self.field.new_worker(hurried=60.0, dies="before_the_call", nth=2)
        looks = await self._counted(LOOK_UPS)
        rule = await self.field.stripe.plant({"kind": "done_late", **WRITES, "seconds": 30.0, "nth": 1})
        self.crowd.send(_credit("day-1", on_invoice=True))

        async def done_and_not_settled() -> set[str]:
            return await self.field.eyes.intended() & set(await self.field.stripe.done())

        await until("Stripe to have done it", done_and_not_settled)
        self.crowd.send(_credit("day-2", on_invoice=True))
        await asyncio.wait_for(self.field.stack.worker.wait(), 60)
        await self.field.worker_died()
        await self.field.stripe.lift(rule)
        await self.field.stripe.advance(25)
        self.field.alter(hurried=20.0, hours_ahead=25)
        await self.field.stack.restart(self.field.stack.worker)
        await self.crowd.all_done()
        await until("every mail to leave", self.field.eyes.mails_left)
        self._expect("both were looked up first", holds=(await self.field.stripe.hits())[looks][0] == 2)

    async def _held(self, request_id: str, ends: str, customer: int = 2) -> tuple[asyncio.Event, str]:
        """A request on an invoice that waits for somebody, what has them decide, and its id."""
        hold, errand = asyncio.Event(), _credit(request_id, on_invoice=True, customer=customer)
        self.crowd.send(replace(errand, role="support", amount="30.00"), hold=hold, ends=ends)
        return hold, await self.crowd.waits(request_id)

    async def _counted(self, calls: dict[str, str]) -> int:
        """A fault that does nothing and counts; later ones count beside it."""
        return await self.field.stripe.plant({"kind": "delay", "seconds": 0, "nth": 10**6, **calls})


async def _stands_still(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as status:  # noqa: ASYNC230, PTH123 - no file, and read at once
        return status.read().rpartition(")")[2].split()[0] == "T"


def _credit(request_id: str, *, on_invoice: bool, customer: int = 3) -> Errand:
    return Errand(request_id, "billing_admin", customer, on_invoice=on_invoice, amount="1.50", reason="goodwill")
