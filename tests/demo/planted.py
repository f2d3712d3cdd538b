"""A small house that really worked, kept in a folder, so that a test can plant a fault in a copy of it.

Requests, decisions and effects are made by the product's own functions; only Stripe, the mail relay and Temporal are
played: what they would have kept (the ledger, the Maildir, the histories) is written here, in their own shapes.
"""

import base64
import json
import mailbox
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.converter import PayloadConverter
from temporalio.testing import ActivityEnvironment

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from demo.check import Report, Sources, check
from plixo.bootstrap import now, open_checkpoint_desk, open_trust, prepare_database, published_policy
from plixo.config import Settings
from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.credit import CreditForm
from plixo.domain.decision import Verdict
from plixo.domain.effects import Amounts, Effect, EffectKind, TargetFacts
from plixo.mail.post_office import PostOffice
from plixo.messages.approvals import ApprovalOutcome, Decide, Recorded, Step
from plixo.ports import Customer, Invoice, StripeObject
from plixo.signing.keys import load_or_create_signing_key, load_public_keys
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import approvals, outbox, people
from plixo.store.audit import GENESIS, AuditLine
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from plixo.temporal.codec import Codec
from plixo.temporal.payload_keys import KeyRing, PayloadKey, _write
from starters.absences import TypedAbsence, go_away
from starters.checkpoints import make_checkpoint
from starters.credits import request_credit
from starters.decisions import Saying, decide
from starters.desk import Desk

Events = list[dict[str, Any]]

PAYLOAD_KEYS = KeyRing.of(PayloadKey(bytes(range(32)), datetime(2026, 1, 1, tzinfo=UTC)))


def plain_payloads(value: Any) -> dict[str, Any]:
    """A value as Temporal's JSON keeps it."""
    return {"payloads": [MessageToDict(one) for one in PayloadConverter.default.to_payloads([value])]}


def payloads(value: Any) -> dict[str, Any]:
    """A value as Temporal's JSON keeps it when it was encrypted."""
    sealed = map(Codec(PAYLOAD_KEYS).seal, PayloadConverter.default.to_payloads([value]))
    return {"payloads": [MessageToDict(one) for one in sealed]}


@dataclass
class History:
    """One run's events, written the way a Temporal server exports them."""

    events: Events = field(default_factory=list)

    def add(self, kind: str, **attributes: Any) -> int:
        name = "".join(part.capitalize() for part in kind.split("_"))
        self.events.append(
            {
                "eventId": str(len(self.events) + 1),
                "eventTime": datetime.now(UTC).isoformat(),
                "eventType": f"EVENT_TYPE_{kind}",
                f"{name[0].lower()}{name[1:]}EventAttributes": attributes,
            },
        )
        return len(self.events)

    def task(self) -> int:
        """A workflow task; the id of its completion."""
        self.add("WORKFLOW_TASK_SCHEDULED")
        self.add("WORKFLOW_TASK_STARTED")
        return self.add("WORKFLOW_TASK_COMPLETED")

    def start(self, kind: str = "ApprovalWorkflow", **attributes: Any) -> None:
        self.add("WORKFLOW_EXECUTION_STARTED", workflowType={"name": kind}, input=payloads({}), **attributes)
        self.task()

    def activity(self, name: str, *, attempt: int = 1, ends: str = "COMPLETED") -> None:
        scheduled = self.add("ACTIVITY_TASK_SCHEDULED", activityType={"name": name})
        self.add("ACTIVITY_TASK_STARTED", scheduledEventId=str(scheduled), attempt=attempt)
        self.add(f"ACTIVITY_TASK_{ends}", scheduledEventId=str(scheduled))
        self.task()

    def waits(self) -> None:
        self.add("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
        self.add("TIMER_STARTED")

    def marker(self, answer: dict[str, Any], task: int) -> None:
        data = plain_payloads({"activity_type": "record_decision", "attempt": 1})
        details = {"data": data, "result": payloads(answer)}
        self.add(
            "MARKER_RECORDED",
            markerName="core_local_activity",
            details=details,
            workflowTaskCompletedEventId=str(task),
        )

    def update(self, message: Decide, recorded: Recorded) -> None:
        task = self.task()
        self.add("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", acceptedRequest={"input": {"args": payloads(asdict(message))}})
        self.marker(asdict(recorded), task)
        self.add("WORKFLOW_EXECUTION_UPDATE_COMPLETED", outcome={"success": payloads(asdict(recorded))})

    def close(self, outcome: ApprovalOutcome) -> None:
        self.add("WORKFLOW_EXECUTION_COMPLETED", result=payloads(asdict(outcome)))

    def fail(self) -> None:
        self.add("WORKFLOW_EXECUTION_FAILED")


@dataclass
class Traces:
    """What the played parts kept."""

    ledger: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[str, list[Events]] = field(default_factory=dict)

    def enter(self, **fields: Any) -> None:
        """One executed write, as the stand-in's ledger tells it."""
        row = {"seq": len(self.ledger) + 1, "at": 1_790_000_000, "method": "POST", "status": 200, "replayed": False}
        self.ledger.append({**row, "request_id": f"req_{len(self.ledger)}", "invoice": None, "metadata": {}, **fields})


@dataclass
class FakeStripe:
    """Implements `plixo.ports.Payments` on two kinds of customers: with an invoice `in_<Name>`, and without."""

    traces: Traces

    async def customer(self, customer_id: str) -> Customer:
        return Customer(customer_id, customer_id.removeprefix("cus_"), "ap@example.com", "USD")

    async def customers(self, limit: int = 100) -> list[Customer]:
        raise NotImplementedError

    async def invoices(self, customer_id: str | None = None, limit: int = 100) -> list[Invoice]:
        raise NotImplementedError

    async def find(self, effect: Effect) -> StripeObject | None:
        raise NotImplementedError

    async def invoice(self, invoice_id: str) -> Invoice:
        owner = f"cus_{invoice_id.removeprefix('in_')}"
        total = 9_600_000
        return Invoice(invoice_id, "INV-1", owner, "open", "USD", total, 0, total, total, datetime.now(UTC))

    async def billed(self, invoice_id: str) -> tuple[Invoice, Customer]:
        found = await self.invoice(invoice_id)
        return found, await self.customer(found.customer_id)

    async def facts(self, change: ProposedChange) -> TargetFacts:
        invoice = change.target.kind is TargetKind.INVOICE
        number = "INV-1" if invoice else ""
        target = Target(change.target.kind, change.target.target_id, "open", "USD", number)
        return TargetFacts(target, 9_600_000 if invoice else None, 9_600_000 if invoice else 0)

    async def preview(self, change: ProposedChange, _facts: TargetFacts) -> Amounts:
        return Amounts(change.amount.minor, 0, change.amount.minor, change.amount.currency)

    async def apply(self, effect: Effect) -> StripeObject:
        note = effect.kind is EffectKind.CREDIT_NOTE
        name = f"{'cn' if note else 'cbtxn'}_{len(self.traces.ledger)}"
        self.traces.enter(
            path="/v1/credit_notes" if note else f"/v1/customers/{effect.customer_id}/balance_transactions",
            idempotency_key=effect.key,
            object=effect.kind.value,
            id=name,
            amount=effect.params["amount"],
            currency=effect.amount.currency.lower(),
            customer=effect.customer_id,
            invoice=effect.params.get("invoice"),
            metadata=effect.params["metadata"],
        )
        return StripeObject(name, effect.kind, Amounts(effect.amount.minor, 0, effect.amount.minor, "USD"))


@dataclass
class FakeTemporal:
    """Starts nothing, and hands updates to the real recording activity."""

    traces: Traces
    record: ApprovalActivities

    async def start_workflow(self, _run: object, _request: object, *, id: str, **_: Any) -> None:  # noqa: A002
        history = History()
        history.start()
        self.traces.histories[id] = [history.events]

    def get_workflow_handle(self, name: str) -> "FakeHandle":
        return FakeHandle(History(self.traces.histories[name][-1]), self.record)


@dataclass
class FakeHandle:
    history: History
    activities: ApprovalActivities

    async def execute_update(self, _update: object, message: Decide, **_: Any) -> Recorded:
        recorded = await self.activities.record(message)
        self.history.update(message, recorded)
        return recorded


@dataclass
class SmallHouse:
    """The product's own functions on the played parts."""

    desk: Desk
    traces: Traces
    approvals: ApprovalActivities
    effects: EffectActivities

    async def ask(self, amount: str, customer: str, *, reason: str = "goodwill", invoice: bool = False) -> str:
        """Asks for a credit and opens it; what needs nobody is executed."""
        requester = await self._person("p-billing-admin")
        number = len(self.traces.histories)
        form = CreditForm(f"cus_{customer}", amount, "USD", reason, f"r{number}", f"in_{customer}" if invoice else "")
        asked = await request_credit(self.desk, requester, form)
        return await self.opened(asked.record.approval.approval_id)

    async def opened(self, approval_id: str) -> str:
        standing = await self.approvals.open(Step(approval_id))
        history = self.history(approval_id)
        history.activity("open_approval")
        if standing.state == "waiting":
            history.waits()
        else:
            await self._execute(approval_id)
        return approval_id

    async def decide(self, approval_id: str, person_id: str, verdict: str = "approve", **more: str) -> None:
        saying = Saying(await self._person(person_id), Verdict(verdict), "because", now(), **more)
        answer = await decide(self.desk, approval_id, saying)
        assert answer.answer == "accepted", answer
        state = answer.record.approval.state.value
        if state != "waiting":
            self.history(approval_id).add("TIMER_CANCELED")
        if state == "approved":
            await self._execute(approval_id)
        elif state != "waiting":
            self.history(approval_id).close(ApprovalOutcome(approval_id, state))

    async def _execute(self, approval_id: str) -> None:
        executed = await ActivityEnvironment().run(self.effects.execute, Step(approval_id))
        history = self.history(approval_id)
        history.activity("execute_approval")
        history.close(ApprovalOutcome(approval_id, executed.state, executed.stripe_object, executed.why))

    def history(self, approval_id: str) -> History:
        return History(self.traces.histories[f"credit/{approval_id}"][-1])

    def forged_start(self) -> None:
        """What a start for no request leaves behind: it failed at once."""
        history = History()
        history.start()
        history.activity("open_approval", ends="FAILED")
        history.fail()
        self.traces.histories["credit/CR-FORGED"] = [history.events]

    async def deliver(self, folder: Path, settings: Settings) -> None:
        """Every mail leaves."""
        office, box = PostOffice.open(settings), mailbox.Maildir(folder / "mailbox")
        async with self.desk.ledger.begin() as tx:
            for letter in await outbox.lease(tx.session, now(), timedelta(minutes=1), limit=100):
                box.add(office.render(letter).as_bytes())
                await outbox.sent(tx.session, letter.key, now())

    async def state(self, approval_id: str) -> str:
        async with self.desk.ledger.read() as session:
            record = await approvals.load(session, approval_id, lock=False)
        assert record
        return record.approval.state.value

    async def goes_away(self, person_id: str, delegate_id: str) -> None:
        today = now().date()
        typed = TypedAbsence("", (today + timedelta(days=3)).isoformat(), delegate_id)
        await go_away(self.desk, await self._person(person_id), typed)

    async def _person(self, person_id: str) -> Any:
        async with self.desk.ledger.read() as session:
            return (await people.by_ids(session, [person_id]))[person_id]


@dataclass
class Planted:
    """A copy of the house, to plant faults in.

    Attributes:
        folder: Holds its database, keys and mailbox.
        traces: What the played parts kept.
        ids: Its requests by what they stand for.
        database_url: Its address.
    """

    folder: Path
    traces: Traces
    ids: dict[str, str]
    database_url: str

    def copy(self, folder: Path) -> "Planted":
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        traces = Traces(**json.loads(json.dumps(asdict(self.traces))))
        return Planted(folder, traces, dict(self.ids), f"sqlite+aiosqlite:///{folder / 'plixo.db'}")

    @property
    def settings(self) -> Settings:
        return Settings(env="dev", data=self.folder).model_copy(update={"database_url": self.database_url})

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Writes past every guard that the database has."""
        with closing(sqlite3.connect(self.folder / "plixo.db", isolation_level=None)) as connection:
            for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                connection.execute(f"drop trigger {name}")
            return connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> Any:
        return self.sql(statement, *values)[0][0]

    def sign(self, kind: str, body: dict[str, Any]) -> str:
        """Signs whatever it is given, with the staff side's own key."""
        key = load_or_create_signing_key(self.settings.signing_key, self.settings.public_keys)
        return StaffSigner(key).sign(kind, body, now=now())

    def decided_otherwise(self, approval_id: str, whose: str = "p-controller", /, **changes: Any) -> str:
        """A person's recorded decision with other words, signed with the staff side's key; its id."""
        query = "select decision_id, signed from decisions where approval_id = ? and person_id = ?"
        decision_id, signed = self.sql(query, approval_id, whose)[0]
        body = {**claims(signed)["body"], **changes}
        columns = {"group_name" if name == "group" else name: value for name, value in changes.items()}
        sets = "".join(f", {name} = ?" for name in columns)
        update = f"update decisions set signed = ?{sets} where decision_id = ?"
        self.sql(update, self.sign("decision", body), *columns.values(), decision_id)
        return str(decision_id)

    def asked_otherwise(self, approval_id: str, **changes: Any) -> None:
        """A request whose signed body says something else than it did, and its row too."""
        body = claims(self.one("select signed from approvals where approval_id = ?", approval_id))["body"]
        body = {**body, **changes}
        columns = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in changes.items()}
        sets = "".join(f", {name} = ?" for name in columns)
        update = f"update approvals set signed = ?{sets} where approval_id = ?"
        self.sql(update, self.sign("request", body), *columns.values(), approval_id)

    def unhappened(self, approval_id: str, event: str) -> None:
        """A step taken out of the audit log, and the chain hashed anew as if it had never been."""
        query = "select seq, at, event, actor, detail from audit where approval_id = ? order by seq"
        kept = [row for row in self.sql(query, approval_id) if row[2] != event]
        self.sql("delete from audit where approval_id = ?", approval_id)
        prev = GENESIS
        for seq, (_, at, name, actor, detail) in enumerate(kept, start=1):
            line = AuditLine(approval_id, seq, at, name, actor, json.loads(detail), prev, "")
            values = (approval_id, seq, at, name, actor, detail, prev, line.expected_hash())
            self.sql("insert into audit values (?, ?, ?, ?, ?, ?, ?, ?)", *values)
            prev = line.expected_hash()

    def ledger_of(self, approval_id: str) -> dict[str, Any]:
        """The ledger's only entry of a request."""
        (row,) = [row for row in self.traces.ledger if row["metadata"].get("plixo_approval") == approval_id]
        return row

    def history(self, approval_id: str) -> History:
        return History(self.traces.histories[f"credit/{approval_id}"][-1])

    async def fetch_histories(self, _wanted: Collection[str]) -> dict[str, list[Events]]:
        return self.traces.histories

    async def check(self, *, patience_seconds: float = 0.0) -> Report:
        with served(self.traces.ledger) as url:
            sources = Sources(
                self.database_url,
                url,
                "",
                "default",
                self.folder / "mailbox",
                self.settings.public_keys,
                checkpoints=self.settings.checkpoint_folder,
                audit_keys=self.settings.audit_public_keys,
            )
            assert sources.payload_key_file == self.settings.payload_keys
            return await check(sources, self.fetch_histories, patience_seconds=patience_seconds)

    async def found(self) -> set[tuple[str, str]]:
        """What the checker finds: kind and request, the latter by what it stands for."""
        names = {approval_id: name for name, approval_id in self.ids.items()}
        findings = (await self.check()).findings
        return {(one.what, names.get(one.approval_id, one.approval_id)) for one in findings}


def claims(token: str) -> dict[str, Any]:
    """What a token says, unchecked."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@contextmanager
def served(ledger: list[dict[str, Any]]) -> Iterator[str]:
    """A server that answers with this ledger."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(ledger).encode()
            self.send_response(200 if self.path == "/_ledger" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@asynccontextmanager
async def at_work(planted: Planted) -> AsyncIterator[SmallHouse]:
    """The house at work in a folder."""
    engine: AsyncEngine = open_engine(planted.database_url)
    key = load_or_create_signing_key(planted.settings.signing_key, planted.settings.public_keys)
    verifier, ledger = StaffVerifier(load_public_keys(planted.settings.public_keys)), SqlLedger(engine)
    stripe, recording = FakeStripe(planted.traces), ApprovalActivities(ledger, verifier, now, PeoplesCalendars())
    temporal: Any = FakeTemporal(planted.traces, recording)
    try:
        trust = open_trust(planted.settings)
        policy = await published_policy(ledger, trust)
        desk = Desk(ledger, stripe, policy, StaffSigner(key), temporal, now, trust)
        yield SmallHouse(desk, planted.traces, recording, EffectActivities(ledger, stripe, verifier, now))
    finally:
        await engine.dispose()


async def build(
    folder: Path, database_url: str, story: "Callable[[SmallHouse], Awaitable[dict[str, str]]] | None" = None
) -> Planted:
    """A house in which one of everything happened, as it should."""
    planted = Planted(folder, Traces(), {}, database_url)
    planted.settings.payload_keys.parent.mkdir(parents=True, exist_ok=True)
    _write(planted.settings.payload_keys, PAYLOAD_KEYS)
    await prepare_database(planted.settings)
    async with at_work(planted) as house:
        planted.ids = await (story or _story)(house)
        house.forged_start()
        await house.deliver(folder, planted.settings)
        await make_checkpoint(open_checkpoint_desk(planted.settings, house.desk.ledger))
    return planted


async def _story(house: SmallHouse) -> dict[str, str]:
    ids = {
        "automatic": await house.ask("180.00", "Clinics", invoice=True),
        "balance": await house.ask("450.00", "Studio"),
        "approved": await house.ask("4200.00", "Logistics", reason="service_outage", invoice=True),
        "both": await house.ask("38000.00", "Foods", reason="contract_concession", invoice=True),
        "rejected": await house.ask("600.00", "Press"),
        "withdrawn": await house.ask("700.00", "Press"),
        "waiting": await house.ask("800.00", "Press"),
    }
    await house.decide(ids["approved"], "p-controller")
    await house.decide(ids["both"], "p-controller")
    await house.decide(ids["both"], "p-legal")
    await house.decide(ids["rejected"], "p-controller", "reject")
    await house.decide(ids["withdrawn"], "p-billing-admin", "withdraw")
    return ids
