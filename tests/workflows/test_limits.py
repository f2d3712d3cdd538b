"""Temporal's limits on the real server: a request that meets one answers clearly and goes on.

Where the server lets a limit be set, it is set lower here, so that it is met within a moment.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from demo.waiting import until
from plixo.bootstrap import now
from plixo.domain.approval import State
from plixo.domain.refusals import Refused
from plixo.domain.texts import MAX_NOTE
from plixo.messages.approvals import Decide, Recorded
from starters import decisions
from starters.credits import Asked
from starters.workflows import AWAY
from tests.support.databases import database
from tests.support.house import House, open_house
from tests.support.operating import run_of
from tests.workflows.test_long_histories import rests
from workers.main import working
from workers.reconciler import Reconciler
from workflows.approval import ApprovalWorkflow

IN_FLIGHT = 10
"""How many updates of one request the server takes at once, unless it is told otherwise."""

MANY, WAVES = 500, 4
"""Signals to one request: so many at once, and so often."""


@asynccontextmanager
async def limited(folder: Path, **limits: float) -> AsyncIterator[House]:
    """A house with nobody at work, whose server has such limits; `_` stands for a dot in their names."""
    server: Mapping[str, float] = {name.replace("_", "."): value for name, value in limits.items()}
    with database("sqlite", folder) as url:
        async with open_house(folder, url, workers=False, server=server) as opened:
            yield opened


async def half_asked(house: House) -> Asked:
    """Legal and the Controller must agree, so that one decision leaves it waiting."""
    asked = await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    return asked


def forged(asked: Asked, number: int) -> Decide:
    return Decide(asked.record.approval.approval_id, f"DE-forged-{number}")


async def refusals(house: House, asked: Asked) -> int:
    trail = await house.trail(asked.record.approval.approval_id)
    return sum(line.event == "decision_refused" for line in trail)


async def flood(house: House, asked: Asked, number: int, at_once: int = 50) -> int:
    """Signals that nobody signed for; how many the server took."""
    handle, turn, taken = house.workflow(asked), asyncio.Semaphore(at_once), 0

    async def one(nth: int) -> None:
        nonlocal taken
        async with turn:
            try:
                await handle.signal(ApprovalWorkflow.submit_decision, forged(asked, nth))
            except RPCError as refused:
                if refused.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
            else:
                taken += 1

    await asyncio.gather(*(one(nth) for nth in range(number)))
    return taken


async def agreed(house: House, asked: Asked) -> None:
    """Whoever has not decided yet does, and it is applied once."""
    assert (await house.decide(asked, "legal")).answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.EXECUTED
    assert [known.person_id for known in (await house.record(asked)).approval.decisions] == ["p-controller", "p-legal"]
    assert len(await house.ledger(asked)) == 1


async def recorded(house: House, asked: Asked) -> bool:
    return [known.person_id for known in (await house.record(asked)).approval.decisions] == ["p-controller"]


async def answered(house: House, asked: Asked, nth: int) -> Recorded:
    """The answer to an update that nobody signed for, sent until there is room for it.

    Where a run takes no more updates a signal takes its place, as the console sends one: it is what makes the run step.
    """
    while True:
        try:
            return await house.workflow(asked).execute_update(
                ApprovalWorkflow.decide, forged(asked, nth), id=f"forged-{nth}"
            )
        except RPCError as refused:
            if refused.status not in AWAY:
                raise
            if refused.status is RPCStatusCode.FAILED_PRECONDITION:
                await house.workflow(asked).signal(ApprovalWorkflow.submit_decision, forged(asked, nth))


async def no_room(house: House, asked: Asked) -> bool:
    """Whether the server turns away one more update."""
    client, message = house.workshop.temporal, forged(asked, -1)
    request = UpdateWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=house.workflow(asked).id),
        wait_policy=WaitPolicy(
            lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
        ),
        request=Request(
            meta=Meta(update_id="one-more"),
            input=Input(name="decide", args=Payloads(payloads=await client.data_converter.encode([message]))),
        ),
    )
    try:
        await client.workflow_service.update_workflow_execution(request, timeout=timedelta(seconds=0.5))
    except RPCError as refused:
        return refused.status is RPCStatusCode.RESOURCE_EXHAUSTED
    return False


async def test_what_comes_while_as_many_updates_as_fit_are_in_flight_is_kept_and_each_is_answered(
    idle_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "UPDATE_SECONDS", 0.5)
    house = idle_house
    async with working(house.workshop):
        asked = await half_asked(house)
    in_flight = [asyncio.create_task(answered(house, asked, nth)) for nth in range(3 * IN_FLIGHT)]
    await until("the server to turn one away", lambda: no_room(house, asked))
    kept = await house.decide(asked, "controller")
    assert (kept.answer, kept.why) == ("kept", decisions.KEPT)
    async with working(house.workshop):
        answers = await asyncio.gather(*in_flight)
        assert {answer.answer for answer in answers} == {"refused"}
        assert [answer.decision_id for answer in answers] == [
            forged(asked, nth).decision_id for nth in range(3 * IN_FLIGHT)
        ]
        await until("the decision to be taken up", lambda: recorded(house, asked))
        await agreed(house, asked)


@pytest.mark.flood
async def test_as_many_updates_as_one_run_takes_and_more_are_answered_by_one_run_after_another(tmp_path: Path) -> None:
    async with limited(tmp_path, history_maxTotalUpdates=8) as house, working(house.workshop):
        asked = await half_asked(house)
        answers = await asyncio.gather(*(answered(house, asked, nth) for nth in range(5 * 8)))
        assert {answer.answer for answer in answers} == {"refused"}
        assert (await house.decide(asked, "controller")).answer == "accepted"
        await agreed(house, asked)
        assert await refusals(house, asked) >= 5 * 8


async def test_what_a_run_takes_no_more_updates_of_is_sent_as_a_signal(tmp_path: Path) -> None:
    """Where it does not go on in another run."""
    never = {"history_maxTotalUpdates_suggestContinueAsNewThreshold": 100}
    async with limited(tmp_path, history_maxTotalUpdates=3, **never) as house, working(house.workshop):
        asked = await half_asked(house)
        for nth in range(3):
            assert (await answered(house, asked, nth)).answer == "refused"
        with pytest.raises(RPCError) as turned_away:
            await house.workflow(asked).execute_update(ApprovalWorkflow.decide, forged(asked, 3))
        assert turned_away.value.status is RPCStatusCode.FAILED_PRECONDITION
        for role in ("controller", "legal"):
            assert (await house.decide(asked, role)).answer in {"accepted", "kept"}
        assert (await house.until_ended(asked)).approval.state is State.EXECUTED
        assert len(await house.ledger(asked)) == 1


async def test_a_decision_that_neither_update_nor_signal_can_carry_is_kept_and_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody works, and somebody sends signals until the run takes no more."""
    monkeypatch.setattr(decisions, "UPDATE_SECONDS", 0.5)
    async with limited(tmp_path, history_maximumSignalsPerExecution=20, history_maxInFlightUpdates=1) as house:
        async with working(house.workshop):
            asked = await half_asked(house)
        assert await flood(house, asked, 40) == 20
        holding = asyncio.create_task(answered(house, asked, 0))
        await until("the server to turn one away", lambda: no_room(house, asked))
        assert (await house.decide(asked, "controller")).answer == "kept"
        async with working(house.workshop):
            assert (await holding).answer == "refused"
            assert (await house.decide(asked, "controller")).answer in {"accepted", "already_received"}
            await agreed(house, asked)
        assert await refusals(house, asked) >= 20


@pytest.mark.timeout(400)
@pytest.mark.flood
async def test_thousands_of_signals_to_one_request_hold_up_nothing_that_was_signed(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_historyCount_suggestContinueAsNew=1000) as house, working(house.workshop):
        asked, other = await half_asked(house), await house.ask("700.00", reason="goodwill")
        first = await run_of(house, asked)
        flooding = asyncio.create_task(flood(house, asked, MANY))
        await until("the flood", lambda: _rises(house, asked))
        await house.until_waiting(other)
        assert (await house.decide(other, "controller")).answer in {"accepted", "kept"}
        assert (await house.decide(asked, "controller")).answer in {"accepted", "kept"}
        assert await flooding == MANY
        await until("the decision to be taken up", lambda: recorded(house, asked), patience=100)
        for _ in range(1, WAVES):
            assert await flood(house, asked, MANY) == MANY
            await until("its timer", lambda: rests(house.workshop.temporal, house.workflow(asked).id), patience=100)
        assert (await house.decide(asked, "legal")).answer in {"accepted", "kept"}
        assert (await house.until_state(asked, State.EXECUTED)).approval.decisions[1].person_id == "p-legal"
        assert (await house.until_ended(other)).approval.state is State.EXECUTED
        assert [len(await house.ledger(one)) for one in (asked, other)] == [1, 1]
        assert await run_of(house, asked) != first
        assert await refusals(house, asked) > MANY


async def _rises(house: House, asked: Asked) -> bool:
    return await refusals(house, asked) > 0


@pytest.mark.flood
async def test_a_run_whose_history_is_too_long_is_ended_by_the_server_and_the_request_goes_on(tmp_path: Path) -> None:
    limits = {"limit_historyCount_error": 120, "limit_historyCount_suggestContinueAsNew": 100_000}
    async with limited(tmp_path, **limits) as house, working(house.workshop):
        asked = await half_asked(house)
        assert (await house.decide(asked, "controller")).answer == "accepted"
        first = house.workflow(asked)
        run_id = (await first.describe()).run_id
        ended = house.workshop.temporal.get_workflow_handle(first.id, run_id=run_id)

        async def terminated() -> bool:
            await flood(house, asked, 20)
            return (await ended.describe()).status is WorkflowExecutionStatus.TERMINATED

        await until("the server to end it", terminated)
        reconciler = Reconciler(house.desk.ledger, house.desk.temporal, now)

        async def again() -> bool:
            await reconciler.look()
            return (await first.describe()).status is WorkflowExecutionStatus.RUNNING

        await until("a new run", again)
        await agreed(house, asked)


@pytest.mark.parametrize(("mebibytes", "taken"), [(1.9, True), (2.1, False)], ids=["fits", "too large"])
async def test_a_message_of_any_size_is_refused_and_its_request_goes_on(
    house: House, mebibytes: float, *, taken: bool
) -> None:
    asked = await half_asked(house)
    large = Decide(asked.record.approval.approval_id, "DE-" + "x" * int(mebibytes * 2**20))
    sent = house.workflow(asked).signal(ApprovalWorkflow.submit_decision, large)
    if taken:
        await sent
        await until("its trace", lambda: _rises(house, asked))
    else:
        with pytest.raises(RPCError, match=r"exceeds (size )?limit"):
            await sent
    assert (await house.decide(asked, "controller")).answer == "accepted"
    await agreed(house, asked)


async def test_words_too_long_are_refused_at_the_door_and_the_longest_that_are_not_travel(house: House) -> None:
    for field in ("note", "memo", "request_id", "amount", "customer"):
        with pytest.raises(Refused) as refused:
            await house.ask(**{field: "x" * 2**20})
        assert {problem.field for problem in refused.value.problems} == {field}
    longest = "word " * ((MAX_NOTE - 5) // 5) + "words"
    asked = await house.ask(note=longest, request_id="r" * 100)
    await house.until_waiting(asked)
    with pytest.raises(Refused) as refused:
        await house.decide(asked, "controller", "reject", longest + "x")
    assert {problem.field for problem in refused.value.problems} == {"comment"}
    assert (await house.decide(asked, "controller", "reject", longest)).answer == "accepted"
    assert (await house.until_ended(asked)).approval.state is State.REJECTED
