"""Words that nobody but the people concerned may ever read, put wherever a person or Stripe can put words.

The whole product runs in its own processes; afterwards the words are looked for wherever others can look: everything
that Temporal keeps, as it keeps it, all logs, and the mails of people who have nothing to do with the request.
"""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    QueryWorkflowRequest,
)
from temporalio.client import Client
from temporalio.converter import DataConverter

import plixo.temporal.client
from demo import stack
from demo.actors import Actor
from demo.letters import letters
from demo.parts import Part
from demo.places import Ports, held
from demo.stack import STANDIN_KEY, Stack, _temporal, running
from demo.waiting import until
from plixo.bootstrap import prepare_database
from plixo.config import ROOT, Settings
from plixo.temporal.client import payload_codec
from tests.support.databases import database
from tests.support.house import open_house

pytestmark = pytest.mark.journey


@dataclass
class Canaries:
    """The words, by what they are of."""

    sung: dict[str, str] = field(default_factory=dict)

    def sing(self, of: str) -> str:
        """A word that no other is like, short enough for a telephone number."""
        return self.sung.setdefault(of, f"cnry{secrets.token_hex(8)}")

    def heard(self, where: bytes) -> set[str]:
        """Which of them are there, by what they are of; in capitals, too."""
        quiet = where.lower()
        return {of for of, word in self.sung.items() if word.encode() in quiet}


async def temporal_keeps(address: str, database_file: Path) -> dict[str, bytes]:
    """Everything that the server hands out of every workflow, and the files that it keeps it in, as they are."""
    client = await Client.connect(address)
    service, namespace = client.workflow_service, client.namespace
    found = await service.list_workflow_executions(ListWorkflowExecutionsRequest(namespace=namespace))
    kept = {"the list": found.SerializeToString()}
    for one in found.executions:
        named: dict[str, Any] = {"namespace": namespace, "execution": one.execution}
        history = await service.get_workflow_execution_history(GetWorkflowExecutionHistoryRequest(**named))
        described = await service.describe_workflow_execution(DescribeWorkflowExecutionRequest(**named))
        kept[f"the history of {one.execution.workflow_id}"] = history.SerializeToString()
        kept[f"the description of {one.execution.workflow_id}"] = described.SerializeToString()
    for file in database_file.parent.glob(f"{database_file.name}*"):
        kept[file.name] = file.read_bytes()
    return kept


async def current_details(client: Client, workflow_id: str) -> Payload:
    """What the workflow shows in Temporal UI right now, as it leaves the worker."""
    asked = QueryWorkflowRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id),
        query=WorkflowQuery(query_type="__temporal_workflow_metadata"),
    )
    return (await client.workflow_service.query_workflow(asked)).query_result.payloads[0]


@dataclass
class Day:
    """A day in billing, full of canaries."""

    stack: Stack
    canaries: Canaries
    actors: Mapping[str, Actor]
    temporal: Client
    metrics: str

    async def customer(self) -> tuple[str, str]:
        """A customer and an invoice of theirs, as Stripe has them."""
        words = {name: self.canaries.sing(f"customer-{name}") for name in ("name", "description", "phone")}
        words |= {"email": f"{self.canaries.sing('customer-email')}@example.com"}
        customer = await self._stripe("/v1/customers", **words, **{"metadata[who]": self.canaries.sing("metadata")})
        draft = await self._stripe(
            "/v1/invoices",
            customer=customer["id"],
            currency="usd",
            number=self.canaries.sing("invoice-number"),
            description=self.canaries.sing("invoice"),
        )
        item = {"customer": customer["id"], "invoice": draft["id"], "amount": "900000", "currency": "usd"}
        await self._stripe("/v1/invoiceitems", **item, description=self.canaries.sing("item"))
        await self._stripe(f"/v1/invoices/{draft['id']}/finalize")
        return customer["id"], draft["id"]

    async def ask(self, which: str, customer: str, invoice: str = "") -> str:
        asked = {
            "customer": customer,
            "invoice": invoice,
            "amount": "1200.00",
            "currency": "USD",
            "reason": "service_outage",
            "note": self.canaries.sing(f"{which}-note"),
            "memo": self.canaries.sing(f"{which}-memo") if invoice else "",
            "request_id": self.canaries.sing(f"{which}-request-id"),
        }
        made = await self.actors["billing_admin"].request(asked)
        await self.until(made["approval_id"], "waiting")
        return str(made["approval_id"])

    async def say(self, approval_id: str, role: str, verdict: str, which: str) -> httpx.Response:
        comment = self.canaries.sing(f"{which}-comment")
        if verdict == "withdraw":
            where = f"/api/v1/approvals/{approval_id}/withdrawal"
            return await self.actors[role].api.post(where, json={"comment": comment})
        return await self.actors[role].decide(approval_id, verdict, comment)

    async def add_document(self, approval_id: str, role: str, content: bytes) -> httpx.Response:
        """A file under a name of its own, through the page's form and through the API; taken along again."""
        name = f"{self.canaries.sing('document-name')}.pdf"
        actor, place = self.actors[role], f"/approvals/{approval_id}/documents"
        sent = {"document": (name, content, "application/pdf")}
        page = await actor.console.post(place, files=sent)
        answer = await actor.api.post(f"/api/v1{place}", files=sent)
        if answer.is_success:
            assert self.canaries.sung["document-name"] in page.text
            taken = await actor.api.get(f"/api/v1{place}/{answer.json()['document_id']}")
            assert taken.content == content
        return answer

    async def until(self, approval_id: str, state: str) -> None:
        async def there() -> bool:
            return bool((await self.actors["billing_admin"].show(approval_id))["state"] == state)

        await until(f"{approval_id} to be {state}", there)

    async def lose_the_next_answer(self) -> None:
        rule = {"kind": "reset_after", "method": "POST", "path": "/v1/credit_notes", "nth": 1}
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            (await client.post("/_faults", json=rule)).raise_for_status()

    async def _stripe(self, path: str, **form: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {STANDIN_KEY}"}
        async with httpx.AsyncClient(base_url=self.stack.standin_url, headers=headers) as client:
            answer = await client.post(path, data=form)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def people(canaries: Canaries, file: Path) -> Path:
    """The shipped people, under canaries for names and in their addresses."""
    text = (ROOT / "plixo" / "directory" / "seed.toml").read_text()
    lines: list[str] = []
    for line in text.splitlines():
        name, _, value = line.partition(" = ")
        if name == "id":
            who = value.strip('"')
        if name in {"name", "email"}:
            lines.append(f'{name} = "{canaries.sing(f"{who}-{name}")}{"@plixo.example" if name == "email" else ""}"')
        else:
            lines.append(line)
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the embedded Temporal server serves its metrics, at a port that is known."""
    port = Ports.free().console

    def temporal(data: Path, ports: Ports) -> Part:
        part = _temporal(data, ports)
        return replace(part, command=[*part.command, "--metrics-port", str(port)])

    monkeypatch.setattr(stack, "_temporal", temporal)
    return f"http://127.0.0.1:{port}/metrics"


@pytest.fixture
async def day(tmp_path: Path, metrics: str) -> AsyncIterator[Day]:
    data, canaries = tmp_path / "data", Canaries()
    async with AsyncExitStack() as exits:
        exits.enter_context(held(data))
        seed = people(canaries, tmp_path / "people.toml")
        await prepare_database(Settings(env="dev", data=data, people_seed=seed))
        parts = await exits.enter_async_context(running(data, Ports.free()))
        actors = {}
        for role in ("billing_admin", "controller", "legal"):
            actors[role] = await Actor.sign_in(parts.console_url, role)
            exits.push_async_callback(actors[role].close)
        yield Day(parts, canaries, actors, await Client.connect(parts.settings.temporal_address), metrics)


@pytest.mark.asvs("11.3.2")
@pytest.mark.asvs("16.2.5")
async def test_no_word_of_people_or_stripe_is_left_where_others_can_read_it(day: Day) -> None:
    customer, invoice = await day.customer()
    approved, rejected = await day.ask("approved", customer, invoice), await day.ask("rejected", customer)
    withdrawn, refused = await day.ask("withdrawn", customer), await day.ask("refused", customer)
    words = day.canaries.sing("document-content").encode()
    await day.actors["billing_admin"].console.post("/sign-in", data={"person": "p-billing-admin"})
    assert (await day.add_document(approved, "billing_admin", b"%PDF-1.7\n" + words)).json()["added"] is False
    assert (await day.add_document(refused, "billing_admin", b"MZ\x00" + words)).status_code == 422
    details = await current_details(day.temporal, f"credit/{approved}")

    assert (await day.say(refused, "billing_admin", "approve", "refused")).status_code == 403
    assert (await day.say(rejected, "controller", "reject", "rejected")).json()["answer"] == "accepted"
    assert (await day.say(withdrawn, "billing_admin", "withdraw", "withdrawn")).json()["answer"] == "accepted"
    await day.lose_the_next_answer()
    assert (await day.say(approved, "controller", "approve", "approved")).json()["answer"] == "accepted"
    for approval_id, state in ((approved, "executed"), (rejected, "rejected"), (withdrawn, "withdrawn")):
        await day.until(approval_id, state)

    data, canaries = day.stack.data, day.canaries
    assert len(canaries.sung) > 30
    everywhere = await temporal_keeps(day.stack.settings.temporal_address, data / "temporal.db")
    everywhere |= {log.name: log.read_bytes() for log in (data / "logs").iterdir()}
    assert {"worker.log", "console.log", "temporal.log", "temporal.db"} <= set(everywhere)
    everywhere["the current details"] = details.SerializeToString()
    async with httpx.AsyncClient() as client:
        everywhere["the metrics"] = (await client.get(day.metrics)).content
    assert b"ApprovalWorkflow" in everywhere["the metrics"]
    assert {name: canaries.heard(kept) for name, kept in everywhere.items() if canaries.heard(kept)} == {}

    await _summaries_are_there_and_encrypted(day, approved)
    await _words_of_failures_are_there_and_encrypted(day, approved, everywhere)
    await _mails_reach_whom_they_concern(day)
    assert canaries.heard((data / "plixo.db").read_bytes() + (data / "plixo.db-wal").read_bytes()) > {
        "approved-note",
        "customer-name",
        "document-name",
        "document-content",
    }, "where they belong"


async def _summaries_are_there_and_encrypted(day: Day, approval_id: str) -> None:
    codec = payload_codec(day.stack.settings)
    history = await day.temporal.get_workflow_handle(f"credit/{approval_id}").fetch_history()
    said = history.events[0].user_metadata
    assert {said.summary.metadata["encoding"], said.details.metadata["encoding"]} == {b"binary/encrypted"}
    assert day.canaries.sung["customer-name"].encode() in codec.open(said.summary).data
    details = await current_details(day.temporal, f"credit/{approval_id}")
    assert details.metadata["encoding"] == b"binary/encrypted"
    assert b"currentDetails" in codec.open(details).data


async def _words_of_failures_are_there_and_encrypted(day: Day, approval_id: str, kept: Mapping[str, bytes]) -> None:
    words = b"The connection to Stripe broke"
    assert [name for name, found in kept.items() if words in found and not name.endswith(".log")] == []
    described = kept[f"the description of credit/{approval_id}"]
    history = await day.temporal.get_workflow_handle(f"credit/{approval_id}").fetch_history()
    failures = [
        event.activity_task_started_event_attributes.last_failure
        for event in history.events
        if event.HasField("activity_task_started_event_attributes")
        and event.activity_task_started_event_attributes.HasField("last_failure")
    ]
    assert len(failures) == 1, described
    assert failures[0].message == "Encoded failure"
    assert words in payload_codec(day.stack.settings).open(failures[0].encoded_attributes).data


async def _mails_reach_whom_they_concern(day: Day) -> None:
    """Who asked, and who was asked; Legal, the CFO and the others were not."""
    concerned = {f"{day.canaries.sung[f'p-{who}-email']}@plixo.example" for who in ("billing-admin", "controller")}

    async def left() -> list[Any] | None:
        found = list(letters(day.stack.data / "mailbox"))
        return found if len(found) >= 6 else None

    sent = await until("every mail to have left", left)
    heard = [(str(one["To"]), day.canaries.heard(one.as_bytes())) for one in sent]
    assert {to for to, found in heard if found} == concerned
    assert [to for to, found in heard if found & {"document-name", "document-content"}] == [], "nobody is sent one"


@pytest.fixture
def in_plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The product as it would be without its codec."""
    monkeypatch.setattr(plixo.temporal.client, "data_converter", lambda _codec: DataConverter.default)
    return


@pytest.mark.usefixtures("in_plain")
async def test_without_the_codec_they_would_be_found(tmp_path: Path) -> None:
    canaries = Canaries()
    with database("sqlite", tmp_path) as url:
        async with open_house(tmp_path, url) as house:
            made = await house.stripe("POST", "/v1/customers", name=canaries.sing("customer-name"))
            asked = await house.ask(customer=made["id"])
            await house.until_waiting(asked)
            kept = await temporal_keeps(house.stack.settings.temporal_address, tmp_path / "temporal.db")
    told = {name for name, found in kept.items() if canaries.heard(found)}
    approval_id = asked.record.approval.approval_id
    assert {f"the history of credit/{approval_id}", f"the description of credit/{approval_id}"} <= told
    assert {name for name in told if name.startswith("temporal.db")}
