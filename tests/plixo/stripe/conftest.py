import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from plixo.stripe.gateway import StripeGateway

WRITE_KEY = "sk_test_plixo_standin"
READ_KEY = "rk_test_plixo_standin"


@dataclass(frozen=True)
class Standin:
    """A running stand-in: what it is asked beside the gateway."""

    url: str
    http: httpx.Client

    def call(self, method: str, path: str, *, key: str = WRITE_KEY, **form: Any) -> dict[str, Any]:
        """An API call with form fields."""
        sent = {"params": form} if method == "GET" else {"data": form}
        answer = self.http.request(method, path, headers={"Authorization": f"Bearer {key}"}, **sent)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, **form: Any) -> dict[str, Any]:
        return self.call("POST", path, **form)

    def fault(self, kind: str, method: str = "*", path: str = "*", **rule: Any) -> None:
        """Plants a fault that strikes every such call."""
        given = {"kind": kind, "method": method, "path": path, **rule}
        answer = self.http.post("/_faults", json=given)
        assert answer.is_success, answer.text

    def fault_calls(self) -> list[int]:
        """How many calls each planted fault has seen."""
        return [rule["calls"] for rule in self.http.get("/_faults").json()]

    def heal(self) -> None:
        self.http.delete("/_faults").raise_for_status()

    def advance(self, seconds: int) -> None:
        self.http.post("/_clock", json={"advance_seconds": seconds}).raise_for_status()

    def made(self, kind: str, effect_id: str) -> list[dict[str, Any]]:
        """What the ledger says was really made for an effect."""
        rows = self.http.get("/_ledger").json()
        return [
            row for row in rows if row["object"] == kind and (row["metadata"] or {}).get("plixo_effect") == effect_id
        ]

    def customer(self, **fields: Any) -> str:
        found = self.post("/v1/customers", **{"name": "Example Clinics", "email": "ap@clinics.example.com", **fields})
        return str(found["id"])

    def invoice(
        self,
        customer: str,
        amount: int,
        *,
        currency: str = "usd",
        tax: str | None = None,
        status: str = "open",
    ) -> str:
        """An invoice of one line, brought to that status; `tax` is a percentage on top."""
        rates = {}
        if tax:
            rate = self.post("/v1/tax_rates", display_name="Sales tax", inclusive="false", percentage=tax)
            rates = {"default_tax_rates[0]": rate["id"]}
        invoice = self.post("/v1/invoices", customer=customer, currency=currency, **rates)["id"]
        self.post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=amount, currency=currency)
        for step in {"draft": (), "open": ("finalize",), "void": ("finalize", "void")}.get(status, ("finalize", "pay")):
            how = {"paid_out_of_band": "true"} if step == "pay" else {}
            self.post(f"/v1/invoices/{invoice}/{step}", **how)
        return str(invoice)


@pytest.fixture(scope="session")
def running_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    database = tmp_path_factory.mktemp("standin") / "books.sqlite"
    command = [sys.executable, "-m", "standin", "--port", "0", "--db", str(database)]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = re.search(r"http://\S+", process.stdout.readline())
        assert ready, "the stand-in did not start"
        with httpx.Client(base_url=ready[0], limits=httpx.Limits(keepalive_expiry=1)) as http:
            yield Standin(ready[0], http)
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def standin(running_standin: Standin) -> Iterator[Standin]:
    running_standin.heal()
    yield running_standin
    running_standin.heal()


class Open(Protocol):
    """Opens a gateway that is closed after the test."""

    async def __call__(self, base_url: str, **settings: Any) -> StripeGateway: ...


@pytest.fixture
async def open_gateway() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def opened(base_url: str, **settings: Any) -> StripeGateway:
            chosen = {"api_key": WRITE_KEY, "timeout": 20.0, "calls_per_second": None, **settings}
            return await stack.enter_async_context(StripeGateway.open(base_url=base_url, **chosen))

        yield opened


@pytest.fixture
async def gateway(standin: Standin, open_gateway: Open) -> StripeGateway:
    return await open_gateway(standin.url)


class Canned:
    """A server that answers every request with the same bytes: for what the stand-in, being orderly, never says."""

    def __init__(self, url: str, requests: list[bytes]) -> None:
        self.url = url
        self.requests = requests


@pytest.fixture
async def answering() -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def started(answer: bytes, *, drip_seconds: float = 0.0) -> Canned:
            requests: list[bytes] = []

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                requests.append(await reader.readuntil(b"\r\n\r\n"))
                try:
                    await _send(writer, answer, drip_seconds)
                finally:
                    writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            port = server.sockets[0].getsockname()[1]
            return Canned(f"http://127.0.0.1:{port}", requests)

        yield started


async def _send(writer: asyncio.StreamWriter, answer: bytes, drip_seconds: float) -> None:
    step = 1 if drip_seconds else len(answer)
    for start in range(0, len(answer), step):
        writer.write(answer[start : start + step])
        await writer.drain()
        if drip_seconds:
            await asyncio.sleep(drip_seconds)
