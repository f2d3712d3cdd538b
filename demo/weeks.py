"""The scene of the long week: nobody is there, and hours pass in moments on a Temporal server that skips time.

Database, stand-in, mailbox and Temporal are its own: in the other scenes' house it is today.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from demo import check
from demo.check_temporal import History
from demo.mailbox import open_mailbox
from demo.places import Ports, binary
from demo.stack import STANDIN_KEY, STANDIN_READ_KEY
from demo.telling import Teller
from demo.waiting import until
from plixo.bootstrap import Workshop, open_staff, open_workshop, prepare_database
from plixo.config import Settings
from plixo.domain.approval import State
from plixo.domain.credit import CreditForm
from plixo.domain.decision import Verdict
from plixo.domain.people import Person
from plixo.messages.approvals import APPROVALS_QUEUE, STRIPE_QUEUE
from plixo.ports import Record
from plixo.signing.keys import load_or_create_signing_key
from plixo.store import approvals, people
from standin import inprocess
from standin.settings import StandinSettings
from starters.absences import TypedAbsence, go_away
from starters.credits import request_credit
from starters.decisions import Saying, decide
from starters.desk import Desk
from workers.relay import relay_once
from workers.sandbox import SANDBOX
from workflows import attributes
from workflows.approval import ApprovalWorkflow

AHEAD: Final = timedelta(seconds=1)
"""By how much the activities' clock is ahead when a timer fires, so that what is due is due for them as well."""

LEAPS: Final = 40
"""So many moments are passed at most: a request that still waits then waits for ever."""


_QUIET: Final = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))


class Moving:
    """The clock of everything but Temporal's own: it goes where the story goes."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """What time it is."""
        return self.at


@dataclass
class Weeks:
    """A house in which time is skipped.

    Attributes:
        env: The Temporal server.
        desk: The staff side.
        workshop: The workers' side.
        clock: Theirs.
        people: By role.
        sources: Where the checker looks.
    """

    env: WorkflowEnvironment
    desk: Desk
    workshop: Workshop
    clock: Moving
    people: dict[str, Person]
    sources: check.Sources

    async def ask(self, amount: str, invoice: str) -> str:
        """The billing admin asks for a credit that the Controller must decide; its id, once it waits."""
        form = CreditForm(
            customer="cus_ExampleLogistics",
            amount=amount,
            currency="USD",
            reason="service_outage",
            request_id=f"weeks-{amount}",
            invoice=invoice,
            note="Played by the demo: nobody is there.",
        )
        asked = await request_credit(self.desk, self.people["billing_admin"], form)
        approval_id = asked.record.approval.approval_id
        await self.until(approval_id, State.WAITING)
        return approval_id

    async def decide(self, approval_id: str, role: str, verdict: Verdict) -> None:
        """Somebody decides, signed in just now."""
        await decide(self.desk, approval_id, Saying(self.people[role], verdict, "", self.clock()))

    async def next_event(self, approval_id: str) -> Record:
        """Pass the time until the next thing is due for the request, and let it happen."""
        before = await self.record(approval_id)
        assert before.moments is not None, "it waits for something"
        _what, at = before.moments.following(before.approval.waiting_groups())
        self.clock.at = datetime.fromtimestamp(at, UTC) + AHEAD
        await self.env.sleep(self.clock.at - await self.env.get_current_time())

        async def happened() -> Record | None:
            now = await self.record(approval_id)
            return now if now != before else None

        after = await until(f"what is due for {approval_id}", happened)
        await self.deliver()
        return after

    async def until(self, approval_id: str, state: State) -> Record:
        """Wait until the request stands there."""

        async def there() -> Record | None:
            record = await self.record(approval_id)
            return record if record.approval.state is state else None

        return await until(f"{approval_id} to be {state.label.lower()}", there)

    async def record(self, approval_id: str) -> Record:
        """The request as it stands."""
        async with self.desk.ledger.read() as session:
            found = await approvals.load(session, approval_id, lock=False)
        assert found is not None, "requests are never removed"
        return found

    async def deliver(self) -> None:
        """Send what the outbox holds."""
        while await relay_once(self.workshop.ledger, self.workshop.post_office, self.clock):
            pass

    async def checked(self) -> check.Report:
        """What the independent checker finds; the server cannot list its workflows, so they are asked for by id."""
        client = self.env.client

        async def fetch(wanted: Collection[str]) -> dict[str, list[History]]:
            found = {}
            for name in wanted:
                history = await client.get_workflow_handle(name).fetch_history()
                found[name] = [json.loads(history.to_json())["events"]]
            return found

        return await check.check(self.sources, fetch)


async def play(folder: Path, teller: Teller) -> check.Report:
    """Nobody answers: reminders, the delegate, and a request that nobody ever takes up.

    Args:
        folder: An empty one.
        teller: Tells it.

    Returns:
        What the independent checker found in this house.
    """
    async with open_weeks(folder) as weeks:
        first = await weeks.ask("4200.00", "in_ExampleLogistics0042")
        teller.say(f"{first} waits for the Controller, who is not there. Time is skipped from here on.")
        stand_ins = await _until_stand_ins(weeks, first, teller)
        await weeks.decide(first, stand_ins, Verdict.APPROVE)
        ended = await weeks.until(first, State.EXECUTED)
        teller.say(
            f"{weeks.people[stand_ins].name} approved in their place. Applied in Stripe as {ended.stripe_object}."
        )
        second = await weeks.ask("4100.00", "in_ExampleLogistics0042")
        began = weeks.clock()
        record = await weeks.record(second)
        for _ in range(LEAPS):
            if record.approval.state is not State.WAITING:
                break
            record = await weeks.next_event(second)
        days = (weeks.clock() - began).days
        teller.say(f"{second}: nobody decided at all. After {days} days it went back to who asked: {record.why}")
        record = await weeks.next_event(second)
        teller.say(
            f"And after {(weeks.clock() - began).days} days: {record.approval.state.label.lower()}. {record.why}"
        )
        await _away(weeks, teller)
        await weeks.deliver()
        return await weeks.checked()


async def _away(weeks: Weeks, teller: Teller) -> None:
    """The Controller says that they are away, and who decides in their place."""
    last = (weeks.clock() + timedelta(days=3)).date()
    await go_away(weeks.desk, weeks.people["controller"], TypedAbsence("", last.isoformat(), "p-cfo", ""))
    third = await weeks.ask("4000.00", "in_ExampleLogistics0042")
    teller.say(f"{third}: this time the Controller said that they are away until {last:%A}, and the CFO decides.")
    await weeks.decide(third, "cfo", Verdict.APPROVE)
    ended = await weeks.until(third, State.EXECUTED)
    teller.say(f"The CFO approved in their place at once. Applied in Stripe as {ended.stripe_object}.")


async def _until_stand_ins(weeks: Weeks, approval_id: str, teller: Teller) -> str:
    """Pass the time until others may decide as well; the role of one of them."""
    record = await weeks.record(approval_id)
    assert record.stage_since is not None
    for _ in range(LEAPS):
        if record.approval.escalated:
            break
        before = record
        record = await weeks.next_event(approval_id)
        if not record.approval.escalated and record != before:
            teller.say(f"{_local(weeks)}: the Controller was reminded.")
    found = record.approval.escalated[0].stand_ins[0][0]
    role = next(role for role, person in weeks.people.items() if person.person_id == found)
    teller.say(f"{_local(weeks)}: their time is over, and {weeks.people[role].name} may decide as well.")
    return role


def _local(weeks: Weeks) -> str:
    return f"{weeks.clock():%A %H:%M} UTC"


@asynccontextmanager
async def open_weeks(folder: Path) -> AsyncIterator[Weeks]:
    """The house, with its workers; everything ends with the block."""
    # This server is an older one, of which the client would warn in the middle of the story.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=_QUIET)), error_if_already_set=False)
    ports = Ports.free()
    server = str(binary("temporal-test-server"))
    standin = await asyncio.to_thread(inprocess.start, StandinSettings(database=folder / "standin.db", seed="demo"))
    try:
        async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=server) as env:
            with env.auto_time_skipping_disabled(), open_mailbox(folder / "mailbox", ports.smtp):
                await _declare_attributes(env.client)
                settings = _settings(folder, ports, standin.url, env.client.service_client.config.target_host)
                load_or_create_signing_key(settings.signing_key, settings.public_keys)
                await prepare_database(settings)
                clock = Moving(await env.get_current_time())
                async with open_staff(settings) as staff, open_workshop(settings) as opened:
                    workshop = replace(
                        opened,
                        approvals=replace(opened.approvals, clock=clock),
                        effects=replace(opened.effects, clock=clock),
                    )
                    async with staff.desk.ledger.read() as session:
                        everybody = {_role(one): one for one in await people.everybody(session)}
                    desk = replace(staff.desk, clock=clock)
                    async with _workers(workshop):
                        yield Weeks(env, desk, workshop, clock, everybody, _sources(settings, standin.url, folder))
    finally:
        await asyncio.to_thread(standin.stop)


@asynccontextmanager
async def _workers(workshop: Workshop) -> AsyncIterator[None]:
    """Plain ones: this server knows nothing of versions, and there is nothing to sweep."""
    acts = workshop.approvals
    async with (
        Worker(
            workshop.temporal,
            task_queue=APPROVALS_QUEUE,
            workflows=[ApprovalWorkflow],
            workflow_runner=SANDBOX,
            activities=[acts.open, acts.record, acts.remind, acts.escalate, acts.expire],
        ),
        Worker(workshop.stripe_client, task_queue=STRIPE_QUEUE, activities=[workshop.effects.execute]),
    ):
        yield


async def _declare_attributes(client: Client) -> None:
    kinds = {key.name: f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}" for key in attributes.ALL}
    wanted = {name: IndexedValueType.Value(kind) for name, kind in kinds.items()}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
    )


def _settings(folder: Path, ports: Ports, stripe_url: str, temporal: str) -> Settings:
    return Settings.model_construct(
        env="dev",
        data=folder,
        base_url=f"http://127.0.0.1:{ports.console}",
        temporal_address=temporal,
        stripe_base_url=stripe_url,
        stripe_read_key=SecretStr(STANDIN_READ_KEY),
        stripe_api_key=SecretStr(STANDIN_KEY),
        smtp_url=f"smtp://127.0.0.1:{ports.smtp}",
    )


def _sources(settings: Settings, standin_url: str, folder: Path) -> check.Sources:
    return check.Sources(
        database_url=settings.database,
        ledger_url=standin_url,
        temporal_address=settings.temporal_address,
        namespace="default",
        mailbox=folder / "mailbox",
        public_keys=settings.public_keys,
        payload_keys=settings.payload_keys,
    )


def _role(person: Person) -> str:
    return person.person_id.removeprefix("p-").replace("-", "_")
