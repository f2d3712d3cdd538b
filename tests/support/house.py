"""The whole house in one process: real Temporal and stand-in beside it, staff side and workers inside it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from demo.mailbox import open_mailbox
from demo.parts import Part
from demo.places import Ports
from demo.preparing import wait_for_temporal
from demo.stack import STANDIN_KEY, STANDIN_READ_KEY, Stack, _stack
from demo.waiting import until
from plixo.bootstrap import Staff, Workshop, open_staff, open_workshop, prepare_database
from plixo.config import Settings
from plixo.domain.approval import ENDED, State
from plixo.domain.credit import CreditForm
from plixo.domain.decision import Verdict
from plixo.domain.people import Person
from plixo.ports import Record
from plixo.signing.keys import load_or_create_signing_key
from plixo.store import approvals, audit, people
from starters.amending import AmendForm, amend
from starters.credits import Asked, request_credit
from starters.decisions import Answer, Saying, decide
from starters.desk import Desk
from workers.main import working

_numbers = itertools.count(1)


@dataclass
class House:
    """What a test works with.

    Attributes:
        stack: The processes beside us, and the addresses.
        settings: The workers'.
        staff: The staff side.
        workshop: The workers' side.
        people: By role, such as `controller`.
    """

    stack: Stack
    settings: Settings
    staff: Staff
    workshop: Workshop
    people: Mapping[str, Person]

    @property
    def desk(self) -> Desk:
        return self.staff.desk

    async def ask(self, amount: str = "4200.00", role: str = "billing_admin", **fields: str) -> Asked:
        """Asks for a credit to Example Logistics' balance, or whatever the fields say."""
        return await request_credit(self.desk, self.people[role], credit_form(amount=amount, **fields))

    async def decide(self, asked: Asked, role: str, verdict: str = "approve", comment: str = "because") -> Answer:
        saying = Saying(self.people[role], Verdict(verdict), comment, self.desk.clock())
        return await decide(self.desk, asked.record.approval.approval_id, saying)

    async def amend(self, asked: Asked, **typed: Any) -> Answer:
        saying = Saying(self.people["billing_admin"], Verdict.AMEND, "because", self.desk.clock())
        return await amend(self.desk, asked.record.approval.approval_id, saying, AmendForm(**typed))

    async def record(self, asked: Asked) -> Record:
        async with self.desk.ledger.read() as session:
            record = await approvals.load(session, asked.record.approval.approval_id, lock=False)
        assert record is not None
        return record

    async def until_state(self, asked: Asked, *states: State) -> Record:
        async def look() -> Record | None:
            record = await self.record(asked)
            return record if record.approval.state in states else None

        return await until(f"{asked.record.approval.approval_id} to be {states}", look)

    async def until_waiting(self, asked: Asked) -> Record:
        """Waits until the workflow's one timer runs: from then on the request costs what was promised."""
        await self.until_state(asked, State.WAITING)

        async def timer() -> bool:
            return "TIMER_STARTED" in await self.events(asked)

        await until("the timer", timer)
        return await self.record(asked)

    async def until_ended(self, asked: Asked) -> Record:
        record = await self.until_state(asked, *ENDED)
        await asyncio.wait_for(self.workflow(asked).result(), 20)
        return record

    def workflow(self, asked: Asked) -> WorkflowHandle[Any, Any]:
        return self.workshop.temporal.get_workflow_handle(f"credit/{asked.record.approval.approval_id}")

    async def events(self, asked: Asked) -> list[str]:
        found = self.workflow(asked).fetch_history_events()
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") async for event in found]

    async def trail(self, approval_id: str) -> list[audit.AuditLine]:
        async with self.desk.ledger.read() as session:
            return list(await audit.lines(session, approval_id))

    async def ledger(self, asked: Asked | None = None) -> list[dict[str, Any]]:
        """What Stripe really did, for a request or at all."""
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            rows: list[dict[str, Any]] = (await client.get("/_ledger")).json()
        if asked is None:
            return [row for row in rows if row["object"] in {"credit_note", "customer_balance_transaction"}]
        wanted = asked.record.approval.approval_id
        return [row for row in rows if (row["metadata"] or {}).get("plixo_approval") == wanted]

    async def fault(self, kind: str, **rule: Any) -> None:
        body = {"method": "POST", "path": "/v1/credit_notes", "nth": 1, "kind": kind, **rule}
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            (await client.post("/_faults", json=body)).raise_for_status()

    async def stripe(self, method: str, path: str, **form: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {STANDIN_KEY}"}
        async with httpx.AsyncClient(base_url=self.stack.standin_url, headers=headers) as client:
            answer = await client.request(method, path, data=form)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def credit_form(**fields: str) -> CreditForm:
    """A sound form; each has its own request id."""
    usual = CreditForm(
        customer="cus_ExampleLogistics",
        amount="4200.00",
        currency="USD",
        reason="service_outage",
        request_id=f"test-{next(_numbers)}",
        note="The outage of May.",
    )
    return replace(usual, **fields)


def later(desk: Desk, hours: float) -> Desk:
    """The same desk with a clock that runs ahead."""

    def clock() -> datetime:
        return desk.clock() + timedelta(hours=hours)

    return replace(desk, clock=clock)


@asynccontextmanager
async def open_house(
    folder: Path, database_url: str, *, workers: bool = True, server: Mapping[str, float] | None = None
) -> AsyncIterator[House]:
    """Everything up; with `workers=False` nobody polls until a test opens `working(house.workshop)` itself.

    Args:
        folder: Of the parts.
        database_url: A database that is empty.
        workers: Whether they are up from the beginning.
        server: Settings of the Temporal server's dynamic configuration, such as lower limits.
    """
    stack = _stack(folder, Ports.free(), "", "demo")
    for name, value in (server or {}).items():
        stack.temporal.command = [*stack.temporal.command, "--dynamic-config-value", f"{name}={value}"]
    parts: tuple[Part | None, ...] = (stack.temporal, stack.standin)
    try:
        for part in parts:
            assert part is not None
            await part.start()
        settings = _settings(stack, database_url)
        load_or_create_signing_key(settings.signing_key, settings.public_keys)
        await prepare_database(settings)
        await wait_for_temporal(stack.temporal, stack.settings.temporal_address)
        assert stack.standin is not None
        await stack.standin.wait_until_ready()
        with open_mailbox(folder / "mailbox", stack.ports.smtp):
            async with open_staff(settings) as staff, open_workshop(settings) as workshop:
                house = House(stack, settings, staff, workshop, await _people(staff))
                if not workers:
                    yield house
                    return
                async with working(workshop):
                    yield house
    finally:
        for part in parts:
            assert part is not None
            await part.kill()


def _settings(stack: Stack, database_url: str) -> Settings:
    return stack.settings.model_copy(
        update={
            "database_url": database_url,
            "stripe_read_key": SecretStr(STANDIN_READ_KEY),
            "stripe_api_key": SecretStr(STANDIN_KEY),
            "stripe_base_url": stack.standin_url,
            "smtp_url": f"smtp://127.0.0.1:{stack.ports.smtp}",
            "grace_seconds": 1.0,
        },
    )


async def _people(staff: Staff) -> dict[str, Person]:
    async with staff.desk.ledger.read() as session:
        return {_role(person): person for person in await people.everybody(session)}


def _role(person: Person) -> str:
    return person.person_id.removeprefix("p-").replace("-", "_")
