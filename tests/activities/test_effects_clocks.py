"""Clocks that differ, and a worker that stood still: neither makes a second credit."""

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from plixo.messages.approvals import Executed, Step
from tests.support.rows import NOW, DoneThenLost, PlayedStripe, Rows


async def execute(rows: Rows, stripe: PlayedStripe, approval_id: str, attempt: int = 1) -> Executed:
    env = ActivityEnvironment()
    env.info = replace(env.info, attempt=attempt)
    done: Executed = await env.run(rows.effects(stripe).execute, Step(approval_id))
    return done


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(), -timedelta(days=1)])
async def test_whatever_the_consoles_clock_says_a_forgotten_key_is_looked_up(rows: Rows, ahead: timedelta) -> None:
    stripe = PlayedStripe(answers=[DoneThenLost("reset")])
    approval_id = await rows.approved(created_at=NOW + ahead)
    with pytest.raises(ApplicationError):
        await execute(rows, stripe, approval_id)
    stripe.forget_keys()
    rows.clock.forward(hours=25)
    assert await execute(rows, stripe, approval_id, attempt=2) == Executed("executed", "cn_1")
    assert len(stripe.made) == 1
