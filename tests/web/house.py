"""The staff side in one process: real rows, real signatures, a real stand-in; Temporal is played."""

import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from plixo.bootstrap import Staff
from plixo.domain.approval import State
from plixo.domain.ids import workflow_of
from plixo.messages.approvals import ApprovalRequest, Decide, Recorded, Step

BASE = "http://127.0.0.1:8321"


@dataclass
class PlayedTemporal:
    """Stands in for `Desk.temporal`: what a workflow would have its activities do, it does at once.

    Attributes:
        approvals: The real activities, on the same database.
        effects: The same.
        away: Whether every call fails as when the server cannot be reached.
        started: Ids of what was started.
    """

    approvals: ApprovalActivities
    effects: EffectActivities
    away: bool = False
    started: set[str] = field(default_factory=set)

    @property
    def service_client(self) -> "PlayedTemporal":
        return self

    async def check_health(self) -> bool:
        self.check()
        return True

    def check(self) -> None:
        if self.away:
            raise RPCError("no connection", RPCStatusCode.UNAVAILABLE, b"")

    async def start_workflow(self, _run: Any, request: ApprovalRequest, *, id: str, **_: Any) -> None:  # noqa: A002 - Temporal's own name
        self.check()
        assert id == workflow_of(request.approval_id)
        if id in self.started:
            raise WorkflowAlreadyStartedError(id, "ApprovalWorkflow")
        self.started.add(id)
        standing = await self.approvals.open(Step(request.approval_id))
        await self.go_on(request.approval_id, standing.state)

    async def go_on(self, approval_id: str, state: str) -> None:
        if state == State.APPROVED:
            await ActivityEnvironment().run(self.effects.execute, Step(approval_id))

    def get_workflow_handle(self, workflow_id: str) -> "PlayedHandle":
        return PlayedHandle(self, workflow_id)


@dataclass
class PlayedHandle:
    temporal: PlayedTemporal
    workflow_id: str

    async def execute_update(self, _update: Any, message: Decide, **how: Any) -> Recorded:
        self.temporal.check()
        assert how["id"] == message.decision_id
        assert how["rpc_timeout"]
        recorded = await self.temporal.approvals.record(message)
        await self.temporal.go_on(message.approval_id, recorded.standing.state)
        return recorded

    async def signal(self, _signal: Any, message: Decide) -> None:
        self.temporal.check()
        await self.temporal.approvals.record(message)


class MovableClock:
    """Real time, moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Books:
    """The stand-in, where tests make their own customers and invoices."""

    url: str
    key: str = "sk_test_plixo_standin"

    def post(self, path: str, **form: Any) -> dict[str, Any]:
        answer = httpx.post(self.url + path, data=form, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def customer(self, name: str = "Example Logistics", **fields: Any) -> str:
        return str(self.post("/v1/customers", name=name, email="ap@example.com", **fields)["id"])

    def invoice(self, customer: str, amount: int, currency: str = "usd", status: str = "open") -> str:
        invoice = self.post("/v1/invoices", customer=customer, currency=currency)["id"]
        self.post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=amount, currency=currency)
        for step in {"draft": (), "open": ("finalize",), "void": ("finalize", "void")}.get(status, ("finalize", "pay")):
            how = {"paid_out_of_band": "true"} if step == "pay" else {}
            self.post(f"/v1/invoices/{invoice}/{step}", **how)
        return str(invoice)

    def credit_notes(self, invoice: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.get(f"{self.url}/v1/credit_notes", params={"invoice": invoice}, headers=headers)
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def fault(self, kind: str) -> None:
        rule = {"kind": kind, "method": "*", "path": "*"}
        httpx.post(f"{self.url}/_faults", json=rule).raise_for_status()

    def heal(self) -> None:
        httpx.delete(f"{self.url}/_faults").raise_for_status()


@dataclass
class House:
    """Everything a test of the web needs."""

    app: FastAPI
    staff: Staff
    clock: MovableClock
    temporal: PlayedTemporal
    books: Books
    open_client: Callable[..., Awaitable[httpx.AsyncClient]]
    tag: str = field(default_factory=lambda: secrets.token_hex(4))

    async def visitor(self, role: str = "") -> httpx.AsyncClient:
        """A browser, signed in as that role where one is named."""
        client = await self.open_client()
        if role:
            answer = await client.post("/sign-in", data={"person": f"p-{role.replace('_', '-')}"})
            assert answer.status_code == 303, answer.text
        return client

    async def caller(self, role: str = "") -> httpx.AsyncClient:
        """A program, with a token of that role where one is named."""
        client = await self.open_client()
        if role:
            answer = await client.post("/api/v1/dev/token", json={"role": role})
            assert answer.status_code == 200, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def form(self, **changed: str) -> dict[str, str]:
        """A credit request with nothing wrong in it; give `customer`, or one is made."""
        customer = changed.pop("customer", "") or self.books.customer()
        fields = {"customer": customer, "invoice": "", "amount": "4200.00", "currency": "USD"}
        fields |= {"reason": "service_outage", "note": "", "memo": ""}
        # Its own in every test: approval ids are made from it, and the stand-in remembers keys from test to test.
        return fields | changed | {"request_id": f"{self.tag}-{changed.get('request_id', 'r-1')}"}

    async def asked(self, role: str = "billing_admin", **changed: str) -> str:
        """A credit that was asked for; its id."""
        client = await self.visitor(role)
        answer = await client.post("/credits", data=self.form(**changed))
        found = re.fullmatch(r"/approvals/(CR-\w+)\?said=asked", answer.headers.get("location", ""))
        assert found, answer.text
        return found[1]


class Clients:
    """Opens clients that are closed with the test."""

    def __init__(self, app: FastAPI, stack: AsyncExitStack) -> None:
        self._app = app
        self._stack = stack

    async def __call__(self, **settings: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
        client = httpx.AsyncClient(transport=transport, base_url=BASE, **settings)
        return await self._stack.enter_async_context(client)
