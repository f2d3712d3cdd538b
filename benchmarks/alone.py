"""Somebody who comes alone: one request at a time through the console, from asking until it is executed in Stripe."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import select

from benchmarks.house import House
from benchmarks.sides import Failed
from benchmarks.waves import LOOK_SECONDS
from demo.actors import Actor
from demo.waiting import until
from plixo.domain.approval import State
from plixo.domain.ids import workflow_of
from plixo.store.models import ApprovalRow

PAUSE_SECONDS: Final = 1.0
"""Between two single requests, so that the second does not meet what the first left behind."""


@dataclass(frozen=True)
class Single:
    """What one request took, in seconds, one part after the other.

    The parts are waits; `cpu` tells, also on a busy machine, how much work was done before and beside it.

    Attributes:
        asked: Until the console has answered.
        waited: Until it waits for its approver.
        decided: Until the approver has the console's answer.
        executed: Until Stripe has it.
        cpu: Processor time of all processes meanwhile, whoever's work it was.
    """

    asked: float
    waited: float
    decided: float
    executed: float
    cpu: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.asked + self.waited + self.decided + self.executed


@dataclass(frozen=True)
class Alone:
    """Who asks and who decides, neither of them the one who imports.

    Attributes:
        house: Everything.
        requester: In support, who may have nothing by themselves.
        approver: The Controller.
    """

    house: House
    requester: Actor
    approver: Actor

    async def once(self) -> Single:
        """One request; the approver decides as soon as it waits."""
        meter = self.house.processor()
        before, times = sum(meter.read().values()), [time.monotonic()]
        approval_id = (await self.requester.request(asdict(self.house.credit.form())))["approval_id"]
        times.append(time.monotonic())
        await until("a single request to wait", lambda: self._waits(approval_id), every=LOOK_SECONDS)
        times.append(time.monotonic())
        answer = await self.approver.decide(approval_id, "approve")
        if not answer.is_success:
            raise Failed(f"{approval_id}: the decision was answered {answer.status_code}: {answer.text[:200]}")
        times.append(time.monotonic())
        await self.house.credit.ended(workflow_of(approval_id))
        times.append(time.monotonic())
        asked, waited, decided, executed = (later - earlier for earlier, later in itertools.pairwise(times))
        return Single(asked, waited, decided, executed, sum(meter.read().values()) - before)

    async def again_and_again(self, goes_on: Callable[[], bool]) -> list[Single]:
        """One after the other, with a rest between."""
        found = []
        while goes_on():
            found.append(await self.once())
            await asyncio.sleep(PAUSE_SECONDS)
        return found

    async def _waits(self, approval_id: str) -> bool:
        query = select(ApprovalRow.state).where(ApprovalRow.approval_id == approval_id)
        async with self.house.ledger.read() as session:
            return (await session.execute(query)).scalar_one() == State.WAITING


@asynccontextmanager
async def alone(house: House) -> AsyncIterator[Alone]:
    """The two, signed in at the console for as long as the block lasts."""
    requester = await Actor.sign_in(house.stack.console_url, "support")
    approver = await Actor.sign_in(house.stack.console_url, "controller")
    try:
        yield Alone(house, requester, approver)
    finally:
        await requester.close()
        await approver.close()
