"""Where faults are played: the running parts, the people, and what was seen."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from demo import waiting
from demo.actors import Actor
from demo.places import Ports
from demo.stack import Stack, running
from tests.faults.eyes import Eyes
from tests.faults.outside import Outside
from tests.faults.plan import CUSTOMERS

ROLES: Final = ("billing_admin", "support", "controller", "legal", "cfo")
WORKER: Final = Path(__file__).parent / "worker.py"
PATIENCE_SECONDS: Final = 240.0
LOOK_SECONDS: Final = 0.03
T = TypeVar("T")


@dataclass
class Tally:
    """What was played, and what was found.

    Attributes:
        played: How often, by the fault's name.
        seen: How many calls each of Stripe's faults could have struck.
        kills: Kills by what was killed.
        between: Kills of the worker with an effect between intended and done.
        after_stripe: Those of them in which Stripe had done it already.
        findings: What must not be, in words.
        notes: What a reader should know.
    """

    played: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    between: int = 0
    after_stripe: int = 0
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Field:
    """Everything that clients, strikes and scenes need.

    Attributes:
        stack: The running parts.
        actors: People, by role.
        stripe: The stand-in, from outside.
        eyes: The database, from outside.
        billed: Customers and their invoices, by number.
        tally: What was seen.
        hurry: Whether workers run on short timeouts throughout.
    """

    stack: Stack
    actors: Mapping[str, Actor]
    stripe: Outside
    eyes: Eyes
    billed: list[tuple[str, str]]
    tally: Tally
    hurry: bool
    usual: list[str]
    wanted: dict[str, str] = field(default_factory=dict)

    def alter(self, **alterations: Any) -> None:
        """Say what the next worker that is started has about it; nothing for the product's own."""
        if self.hurry:
            alterations = {"hurried": 20.0, **alterations}
        altered = [sys.executable, "-P", str(WORKER), json.dumps(alterations)]
        self.stack.worker.command = altered if alterations else self.usual

    async def new_worker(self, **alterations: Any) -> None:
        """Let the worker finish what it does, and start another."""
        await self.stack.worker.stop()
        self.alter(**alterations)
        await self.stack.restart(self.stack.worker)

    async def worker_died(self) -> None:
        """Count a kill of the worker, and what it was killed in the middle of."""
        self.tally.kills["worker"] += 1
        intended = await self.eyes.intended()
        done = await self.stripe.done()
        self.tally.between += bool(intended)
        self.tally.after_stripe += bool(intended & set(done))

    async def kill_worker(self) -> None:
        """SIGKILL, and count it."""
        await self.stack.worker.kill()
        await self.worker_died()


async def until(what: str, look: Callable[[], Awaitable[T | None]], *, patience: float = PATIENCE_SECONDS) -> T:
    """As `demo.waiting.until`, closer and for longer: a moment between two looks may be the one to strike in.

    Raises:
        NeverHappened: It did not come in time.
    """
    return await waiting.until(what, look, every=LOOK_SECONDS, patience=patience)


@asynccontextmanager
async def opened(data: Path, tally: Tally, *, database_url: str = "", hurry: bool = False) -> AsyncIterator[Field]:
    """All parts, with customers to credit; `hurry` has every worker on short timeouts."""
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(running(data, Ports.free(), database_url=database_url))
        actors = {}
        for role in ROLES:
            actors[role] = await Actor.sign_in(stack.console_url, role)
            exits.push_async_callback(actors[role].close)
        stripe = Outside(stack.standin_url)
        exits.push_async_callback(stripe.close)
        billed = await asyncio.gather(*(stripe.billed(number) for number in range(CUSTOMERS)))
        eyes, usual = Eyes(stack.settings.database), list(stack.worker.command)
        here = Field(stack, actors, stripe, eyes, list(billed), tally, hurry, usual)
        if hurry:
            await stack.worker.kill()  # the first batch brings one that is in a hurry
        yield here


async def insist(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Post again, as people do, until there is an answer that is one.

    Raises:
        NeverHappened: There was none for too long.
    """

    async def once() -> httpx.Response | None:
        try:
            answer = await call()
        except httpx.TransportError:
            await asyncio.sleep(0.2)
            return None
        if answer.status_code >= 500 or answer.status_code == 429:
            await asyncio.sleep(0.2)
            return None
        return answer

    return await until("the console to answer", once)
