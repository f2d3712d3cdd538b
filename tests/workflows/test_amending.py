"""Amending on the real server: races, a crash right after it was stored, an operator's reset."""

import asyncio

import pytest

from plixo.domain.approval import State
from plixo.messages.approvals import Decide
from tests.replay.paths import Play
from tests.support.house import House
from tests.support.operating import points, reset
from workers.main import working
from workflows.approval import ApprovalWorkflow


async def test_a_question_an_answer_a_return_and_an_amendment_end_in_one_effect(house: House) -> None:
    asked = await house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    await house.decide(asked, "legal")
    await house.decide(asked, "controller", "ask")
    assert (await house.record(asked)).approval.state is State.NEEDS_INFORMATION
    await house.decide(asked, "billing_admin", "answer")
    await house.decide(asked, "controller", "return")
    assert (await house.record(asked)).approval.state is State.RETURNED
    amended = await house.amend(asked, amount="30000.00")
    assert (amended.answer, amended.record.approval.state) == ("accepted", State.WAITING)
    await house.decide(asked, "controller")
    record = await house.until_ended(asked)
    assert (record.approval.state, record.approval.round) == (State.EXECUTED, 1)
    (made,) = await house.ledger(asked)
    assert abs(made["amount"]) == 3_000_000


@pytest.mark.parametrize("verdict", ["approve", "reject", "withdraw"])
@pytest.mark.parametrize("first", [0, 1], ids=["amended_first", "amended_last"])
async def test_an_amendment_and_another_word_at_once_leave_one_outcome(house: House, verdict: str, first: int) -> None:
    """Whichever comes first: what is paid is what was asked for when its last approval was given."""
    asked = await house.ask()
    await house.until_waiting(asked)
    role = "billing_admin" if verdict == "withdraw" else "controller"
    racing = [house.amend(asked, amount="5000.00", round=0), house.decide(asked, role, verdict)]
    await asyncio.gather(*racing[first:], *racing[:first], return_exceptions=True)
    record = await house.record(asked)
    if record.approval.state is State.WAITING:
        assert (record.approval.round, record.change.amount.minor) == (1, 500_000)
        await house.decide(asked, "controller")
    record = await house.until_ended(asked)
    made = await house.ledger(asked)
    if record.approval.state is State.EXECUTED:
        assert [abs(one["amount"]) for one in made] == [record.change.amount.minor]
        assert record.change.amount.minor == (500_000 if record.approval.round else 420_000)
    else:
        assert made == []
        assert record.approval.state is {"reject": State.REJECTED, "withdraw": State.WITHDRAWN}[verdict]


async def test_stored_and_never_told_the_sweeper_has_it_taken_up(idle_house: House) -> None:
    """The console died right after it had stored it."""
    play = Play("amended", idle_house)
    async with working(idle_house.workshop):
        asked = await play.waiting()
        stored = await play.amendment(asked, amount="3000.00")
        assert (await idle_house.record(asked)).approval.round == 0
        await play.send(stored)
        await idle_house.until_state(asked, State.WAITING)
        await play.until_event(asked, "MARKER_RECORDED")
        assert (await idle_house.record(asked)).approval.round == 1
        await play.decide(asked, "controller")
        record = await idle_house.until_ended(asked)
    assert record.amounts.gross_minor == 300_000


async def test_after_an_operators_reset_the_amendment_stands_as_the_rows_have_it(house: House) -> None:
    asked = await house.ask("38000.00", reason="contract_concession", customer="cus_ExampleFoods")
    await house.until_waiting(asked)
    await house.decide(asked, "controller")
    await house.amend(asked, amount="30000.00")
    await reset(house, asked, (await points(house, asked))[1])
    await house.decide(asked, "legal")
    record = await house.until_ended(asked)
    assert (record.approval.state, record.approval.round, record.amounts.gross_minor) == (State.EXECUTED, 1, 3_000_000)
    assert len(await house.ledger(asked)) == 1


async def test_a_forged_message_that_names_an_amendment_of_another_request_moves_nothing(house: House) -> None:
    asked, other = await house.ask(), await house.ask("38000.00")
    await house.until_waiting(asked)
    await house.until_waiting(other)
    amended = await house.amend(other, amount="30000.00")
    approval_id = asked.record.approval.approval_id
    answer = await house.workflow(asked).execute_update(
        ApprovalWorkflow.decide, Decide(approval_id, amended.decision_id)
    )
    assert answer.answer == "refused"
    assert (await house.record(asked)).approval.round == 0
