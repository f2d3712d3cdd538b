"""Everything that a measurement needs: the embedded parts as `plixo up` starts them, and the floor's worker."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr
from temporalio.client import Client

from benchmarks.bare_worker import READY
from benchmarks.meters import Processor
from benchmarks.sides import BareSide, CreditSide
from demo.parts import Part
from demo.places import Ports
from demo.stack import STANDIN_KEY, STANDIN_READ_KEY, Stack, running
from demo.waiting import until
from plixo.bootstrap import open_staff
from plixo.collecting import settle_in
from plixo.config import Settings
from plixo.store import outbox, people
from plixo.store.ledger import SqlLedger

CUSTOMERS: Final = 10
INVOICE_MINOR: Final = 1_000_000


@dataclass(frozen=True)
class House:
    """The running parts and both sides.

    Attributes:
        stack: The product's processes.
        bare_worker: The floor's.
        temporal: A client without a codec.
        ledger: The product's database.
        credit: The product.
        bare: The floor.
    """

    stack: Stack
    bare_worker: Part
    temporal: Client
    ledger: SqlLedger
    credit: CreditSide
    bare: BareSide

    def processor(self) -> Processor:
        """A meter of every process; the driver's holds the staff side and the mailbox."""
        stack = self.stack
        parts = {
            "worker": stack.worker,
            "bare_worker": self.bare_worker,
            "server": stack.temporal,
            "console": stack.web,
        }
        pids = {name: part.pid for name, part in parts.items()} | {"driver": os.getpid()}
        return Processor(pids | ({"standin": stack.standin.pid} if stack.standin else {}))

    async def mails_left(self) -> float:
        """Wait until every mail has left; how many seconds that took."""
        began = time.monotonic()

        async def none_waits() -> bool:
            async with self.ledger.read() as session:
                return await outbox.unsent(session) == 0

        await until("the mails to leave", none_waits)
        return time.monotonic() - began


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run, removed afterwards."""
    made = Path(tempfile.mkdtemp(prefix="plixo-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def open_house(data: Path, invoices: int, customers: int = CUSTOMERS) -> AsyncIterator[House]:
    """Start everything; stopped at the end of the block.

    Args:
        data: An empty folder.
        invoices: How many invoices the requests take turns on.
        customers: Whose they are, one after the other.
    """
    async with running(data, Ports.free()) as stack:
        bare_worker = _bare_worker(stack)
        await bare_worker.start()
        try:
            await bare_worker.wait_until_ready()
            temporal = await Client.connect(stack.settings.temporal_address)
            async with open_staff(_settings(stack)) as staff:
                async with staff.desk.ledger.read() as session:
                    who = {person.person_id: person for person in await people.everybody(session)}
                targets = await _invoices(stack.standin_url, invoices, customers)
                credit = CreditSide(staff.desk, who["p-billing-admin"], who["p-controller"], targets, "bench")
                settle_in()  # as the console does, whose part the driver plays
                yield House(stack, bare_worker, temporal, staff.desk.ledger, credit, BareSide(temporal, "bench"))
        finally:
            await bare_worker.stop()


def _settings(stack: Stack) -> Settings:
    keys = {"stripe_read_key": SecretStr(STANDIN_READ_KEY), "stripe_base_url": stack.standin_url}
    return stack.settings.model_copy(update=keys)


def _bare_worker(stack: Stack) -> Part:
    command = [sys.executable, "-m", "benchmarks.bare_worker", str(stack.settings.max_cached_workflows)]
    environment = {"PLIXO_TEMPORAL_ADDRESS": stack.settings.temporal_address}
    return Part("bare worker", command, stack.data / "logs" / "bare-worker.log", environment, READY)


async def _invoices(url: str, count: int, owners: int) -> Sequence[tuple[str, str]]:
    """Customers and their finalised invoices, made through the API as anybody would make them."""
    headers = {"Authorization": f"Bearer {STANDIN_KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:

        async def post(path: str, **form: Any) -> str:  # noqa: ANN401 - a form's fields
            answer = (await http.post(path, data=form)).raise_for_status()
            return str(answer.json()["id"])

        customers = [await post("/v1/customers", name=f"Example {number}") for number in range(owners)]
        found = []
        for number in range(count):
            customer = customers[number % owners]
            terms = {"collection_method": "send_invoice", "days_until_due": "30"}
            invoice = await post("/v1/invoices", customer=customer, currency="usd", **terms)
            item = {"amount": str(INVOICE_MINOR), "currency": "usd", "description": "Support, yearly"}
            await post("/v1/invoiceitems", customer=customer, invoice=invoice, **item)
            await post(f"/v1/invoices/{invoice}/finalize")
            found.append((customer, invoice))
    return found
