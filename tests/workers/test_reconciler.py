"""What an operator ended is taken up again: nothing is lost, nothing is done twice, and there is a trace."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy

from demo.waiting import until
from plixo.domain.approval import State
from plixo.messages.approvals import ApprovalRequest
from plixo.store import audit, decisions
from starters.credits import Asked
from starters.revival import EVENT, MISSING, Run, latest_run, take_up_again
from tests.support.databases import database
from tests.support.desk import Office, later
from tests.support.house import House, open_house
from tests.support.rows import NOW, tamper
from workers.main import working
from workers.reconciler import LAG, Reconciler
from workflows.approval import ApprovalWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory() as folder, database("sqlite", Path(folder)) as url:
        async with open_house(Path(folder), url) as opened:
            yield opened


async def terminated(house: House, asked: Asked) -> None:
    await house.workflow(asked).terminate("an operator's mistake")


async def canceled(house: House, asked: Asked) -> None:
    await house.workflow(asked).cancel()

    async def closed() -> bool:
        return (await house.workflow(asked).describe()).status is WorkflowExecutionStatus.CANCELED

    await until("the cancellation", closed)


async def missing(house: House, asked: Asked) -> None:
    """Deleted, history and all."""
    client, name = house.workshop.temporal, house.workflow(asked).id
    execution = WorkflowExecution(workflow_id=name)
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)

    async def gone() -> bool:
        run = await latest_run(client, asked.record.approval.approval_id)
        return run.how == MISSING

    await until("the deletion", gone)


Ending = Callable[[House, Asked], Awaitable[None]]


def ahead(house: House, by: timedelta) -> Callable[[], datetime]:
    return lambda: house.desk.clock() + by


async def look_until(
    house: House, what: str, done: Callable[[], Awaitable[Any]], clock: Callable[[], datetime] | None = None
) -> None:
    """Looks as a worker does, only sooner: Temporal's list of workflows lags a moment."""
    clock = clock or ahead(house, LAG + timedelta(minutes=1))
    reconciler = Reconciler(house.workshop.ledger, house.workshop.temporal, clock)

    async def seen() -> bool:
        await reconciler.look()
        return bool(await done())

    await until(what, seen)


async def taken_up(house: House, asked: Asked, how: str, times: int = 1) -> None:
    """Waits until a new run carries the request on."""

    async def traced() -> bool:
        return (await traces(house, asked)).count(how) == times and await running(house, asked)

    await look_until(house, f"the request to be taken up after its workflow was {how}", traced)


async def running(house: House, asked: Asked) -> bool:
    return (await house.workflow(asked).describe()).status is WorkflowExecutionStatus.RUNNING


async def traces(house: House, asked: Asked) -> list[str]:
    chain = await house.trail(asked.record.approval.approval_id)
    return [line.detail["how"] for line in chain if line.event == EVENT]


async def recorded(house: House, asked: Asked) -> list[str]:
    return [known.person_id for known in (await house.record(asked)).approval.decisions]


@pytest.mark.parametrize("ending", [terminated, canceled, missing])
async def test_a_waiting_request_whose_workflow_was_ended_is_decided_all_the_same(
    one_house: House, ending: Ending
) -> None:
    asked = await one_house.ask("700.00", reason="goodwill")
    await one_house.until_waiting(asked)
    await ending(one_house, asked)
    await taken_up(one_house, asked, ending.__name__)
    assert (await one_house.decide(asked, "controller")).answer == "accepted"
    assert (await one_house.until_ended(asked)).approval.state is State.EXECUTED
    assert await recorded(one_house, asked) == ["p-controller"]
    assert len(await one_house.ledger(asked)) == 1


@pytest.mark.parametrize("ending", [terminated, missing])
async def test_a_decision_on_an_ended_workflow_takes_it_up_at_once(one_house: House, ending: Ending) -> None:
    """Nobody looks: whoever decides brings it back."""
    asked = await one_house.ask("710.00", reason="goodwill")
    await one_house.until_waiting(asked)
    await ending(one_house, asked)
    assert (await one_house.decide(asked, "controller")).answer in {"kept", "accepted"}
    assert (await one_house.until_ended(asked)).approval.state is State.EXECUTED
    assert await traces(one_house, asked) == [ending.__name__]
    assert len(await one_house.ledger(asked)) == 1


async def test_what_was_decided_before_the_end_stands_after_it(one_house: House) -> None:
    asked = await one_house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await one_house.until_waiting(asked)
    await one_house.decide(asked, "controller")
    await terminated(one_house, asked)
    await taken_up(one_house, asked, "terminated")
    await one_house.until_waiting(asked)
    described = await one_house.workflow(asked).describe()
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes.search_attributes}
    assert found["PlixoWaitsFor"] == ["legal"]
    await one_house.decide(asked, "legal")
    assert (await one_house.until_ended(asked)).approval.state is State.EXECUTED
    assert await recorded(one_house, asked) == ["p-controller", "p-legal"]
    assert len(await one_house.ledger(asked)) == 1


@pytest.mark.parametrize(("ending", "fault"), [(terminated, "reset_after"), (canceled, "reset_before")])
async def test_what_is_being_applied_is_applied_once(one_house: House, ending: Ending, fault: str) -> None:
    """Stripe gave no answer, having done it or not; then somebody ends the workflow before the next try."""
    asked = await one_house.ask("720.00", reason="goodwill")
    await one_house.until_waiting(asked)
    path = "/v1/customers/cus_ExampleLogistics/balance_transactions"
    await one_house.fault(fault, path=path)
    await one_house.decide(asked, "controller")
    await one_house.until_state(asked, State.EXECUTING, State.EXECUTED)
    await ending(one_house, asked)
    await look_until(one_house, "it to be applied", lambda: _is(one_house, asked, State.EXECUTED))
    assert len(await one_house.ledger(asked)) == 1
    assert await recorded(one_house, asked) == ["p-controller"]


async def _is(house: House, asked: Asked, state: State) -> bool:
    return (await house.record(asked)).approval.state is state


@pytest.mark.asyncio(loop_scope="function")
async def test_one_ended_again_and_again_is_taken_up_less_and_less_often(office: Office) -> None:
    approval_id, clock = await office.asked(), office.rows.clock
    office.temporal.closed.append(f"credit/{approval_id}")
    for number, seconds in enumerate((0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600)):
        run = Run(approval_id, f"run-{number}", "terminated")
        if seconds:
            clock.forward(seconds=seconds - 1)
            assert not await take_up_again(office.rows.ledger, office.desk.temporal, run, clock)
            clock.forward(seconds=1)
        for _ in range(2):
            assert await take_up_again(office.rows.ledger, office.desk.temporal, run, clock)
    told = [line.detail["run_id"] for line in await office.rows.trail(approval_id) if line.event == EVENT]
    assert told == [f"run-{number}" for number in range(12)]


@pytest.mark.asyncio(loop_scope="function")
async def test_an_entry_of_a_clock_that_was_ahead_holds_up_no_later_run(office: Office) -> None:
    approval_id, clock = await office.asked(), office.rows.clock
    office.temporal.closed.append(f"credit/{approval_id}")
    first, second = Run(approval_id, "run-1", "terminated"), Run(approval_id, "run-2", "terminated")
    assert await take_up_again(office.rows.ledger, office.desk.temporal, first, later(office, days=1))
    assert await take_up_again(office.rows.ledger, office.desk.temporal, second, clock)
    assert len(office.temporal.started) == 3


FORGED = {
    "no run": (NOW.isoformat(), "{}"),
    "nothing that can be read": (NOW.isoformat(), "[1.5]"),
    "no moment": ("yesterday", '{"run_id": "run-0", "how": "terminated"}'),
    "a moment of no zone": ("2026-08-03T14:00:00", '{"run_id": "run-0", "how": "terminated"}'),
}


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_entry_keeps_nothing_from_being_taken_up(office: Office, forged: str) -> None:
    """Whoever may write to the database may add to the audit log."""
    bad, clock = await office.asked(), office.rows.clock
    office.temporal.closed.append(f"credit/{bad}")
    at, detail = FORGED[forged]
    tamper(office.rows.url, "insert into audit values (?, 9, ?, ?, 'system', ?, '', '')", bad, at, EVENT, detail)
    clock.forward(seconds=1)
    for number in range(2):
        run = Run(bad, f"run-{number}", "terminated")
        assert await take_up_again(office.rows.ledger, office.desk.temporal, run, clock)
        clock.forward(minutes=1)
    async with office.rows.ledger.read() as session:
        chain = await audit.lines(session, bad)
    assert [line.detail["how"] for line in chain if line.event == EVENT and line.seq > 9] == ["terminated"] * 2
    assert len(office.temporal.started) == 3


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("how", ["terminated", "missing", "completed"])
async def test_what_ended_in_the_last_instant_is_not_taken_up(office: Office, how: str) -> None:
    approval_id = await office.asked()
    await office.decide(approval_id, "controller", "reject")
    office.temporal.closed.append(f"credit/{approval_id}")
    trail = await office.rows.events(approval_id)
    assert await take_up_again(
        office.rows.ledger, office.desk.temporal, Run(approval_id, "run", how), office.rows.clock
    )
    assert (len(office.temporal.started), await office.rows.events(approval_id)) == (1, trail)


class PlayedList(Reconciler):
    """Looks at what the test says is Temporal's list."""

    listed: ClassVar[list[Any]] = []

    async def _listed(self, query: str) -> AsyncIterator[list[Any]]:
        assert "CloseTime" not in query or self.since
        yield self.listed


@pytest.mark.asyncio(loop_scope="function")
async def test_after_a_mass_termination_each_look_takes_up_some_and_none_is_left_out(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the end of a look, as a worker that is to stop does, does not wait for all of them."""
    monkeypatch.setattr("workers.reconciler.AT_ONCE", 2)
    ids, clock = [await office.asked() for _ in range(5)], office.rows.clock
    began = clock()
    office.temporal.closed += [f"credit/{approval_id}" for approval_id in ids]
    ended = WorkflowExecutionStatus.TERMINATED
    runs = [
        SimpleNamespace(id=f"credit/{found}", run_id=found, status=ended, close_time=began + timedelta(minutes=number))
        for number, found in enumerate(ids)
    ]
    reconciler = PlayedList(office.rows.ledger, office.desk.temporal, clock)
    monkeypatch.setattr(PlayedList, "listed", runs[::-1])
    assert [await reconciler._interrupted(), reconciler.since] == [2, began + timedelta(minutes=2) - LAG]
    assert [await reconciler._interrupted() for _ in range(3)] == [2, 1, 0]
    assert reconciler.since == began + timedelta(minutes=4) - LAG
    assert sorted(office.temporal.started[5:]) == sorted(f"credit/{approval_id}" for approval_id in ids)


@pytest.mark.asyncio(loop_scope="function")
async def test_only_what_ended_just_now_is_read_to_be_told(office: Office) -> None:
    """By when the request ended, so that the decisions of all that ever ended need not be read."""
    rows = office.rows
    first, second, third = [await office.asked() for _ in range(3)]
    for approval_id, verdict in ((first, "reject"), (second, "reject"), (third, "approve")):
        await rows.decide(approval_id, "controller", verdict)
    rows.clock.forward(minutes=5)
    long_ago = (rows.clock() - timedelta(days=400)).isoformat(sep=" ")
    tamper(rows.url, "update approvals set ended_at = ? where approval_id = ?", long_ago, first)
    async with rows.ledger.read() as session:
        found = [approval_id for approval_id, _ in await decisions.settling(session, rows.clock())]
    assert sorted(found) == sorted([second, third])


async def test_what_has_ended_is_left_alone_whoever_ends_what(one_house: House) -> None:
    asked = await one_house.ask("740.00", reason="goodwill")
    await one_house.until_waiting(asked)
    await one_house.decide(asked, "controller", "reject")
    await one_house.until_ended(asked)
    name = one_house.workflow(asked).id
    await one_house.workshop.temporal.start_workflow(
        ApprovalWorkflow.run,
        ApprovalRequest(asked.record.approval.approval_id),
        id=name,
        task_queue="nobody-polls-this",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    await terminated(one_house, asked)
    other = await one_house.ask("750.00", reason="goodwill")
    await one_house.until_waiting(other)
    await terminated(one_house, other)
    await taken_up(one_house, other, "terminated")
    assert (await traces(one_house, asked), await running(one_house, asked)) == ([], False)


async def test_a_stranger_under_a_requests_name_holds_it_up_no_longer_than_it_runs(one_house: House) -> None:
    """Somebody who can write to Temporal takes its name; an operator ends that."""
    house = one_house
    asked = await house.ask("760.00", reason="goodwill")
    await house.until_waiting(asked)
    run = await house.workflow(asked).describe()
    await missing(house, asked)

    async def gone() -> bool:
        return (await house.workflow(asked).describe()).run_id != run.run_id

    await house.workshop.temporal.start_workflow(
        "Stranger", id=house.workflow(asked).id, task_queue="nobody-polls-this"
    )
    await terminated(house, asked)
    await look_until(house, "the request to be taken up", gone)
    await house.decide(asked, "controller")
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED


async def test_a_deleted_one_is_found_however_many_were_begun_since(one_house: House) -> None:
    """Younger workflows must not make up the number of those that are missed."""
    house = one_house
    asked = await house.ask("762.00", reason="goodwill")
    await house.until_waiting(asked)
    then = house.desk.clock()
    for amount in ("763.00", "764.00"):
        await house.until_waiting(await house.ask(amount, reason="goodwill"))
    await missing(house, asked)

    async def found() -> bool:
        return await traces(house, asked) == ["missing"] and await running(house, asked)

    await look_until(house, "the deleted one to be found", found, lambda: then + LAG)


@pytest.mark.asyncio(loop_scope="function")
async def test_one_that_is_to_be_told_of_its_approval_and_is_gone_is_taken_up(office: Office) -> None:
    approval_id = await office.asked()
    await office.rows.decide(approval_id, "controller")
    assert await office.rows.state(approval_id) is State.APPROVED
    office.temporal.closed.append(f"credit/{approval_id}")
    office.rows.clock.forward(minutes=1)
    assert await Reconciler(office.rows.ledger, office.desk.temporal, office.rows.clock)._forgotten() == 1
    assert office.temporal.started == [f"credit/{approval_id}"] * 2
    assert (await office.rows.events(approval_id))[-1] == EVENT


async def test_a_clock_that_is_ahead_hides_nothing_that_ends_later(one_house: House) -> None:
    house = one_house
    reconciler = Reconciler(house.workshop.ledger, house.workshop.temporal, ahead(house, timedelta(days=1)))
    for amount in ("766.00", "767.00"):
        asked = await house.ask(amount, reason="goodwill")
        await house.until_waiting(asked)
        ended = (await house.workflow(asked).describe()).run_id
        await terminated(house, asked)

        async def seen(ended: str = ended) -> bool:
            await reconciler._interrupted()
            return ended in reconciler.settled

        await until("it to be settled", seen)


async def test_looking_again_settles_nothing_twice(one_house: House) -> None:
    asked = await one_house.ask("770.00", reason="goodwill")
    await one_house.until_waiting(asked)
    await terminated(one_house, asked)
    await taken_up(one_house, asked, "terminated")
    reconciler = Reconciler(one_house.workshop.ledger, one_house.workshop.temporal, one_house.desk.clock)
    assert await reconciler.look() >= 1, "the first look of a process goes back as far as Temporal remembers"
    assert await reconciler.look() == 0
    assert await traces(one_house, asked) == ["terminated"]


@pytest.mark.asyncio(loop_scope="function")
async def test_while_temporal_is_away_a_look_finds_nothing_and_misses_nothing(idle_house: House) -> None:
    house = idle_house
    async with working(house.workshop):
        asked = await house.ask()
        await house.until_waiting(asked)
    await terminated(house, asked)
    reconciler = Reconciler(house.workshop.ledger, house.workshop.temporal, house.desk.clock)
    await house.stack.temporal.kill()
    assert (await reconciler.look(), reconciler.since) == (0, None)


@pytest.mark.asyncio(loop_scope="function")
async def test_the_workers_look_by_themselves(idle_house: House) -> None:
    house = idle_house
    async with working(house.workshop):
        asked = await house.ask()
        await house.until_waiting(asked)
    await terminated(house, asked)
    async with working(house.workshop):
        await until("the first look", lambda: running(house, asked))
        await house.decide(asked, "controller")
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
