"""A request whose history has become long goes on in a new run, at the server's suggestion, and loses nothing by it."""

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.api.history.v1 import History
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from demo.check import Sources, check
from demo.waiting import until
from plixo.domain.approval import State, Verdict
from plixo.domain.path import Seat, Stage
from plixo.domain.people import Group
from plixo.messages.approvals import Decide, Decided
from starters.credits import Asked
from starters.decisions import Answer, deliver, send
from starters.desk import Desk
from tests.replay.paths import Play
from tests.support.databases import database
from tests.support.house import House, open_house
from tests.support.operating import reset, run_of
from tests.support.rows import CLOCK, PlayedStripe, Rows, fresh_sqlite, open_rows
from tests.support.workers import Handle, at_work, settled, start
from workflows import attributes
from workflows.approval import ApprovalWorkflow

SUGGESTED = "limit.historyCount.suggestContinueAsNew"
"""The server's setting: after how many events it suggests a new run."""

NOBODYS = cast("Any", None)
"""What delivering a decision has no use for: a policy, and what makes one hold."""

CROWD = 40
"""People who must all agree."""


@dataclass
class Crowd:
    """A request that waits for many people, on a server that soon suggests a new run.

    Attributes:
        desk: What the console delivers decisions with.
        rows: The database.
        stripe: Where it is applied.
    """

    desk: Desk
    rows: Rows
    stripe: PlayedStripe

    @property
    def client(self) -> Client:
        return self.desk.temporal

    async def asked(self) -> Handle:
        stage = Stage((Seat(Group.CONTROLLER, quorum=CROWD),), CLOCK)
        approval_id = await self.rows.ask(stages=(stage,))
        handle = await start(self.client, approval_id)
        await settled(self.rows, approval_id, State.WAITING)
        return handle


@asynccontextmanager
async def crowd_at(folder: Path, suggested: int) -> AsyncIterator[Crowd]:
    server = str(Path(sys.executable).parent / "temporal")
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=server,
            dev_server_extra_args=["--dynamic-config-value", f"{SUGGESTED}={suggested}"],
            search_attributes=attributes.ALL,
        ) as env,
        open_rows(await fresh_sqlite(folder)) as rows,
    ):
        rows.clock.at = datetime.now(UTC)
        for number in range(CROWD):
            await rows.add_person(
                replace(rows.people["controller"], person_id=f"p-{number}", email=f"{number}@x.example")
            )
        await rows.change_person("controller", active=False)
        stripe = PlayedStripe()
        async with at_work(env.client, rows, stripe):
            desk = Desk(rows.ledger, stripe, NOBODYS, rows.signer, env.client, rows.clock, NOBODYS)
            yield Crowd(desk, rows, stripe)


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    async with crowd_at(tmp_path, 40) as opened:
        yield opened


async def chain(client: Client, name: str, first: str) -> list[tuple[str, History]]:
    """Every run of a workflow in its order, by id."""
    found, run_id = [], first
    while run_id:
        history = await client.get_workflow_handle(name, run_id=run_id).fetch_history()
        found.append((run_id, History(events=history.events)))
        last = history.events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def test_decisions_that_come_all_the_time_across_several_runs_are_each_taken_up_once(crowd: Crowd) -> None:
    """By update and by signal, some by both, and some again later; four people at a time."""
    handle = await crowd.asked()
    approval_id, first = handle.id.partition("/")[2], str(handle.first_execution_run_id)
    people = iter(range(CROWD))
    answers = list[str]()

    async def decide(turn: int) -> None:
        for number in people:
            decision_id = await crowd.rows.say(approval_id, str(number))
            if number % 2:
                answers.append((await _by_update(crowd, approval_id, decision_id)).answer)
            if number % 3 != 1:
                await _by_signal(crowd, decision_id)
            if turn == 0 and number > 0:
                await _by_signal(crowd, f"DE-{number // 2}-approve-{approval_id[-6:]}")

    await asyncio.gather(*(decide(turn) for turn in range(4)))
    for number in range(CROWD):
        await _by_signal(crowd, f"DE-{number}-approve-{approval_id[-6:]}")
    outcome = await asyncio.wait_for(handle.result(), 40)

    runs = await chain(crowd.client, handle.id, first)
    assert (outcome.state, len(crowd.stripe.made)) == ("executed", 1)
    assert len(runs) >= 4
    assert set(answers) <= {"accepted", "already_received"}
    everybody = sorted(f"p-{number}" for number in range(CROWD))
    assert sorted(known.person_id for known in (await crowd.rows.record(approval_id)).approval.decisions) == everybody
    events = Counter(await crowd.rows.events(approval_id))
    assert events == {"opened": 1, "decision_recorded": CROWD, "effect_intended": 1, "effect_done": 1}
    decided = [one.decision_id for one in (await handle.query(ApprovalWorkflow.decided)).recorded]
    assert sorted(decided) == sorted(f"DE-{number}-approve-{approval_id[-6:]}" for number in range(CROWD))
    letters = Counter(row.template for row in await crowd.rows.letters())
    assert letters == {"asked": CROWD, "executed": 1}


async def _by_update(crowd: Crowd, approval_id: str, decision_id: str) -> Answer:
    record = await crowd.rows.record(approval_id)
    return await deliver(crowd.desk, record, decision_id, Verdict.APPROVE)


async def _by_signal(crowd: Crowd, decision_id: str) -> None:
    stored = await crowd.rows.decision(decision_id)
    await send(crowd.rows.ledger, crowd.client, stored.decision, crowd.rows.clock)


async def test_a_new_run_that_nothing_happened_in_is_not_followed_by_another(tmp_path: Path) -> None:
    """Its own beginning may be longer already than what the server thinks long."""
    async with crowd_at(tmp_path, 3) as crowd:
        handle = await crowd.asked()
        name, first = handle.id, str(handle.first_execution_run_id)
        await until("its timer", lambda: rests(crowd.client, name))
        assert len(await chain(crowd.client, name, first)) == 1
        elsewhere = Decide("CR-ANOTHER", "DE-1")
        for number, message in enumerate((elsewhere, Decide(name.partition("/")[2], "DE-forged"))):
            await handle.signal(ApprovalWorkflow.submit_decision, message)
            await until("the next run", lambda runs=number + 2: _has(crowd.client, name, first, runs))
            await until("its timer", lambda: rests(crowd.client, name))
        assert len(await chain(crowd.client, name, first)) == 3


async def _has(client: Client, name: str, first: str, runs: int) -> bool:
    return len(await chain(client, name, first)) == runs


async def rests(client: Client, name: str) -> bool:
    """Whether its latest run waits for its timer and has no step to take."""
    handle = client.get_workflow_handle(name)
    described = (await handle.describe()).raw_description
    timers = [
        event async for event in handle.fetch_history_events() if event.HasField("timer_started_event_attributes")
    ]
    return bool(timers) and not described.HasField("pending_workflow_task")


@asynccontextmanager
async def house_at(folder: Path, suggested: int, *, workers: bool = True) -> AsyncIterator[House]:
    with database("sqlite", folder) as url:
        async with open_house(folder, url, workers=workers, server={SUGGESTED: suggested}) as opened:
            yield opened


class Long:
    """A request of a house that goes on in another run whenever a test wants."""

    def __init__(self, house: House, asked: Asked, first: str) -> None:
        self.house, self.asked, self.first = house, asked, first
        self._numbers = itertools.count()

    @classmethod
    async def of(cls, house: House, asked: Asked) -> "Long":
        await house.until_waiting(asked)
        return cls(house, asked, await run_of(house, asked))

    async def runs(self) -> list[tuple[str, History]]:
        return await chain(self.house.workshop.temporal, self.house.workflow(self.asked).id, self.first)

    async def goes_on(self) -> None:
        """Signals that nobody signed make its history long."""
        handle, before = self.house.workflow(self.asked), len(await self.runs())
        approval_id = self.asked.record.approval.approval_id

        async def another() -> bool:
            message = Decide(approval_id, f"DE-forged-{next(self._numbers)}")
            await handle.signal(ApprovalWorkflow.submit_decision, message)
            return len(await self.runs()) > before

        await until("another run", another)
        await until("its timer", lambda: rests(self.house.workshop.temporal, handle.id))


async def test_a_later_run_is_found_as_the_first_was_and_the_checker_reads_the_whole_chain(tmp_path: Path) -> None:
    async with house_at(tmp_path, 60) as house:
        asked = await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods")
        long = await Long.of(house, asked)
        assert (await house.decide(asked, "controller")).answer == "accepted"
        before = (await house.workflow(asked).describe()).typed_search_attributes
        await long.goes_on()
        await long.goes_on()
        described = await house.workflow(asked).describe()
        assert described.typed_search_attributes == before
        assert described.raw_description.workflow_execution_info.priority.fairness_key
        kinds = [event.WhichOneof("attributes") for event in (await long.runs())[-1][1].events]
        assert "upsert_workflow_search_attributes_event_attributes" not in kinds, "it has them already"
        decided = cast("Decided", await house.workflow(asked).query(ApprovalWorkflow.decided))
        assert [(one.answer, one.why) for one in decided.recorded] == [("accepted", "")]
        again = await house.workflow(asked).execute_update(
            ApprovalWorkflow.decide, Decide(asked.record.approval.approval_id, decided.recorded[0].decision_id)
        )
        assert again.answer == "already_received"
        assert (await house.decide(asked, "legal")).answer == "accepted"
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
        report = await check(_sources(house))
        assert report.findings == []
        (facts,) = report.approvals
        runs = await long.runs()
        assert facts["history_events"] == sum(len(history.events) for _, history in runs)


async def test_reminders_go_out_once_however_many_runs_there_are(tmp_path: Path) -> None:
    async with house_at(tmp_path, 60, workers=False) as house:
        play = Play("reminded", house)
        async with play.working():
            play.clock.back(hours=4, seconds=-12)  # the Controller is reminded after four hours
            asked = await play.ask()
            long = await Long.of(play.house, asked)
            await long.goes_on()
            play.clock.right()

            async def reminded() -> int:
                trail = await house.trail(asked.record.approval.approval_id)
                return [line.event for line in trail].count("reminded")

            await until("the reminder", reminded)
            await until("its timer", lambda: rests(house.workshop.temporal, house.workflow(asked).id))
            await long.goes_on()
            assert await reminded() == 1
            await play.decide(asked, "controller")
            assert (await house.until_ended(asked)).approval.state is State.EXECUTED
            assert len(await long.runs()) >= 3


@pytest.mark.parametrize("reapply", [True, False], ids=["with its messages", "without its messages"])
async def test_an_operator_may_reset_any_run_of_a_chain_and_end_the_last(tmp_path: Path, *, reapply: bool) -> None:
    async with house_at(tmp_path, 60) as house:
        asked = await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods")
        long = await Long.of(house, asked)
        assert (await house.decide(asked, "controller")).answer == "accepted"
        await long.goes_on()
        await long.goes_on()
        for run_id, history in (await long.runs())[:2]:
            done = [
                event.event_id for event in history.events if event.HasField("workflow_task_completed_event_attributes")
            ]
            await reset(house, asked, done[1], run_id=run_id, reapply=reapply)
            await until("its timer", lambda: rests(house.workshop.temporal, house.workflow(asked).id))
        stopped = await run_of(house, asked)
        await house.workflow(asked).terminate()

        async def taken_up_again() -> bool:
            return await run_of(house, asked) != stopped

        await until("a new run", taken_up_again)
        await until("its timer", lambda: rests(house.workshop.temporal, house.workflow(asked).id))
        assert (await house.decide(asked, "legal")).answer == "accepted"
        record = await house.until_ended(asked)
        assert record.approval.state is State.EXECUTED
        assert [known.person_id for known in record.approval.decisions] == ["p-controller", "p-legal"]
        assert len(await house.ledger(asked)) == 1
        assert (await check(_sources(house))).findings == []


def _sources(house: House) -> Sources:
    return Sources(
        database_url=house.settings.database,
        ledger_url=house.stack.standin_url,
        temporal_address=house.stack.settings.temporal_address,
        namespace="default",
        mailbox=house.stack.data / "mailbox",
        public_keys=house.settings.public_keys,
    )
