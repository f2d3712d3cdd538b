"""Those who ask and decide: each sees a request through, and posts again whatever got no answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.faults.field import Field, insist, until
from tests.faults.plan import Errand

ENDED: Final = {"executed", "rejected", "withdrawn", "returned", "needs_attention"}
LOOK_SECONDS: Final = 0.25


@dataclass
class Crowd:
    """Sees errands through.

    Attributes:
        field: Where.
        ids: Each errand's request, by its request id.
        states: Each request's state, as it was last seen.
    """

    field: Field
    ids: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def send(self, errand: Errand, *, hold: asyncio.Event | None = None, ends: str = "") -> asyncio.Task[None]:
        """Have somebody see to it.

        Args:
            errand: What is to be done.
            hold: Nobody decides before this is set.
            ends: How it must end; as the errand says unless given.
        """
        self._tasks.append(asyncio.create_task(self._see_through(errand, hold, ends or errand.ends)))
        return self._tasks[-1]

    async def watch(self) -> None:
        """Keep the states in step until cancelled."""
        while True:
            self.states.update(await self.field.eyes.states())
            await asyncio.sleep(LOOK_SECONDS)

    async def all_done(self) -> None:
        """Wait until every errand has ended."""
        done = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.field.tally.findings += [f"An errand broke off: {one!r}" for one in done if one is not None]

    async def leave(self) -> None:
        """Give up whatever is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def waits(self, request_id: str) -> str:
        """Wait until the request waits for somebody; its approval id."""

        async def look() -> str | None:
            approval_id = self.ids.get(request_id, "")
            return approval_id if self.states.get(approval_id) == "waiting" else None

        return await until(f"{request_id} to wait", look)

    async def comes_to(self, request_id: str, *states: str) -> str:
        """Wait until the request is in one of the states; its approval id."""

        async def look() -> str | None:
            approval_id = self.ids.get(request_id, "")
            return approval_id if self.states.get(approval_id) in states else None

        return await until(f"{request_id} to be {' or '.join(states)}", look)

    async def _see_through(self, errand: Errand, hold: asyncio.Event | None, ends: str) -> None:
        approval_id = await self._ask(errand)
        self.field.wanted[approval_id] = ends
        await self._until_past(approval_id, {"", "routing"})
        if hold:
            await hold.wait()
        while await self._until_past(approval_id, {"", "routing", "approved", "executing"}) == "waiting":
            await self._decide(errand, approval_id)
            await asyncio.sleep(LOOK_SECONDS)

    async def _until_past(self, approval_id: str, early: set[str]) -> str:
        async def look() -> str | None:
            state = self.states.get(approval_id, "")
            return None if state in early else state

        return await until(f"{approval_id} to get on", look)

    async def _ask(self, errand: Errand) -> str:
        answer = await insist(lambda: self._post(errand.role, "/credits", self._credit(errand)))
        if answer.status_code not in {200, 201}:
            raise AssertionError(f"{errand.request_id} was answered {answer.status_code}: {answer.text[:300]}")
        self.ids[errand.request_id] = str(answer.json()["approval_id"])
        return self.ids[errand.request_id]

    async def _decide(self, errand: Errand, approval_id: str) -> None:
        """Whoever is asked says it; an answer that it no longer waits is one as well."""
        about = f"/approvals/{approval_id}"
        if errand.verdict == "withdraw":
            await insist(lambda: self._post(errand.role, f"{about}/withdrawal", {"comment": ""}))
            return
        api = self.field.actors["controller"].api
        shown = (await insist(lambda: api.get(f"/api/v1{about}"))).json()
        said = {"verdict": errand.verdict, "comment": "Played with faults."}
        for role in shown["waits_for"]:
            await insist(lambda role=role: self._post(role, f"{about}/decisions", said))

    async def _post(self, role: str, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.field.actors[role].api.post(f"/api/v1{path}", json=body)

    def _credit(self, errand: Errand) -> dict[str, str]:
        customer, invoice = self.field.billed[errand.customer]
        return {
            "customer": customer,
            "amount": errand.amount,
            "currency": "USD",
            "reason": errand.reason,
            "invoice": invoice if errand.on_invoice else "",
            "note": "Played with faults.",
            "memo": "",
            "request_id": errand.request_id,
        }
