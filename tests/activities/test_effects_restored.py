"""Rows that were restored from a backup: they may forget what Stripe did, and Stripe may have forgotten the key."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from plixo.messages.approvals import Executed, Step
from tests.support.rows import PlayedStripe, Rows, fresh_sqlite, open_rows


async def execute(rows: Rows, stripe: PlayedStripe, approval_id: str) -> Executed:
    done: Executed = await ActivityEnvironment().run(rows.effects(stripe).execute, Step(approval_id))
    return done


@pytest.mark.parametrize(("hours", "looked"), [(19, 0), (25, 1)])
async def test_what_was_done_before_the_restore_is_found_and_not_done_again(
    rows: Rows, tmp_path: Path, hours: int, looked: int
) -> None:
    stripe = PlayedStripe()
    approval_id = await rows.approved()
    await execute(rows, stripe, approval_id)
    (tmp_path / "restored").mkdir()
    async with open_rows(await fresh_sqlite(tmp_path / "restored")) as restored:
        assert await restored.approved() == approval_id, "as it was before it was applied"
        restored.clock.forward(hours=hours)
        if looked:
            stripe.forget_keys()
        assert await execute(restored, stripe, approval_id) == Executed("executed", "cn_1")
    assert (len(stripe.made), stripe.looked) == (1, looked)
