"""A question and its answer, and what is returned: the clock stands still, and what nobody takes up ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plixo.domain.approval import State
from plixo.messages.approvals import Step
from tests.activities.test_approvals import fails
from tests.support.rows import BOTH, Rows, fresh_sqlite, open_rows

HOUR = 3600


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    async with open_rows(await fresh_sqlite(tmp_path)) as opened:
        yield opened


async def test_a_question_stops_the_clock_until_it_is_answered(rows: Rows) -> None:
    approval_id = await rows.waiting()
    before = await rows.approvals.open(Step(approval_id))
    rows.clock.forward(hours=1)
    asked = (await rows.decide(approval_id, "controller", "ask")).standing
    assert (asked.state, asked.waits_for, asked.next_event) == ("needs_information", "the requester", "expire")
    assert asked.next_at == int(rows.clock().timestamp()) + 40 * HOUR
    (letter,) = await rows.letters("question")
    assert (letter.recipient, letter.context["comment"]) == ("billing.admin@plixo.example", "because")

    rows.clock.forward(hours=30)
    answered = (await rows.decide(approval_id, "billing_admin", "answer")).standing
    assert (answered.state, answered.waits_for) == ("waiting", "Controller")
    assert (answered.due, answered.next_at) == (before.due + 30 * HOUR, before.next_at + 30 * HOUR)
    assert answered.expire_at == before.expire_at + 30 * HOUR
    assert (await rows.record(approval_id)).due_at == datetime.fromtimestamp(answered.due, UTC)
    assert [row.recipient for row in await rows.letters("answered")] == ["controller@plixo.example"]
    assert (await rows.decide(approval_id, "controller")).standing.state == "approved"


async def test_what_was_due_when_the_clock_stopped_is_due_at_once_when_it_goes_on(rows: Rows) -> None:
    approval_id = await rows.waiting()
    reminder = (await rows.approvals.open(Step(approval_id))).next_at
    rows.clock.at = datetime.fromtimestamp(reminder, UTC)
    await rows.decide(approval_id, "controller", "ask")
    rows.clock.forward(hours=5)
    assert (await rows.decide(approval_id, "billing_admin", "answer")).standing.next_at == reminder


async def test_side_by_side_a_question_of_one_stops_both_and_what_was_approved_stays(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    await rows.decide(approval_id, "legal")
    await rows.decide(approval_id, "controller", "ask")
    assert (await rows.decide(approval_id, "billing_admin", "answer")).standing.waits_for == "Controller"
    assert (await rows.decide(approval_id, "controller")).standing.state == "approved"


async def test_nobody_is_reminded_and_nothing_escalated_while_an_answer_is_awaited(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller", "ask")
    rows.clock.forward(hours=39)
    for step in (rows.approvals.remind, rows.approvals.escalate):
        assert (await step(Step(approval_id))).state == "needs_information"
    assert await rows.letters("reminder") == []
    assert "escalated" not in await rows.events(approval_id)


async def test_a_question_that_is_not_answered_in_time_returns_the_request_and_it_ends_withdrawn(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller", "ask")
    unanswered = Step(approval_id, state="needs_information")
    rows.clock.forward(hours=39)
    assert (await fails(rows.approvals.expire(unanswered))).type == "not_due"
    rows.clock.forward(hours=1)
    for _ in range(2):
        returned = await rows.approvals.expire(unanswered)
        assert (returned.state, returned.next_event) == ("returned", "expire")
    assert returned.next_at == int(rows.clock().timestamp()) + 80 * HOUR
    assert (await rows.record(approval_id)).why == "The question was not answered in time."

    for _ in range(2):
        rows.clock.at = datetime.fromtimestamp(returned.next_at, UTC)
        assert (await rows.approvals.expire(Step(approval_id, state="returned"))).state == "withdrawn"
    record = await rows.record(approval_id)
    assert (record.why, record.ended_at) == ("It stayed returned for too long.", rows.clock())
    assert (await rows.events(approval_id)).count("lapsed") == 1
    assert [row.recipient for row in await rows.letters("withdrawn")] == ["billing.admin@plixo.example"]


async def test_an_approver_returns_it_with_their_words(rows: Rows) -> None:
    approval_id = await rows.waiting()
    told = (await rows.decide(approval_id, "controller", "return")).standing
    assert (told.state, told.groups) == ("returned", ("requester",))
    assert (await rows.record(approval_id)).why == 'Returned for changes: "because"'
    (letter,) = await rows.letters("returned")
    assert letter.context["why"] == 'Returned for changes: "because"'
    assert (await rows.decide(approval_id, "billing_admin", "withdraw")).standing.state == "withdrawn"


@pytest.mark.parametrize("verdict", ["ask", "return"])
async def test_whoever_is_not_asked_neither_asks_nor_returns(rows: Rows, verdict: str) -> None:
    approval_id = await rows.waiting()
    answer = await rows.decide(approval_id, "legal", verdict)
    assert answer.answer in {"refused", "conflict"}
    assert await rows.state(approval_id) is State.WAITING


async def test_nobody_but_the_requester_answers(rows: Rows) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller", "ask")
    answer = await rows.decide(approval_id, "controller", "answer")
    assert (answer.answer, await rows.state(approval_id)) == ("refused", State.NEEDS_INFORMATION)


async def test_what_was_returned_by_an_older_version_gets_its_time_from_then(rows: Rows) -> None:
    """It left such a request ended, without a workflow: the reconciler starts one, and its first step opens it."""
    approval_id = await rows.waiting()
    since = rows.clock()
    await rows.decide(approval_id, "controller", "return")
    async with rows.ledger.begin() as tx:
        record = await tx.approval(approval_id)
        assert record is not None
        await tx.save(replace(record, moments=None, due_at=None, ended_at=since))
    rows.clock.forward(hours=10)
    told = await rows.approvals.open(Step(approval_id))
    assert (told.state, told.next_at) == ("returned", int(since.timestamp()) + 80 * HOUR)
    assert (await rows.record(approval_id)).ended_at is None
