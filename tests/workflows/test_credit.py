import asyncio
from datetime import datetime

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from demo.waiting import until
from plixo.domain.approval import State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.mandate import decision_claims
from plixo.domain.people import Group
from plixo.messages.approvals import APPROVALS_QUEUE, ApprovalRequest, Decide
from plixo.store import decisions
from starters.decisions import Saying, decide
from tests.replay.paths import Play, signal_failed_then_sent_again
from tests.support.house import House
from workers.main import working
from workflows.approval import ApprovalWorkflow


def actions(events: list[str]) -> int:
    """Billable actions as Temporal Cloud counts them, for histories without retries."""
    billed = {
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        "WORKFLOW_EXECUTION_SIGNALED",
        "TIMER_STARTED",
        "ACTIVITY_TASK_STARTED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        "MARKER_RECORDED",
    }
    return sum(event in billed for event in events)


async def test_a_credit_that_one_person_approves_takes_seven_actions_and_at_most_28_events(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    assert (await house.decide(asked, "controller")).answer == "accepted"
    record = await house.until_ended(asked)
    events = await house.events(asked)
    assert record.approval.state is State.EXECUTED
    assert actions(events) == 7
    assert len(events) <= 28


async def test_an_automatic_credit_takes_three_actions(house: House) -> None:
    asked = await house.ask("180.00", reason="duplicate_charge")
    await house.until_ended(asked)
    events = await house.events(asked)
    assert (actions(events), len(events)) == (3, 17)


async def test_a_decision_reaches_stripe_once_on_either_database(either_house: House) -> None:
    asked = await either_house.ask(invoice="in_ExampleLogistics0042")
    await either_house.until_waiting(asked)
    await either_house.decide(asked, "controller")
    record = await either_house.until_ended(asked)
    (made,) = await either_house.ledger(asked)
    assert (made["object"], made["amount"], made["id"]) == ("credit_note", 420000, record.stripe_object)
    assert (record.amounts.net_minor, record.amounts.tax_minor) == (388889, 31111)


async def test_two_groups_must_agree_and_either_may_be_first(house: House) -> None:
    asked = await house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    await house.decide(asked, "legal")
    half = await house.record(asked)
    assert half.approval.state is State.WAITING
    assert [group.value for group in half.approval.waiting_groups()] == ["controller"]
    await house.decide(asked, "controller")
    record = await house.until_ended(asked)
    assert {known.person_id for known in record.approval.decisions} == {"p-legal", "p-controller"}
    assert len(await house.ledger(asked)) == 1


async def test_the_same_decision_a_hundred_times_at_once_is_recorded_once(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    answers = await asyncio.gather(*(house.decide(asked, "controller") for _ in range(100)))
    record = await house.until_ended(asked)
    assert {answer.answer for answer in answers} <= {"accepted", "already_received"}
    assert len(record.approval.decisions) == 1
    assert len(await house.ledger(asked)) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_approve_reject_and_withdraw_at_once_leave_one_outcome(house: House, seed: int) -> None:
    asked = await house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    racing = [
        house.decide(asked, "controller"),
        house.decide(asked, "legal", "reject"),
        house.decide(asked, "billing_admin", "withdraw"),
    ]
    answers = await asyncio.gather(*racing[seed % 3 :], *racing[: seed % 3], return_exceptions=True)
    record = await house.until_ended(asked)
    assert record.approval.state in {State.REJECTED, State.WITHDRAWN}
    ending = [known for known in record.approval.decisions if known.verdict is not Verdict.APPROVE]
    assert len(ending) == 1
    assert len([one for one in answers if not isinstance(one, BaseException) and one.answer == "accepted"]) >= 1
    assert await house.ledger(asked) == []


async def test_a_forged_signal_moves_nothing_and_leaves_a_trace(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    handle = house.workflow(asked)
    approval_id = asked.record.approval.approval_id
    await handle.signal(ApprovalWorkflow.submit_decision, Decide(approval_id, "DE-unknown"))

    async def refused() -> bool:
        return any(line.event == "decision_refused" for line in await house.trail(approval_id))

    await until("the trace of the forged signal", refused)
    assert (await house.record(asked)).approval.state is State.WAITING
    assert await house.ledger(asked) == []


async def test_a_decision_that_cannot_be_recorded_leaves_its_request_waiting(idle_house: House) -> None:
    play = Play("away", idle_house)
    async with play.working():
        await signal_failed_then_sent_again(play)


async def test_a_decision_before_any_worker_is_up_is_taken_up_when_one_comes(idle_house: House) -> None:
    asked = await idle_house.ask()
    approval, desk = asked.record.approval, idle_house.desk
    early = Decision(
        decision_id="DE-EARLY",
        approval_id=approval.approval_id,
        round=0,
        stage=0,
        person_id="p-controller",
        group=Group.CONTROLLER,
        verdict=Verdict.APPROVE,
        digest=approval.digest,
        amount_minor=approval.amount_minor,
    )
    signed = desk.signer.sign("decision", decision_claims(early), now=desk.clock())
    async with desk.ledger.begin() as tx:
        await decisions.insert(tx.session, early, signed, desk.clock())
    message = Decide(approval.approval_id, early.decision_id)
    await idle_house.workflow(asked).signal(ApprovalWorkflow.submit_decision, message)
    async with working(idle_house.workshop):
        assert (await idle_house.until_ended(asked)).approval.state is State.EXECUTED


@pytest.mark.asvs("9.1.1")
async def test_a_forged_start_moves_nothing_and_leaves_a_trace(house: House) -> None:
    forged = "CR-AAAAAAAAAAAAAAAAAAAAAAAAAA"
    handle = await house.workshop.temporal.start_workflow(
        ApprovalWorkflow.run,
        ApprovalRequest(forged),
        id=f"credit/{forged}",
        task_queue=APPROVALS_QUEUE,
    )
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 10)
    assert [line.event for line in await house.trail(forged)] == ["open_refused"]
    assert await house.ledger() == []


@pytest.mark.asvs("9.1.1")
async def test_a_decision_of_another_request_is_refused_by_update(house: House) -> None:
    mine = await house.ask()
    other = await house.ask("4300.00")
    await house.until_waiting(mine)
    await house.until_waiting(other)
    signed = await house.decide(other, "controller")
    approval_id = mine.record.approval.approval_id
    answer = await house.workflow(mine).execute_update(
        ApprovalWorkflow.decide,
        Decide(approval_id, signed.decision_id),
    )
    assert answer.answer == "refused"
    assert (await house.record(mine)).approval.state is State.WAITING


async def test_a_misshapen_update_is_turned_away_without_a_trace_in_the_history(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    before = await house.events(asked)
    with pytest.raises(WorkflowUpdateFailedError):
        await house.workflow(asked).execute_update(ApprovalWorkflow.decide, Decide("CR-OTHER", "DE-1"))
    after = await house.events(asked)
    assert "WORKFLOW_EXECUTION_UPDATE_ACCEPTED" not in after[len(before) :]


async def test_temporal_ui_tells_a_stranger_what_it_is_and_what_it_waits_for(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    described = await house.workflow(asked).describe()
    assert await described.static_summary() == "Credit 4,200.00 USD, Example Logistics"
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes.search_attributes}
    assert found["PlixoWaitsFor"] == ["controller"]
    due = found["PlixoDue"]
    assert isinstance(due, datetime)
    assert due == (await house.record(asked)).due_at


async def test_a_late_decision_is_told_what_stands(house: House) -> None:
    asked = await house.ask()
    await house.until_waiting(asked)
    await house.decide(asked, "controller", "reject")
    await house.until_ended(asked)
    saying = Saying(house.people["billing_admin"], Verdict.WITHDRAW, "", house.desk.clock())
    with pytest.raises(Exception, match="rejected already"):
        await decide(house.desk, asked.record.approval.approval_id, saying)
