"""Reminder and expiry, on a server that skips time: hours pass in moments, on the real activities and a real ledger."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from plixo.domain.approval import State
from plixo.messages.approvals import Decide
from tests.support.rows import BOTH, PlayedStripe, Rows, fresh_sqlite, open_rows
from tests.support.workers import Handle, at_work, settled, start
from workflows import attributes
from workflows.approval import ApprovalWorkflow

SERVER = str(Path(sys.executable).parent / "temporal-test-server")


@dataclass
class Time:
    """Workers on a server whose time a test moves; the activities' clock goes along."""

    env: WorkflowEnvironment
    rows: Rows
    stripe: PlayedStripe

    async def start(self, approval_id: str) -> Handle:
        handle = await start(self.env.client, approval_id)
        await settled(self.rows, approval_id, State.WAITING)
        return handle

    async def passes(self, **how_long: float) -> None:
        """Time goes by in steps, each seen by the activities' clock before the server's timers fire."""
        left = timedelta(**how_long)
        while left > timedelta(0):
            step = min(left, timedelta(hours=1))
            self.rows.clock.forward(seconds=step.total_seconds())
            await self.env.sleep(step)
            left -= step
        await self.keep_step()

    async def keep_step(self) -> None:
        self.rows.clock.at = await self.env.get_current_time()

    async def reminders(self) -> list[str]:
        return [row.recipient for row in await self.rows.letters("reminder")]


@pytest.fixture
async def time(tmp_path: Path) -> AsyncIterator[Time]:
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=SERVER) as env,
        open_rows(await fresh_sqlite(tmp_path)) as rows,
    ):
        with env.auto_time_skipping_disabled():
            await env.client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace="default",
                    search_attributes={
                        key.name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
                        for key in attributes.ALL
                    },
                ),
            )
            rows.clock.at = await env.get_current_time()
            found = Time(env, rows, PlayedStripe())
            async with at_work(env.client, rows, found.stripe):
                yield found


async def test_before_it_is_time_nobody_is_reminded(time: Time) -> None:
    await time.start(await time.rows.ask())
    await time.passes(hours=3, minutes=55)
    assert await time.reminders() == []


async def test_there_is_one_reminder_and_then_it_goes_back_to_its_requester(time: Time) -> None:
    approval_id = await time.rows.ask()
    handle = await time.start(approval_id)
    await time.passes(hours=4, minutes=5)
    assert await time.reminders() == ["controller@plixo.example"]
    await time.passes(hours=35)
    assert await time.rows.state(approval_id) is State.WAITING
    assert await time.reminders() == ["controller@plixo.example"]
    await time.passes(hours=1)
    record = await time.rows.record(approval_id)
    assert (record.approval.state, record.why) == (State.RETURNED, "Nobody decided in time.")
    assert [row.recipient for row in await time.rows.letters("returned")] == ["billing.admin@plixo.example"]
    await time.passes(hours=80, minutes=1)
    outcome = await handle.result()
    assert (outcome.state, outcome.stripe_object) == ("withdrawn", "")
    assert (await time.rows.record(approval_id)).why == "It stayed returned for too long."
    assert await time.rows.events(approval_id) == ["opened", "reminded", "expired", "lapsed"]
    assert [row.recipient for row in await time.rows.letters("withdrawn")] == ["billing.admin@plixo.example"]
    assert time.stripe.asked == []


async def test_a_decision_after_the_reminder_still_counts(time: Time) -> None:
    approval_id = await time.rows.ask()
    handle = await time.start(approval_id)
    await time.passes(hours=6)
    decision_id = await time.rows.say(approval_id, "controller")
    answer = await handle.execute_update(ApprovalWorkflow.decide, Decide(approval_id, decision_id))
    assert answer.answer == "accepted"
    outcome = await handle.result()
    assert (outcome.state, len(time.stripe.made)) == ("executed", 1)
    assert await time.reminders() == ["controller@plixo.example"]


async def test_half_decided_only_the_other_group_is_reminded_and_it_expires_all_the_same(time: Time) -> None:
    approval_id = await time.rows.ask(3_800_000, BOTH)
    handle = await time.start(approval_id)
    await time.passes(hours=1)
    decision_id = await time.rows.say(approval_id, "controller")
    await handle.execute_update(ApprovalWorkflow.decide, Decide(approval_id, decision_id))
    await time.passes(hours=4)
    assert await time.reminders() == ["legal@plixo.example"]
    await time.passes(hours=36)
    await settled(time.rows, approval_id, State.RETURNED)


async def test_a_decision_that_arrives_with_the_expiry_leaves_one_outcome(time: Time) -> None:
    approval_id = await time.rows.ask()
    handle = await time.start(approval_id)
    await time.passes(hours=39, minutes=59)
    decision_id = await time.rows.say(approval_id, "controller")
    await handle.signal(ApprovalWorkflow.submit_decision, Decide(approval_id, decision_id))
    await time.passes(minutes=2)
    expired = "expired" in await time.rows.events(approval_id)
    if not expired:
        assert (await handle.result()).state == "executed"
    assert (len(time.stripe.made), await time.rows.state(approval_id)) == (
        (0, State.RETURNED) if expired else (1, State.EXECUTED)
    )
    assert (await time.rows.decision(decision_id)).status == ("recorded" if time.stripe.made else "conflict")


async def test_an_activity_clock_that_is_behind_delays_the_expiry_and_does_not_lose_it(time: Time) -> None:
    approval_id = await time.rows.ask()
    await time.start(approval_id)
    behind = time.rows.clock.at
    await time.passes(hours=5)
    time.rows.clock.at = behind
    await time.env.sleep(timedelta(hours=36))
    assert await time.rows.state(approval_id) is State.WAITING
    await time.keep_step()
    for _ in range(3):
        await time.env.sleep(timedelta(seconds=40))
    await settled(time.rows, approval_id, State.RETURNED)
    assert await time.rows.events(approval_id) == ["opened", "reminded", "expired"]
