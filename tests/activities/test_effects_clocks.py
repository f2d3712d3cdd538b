"""Clocks that differ, and a worker that stood still: neither makes a second credit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.effects import TRY_LIFE
from plixo.domain.payments import CallRefused
from plixo.messages.approvals import Executed, Step
from tests.support.rows import NOW, DoneThenLost, PlayedStripe, Rows
from web.console.timeline import step
from workflows.policies import MONEY_TIMEOUT


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


@pytest.mark.parametrize("stood", [timedelta(seconds=61), timedelta(days=1), -timedelta(seconds=1)])
@pytest.mark.parametrize("before", ["facts", "find"])
async def test_a_try_that_stood_still_sends_nothing_and_the_next_one_looks_first(
    rows: Rows, before: str, stood: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspended, it outlives its time and perhaps the key's; another worker has long done it."""
    stripe = PlayedStripe()
    approval_id = await rows.approved()
    call = getattr(stripe, before)

    async def wakes_late(argument: Any) -> Any:
        found = await call(argument)
        rows.clock.at += stood
        return found

    with monkeypatch.context() as patch:
        patch.setattr(stripe, before, wakes_late)
        with pytest.raises(ApplicationError, match="stalled; nothing was sent") as caught:
            await execute(rows, stripe, approval_id, attempt=9)
    assert (stripe.asked, caught.value.non_retryable) == ([], False)
    assert (await execute(rows, stripe, approval_id, attempt=10)).state == "executed"
    assert len(stripe.made) == 1


def test_a_try_counts_as_stalled_once_temporal_has_given_it_up() -> None:
    assert TRY_LIFE == MONEY_TIMEOUT


async def test_a_write_that_lands_after_its_refusal_leaves_a_trace(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker's call is under way while another one's is refused, and the look-up does not show the first's yet."""
    stripe = PlayedStripe()
    approval_id = await rows.approved()
    apply = stripe.apply

    async def lands_late(effect: Any) -> Any:
        stripe.apply = apply  # type: ignore[method-assign]
        stripe.answers = [CallRefused("This invoice is locked.", "invoice_locked")]
        assert (await execute(rows, stripe, approval_id)).state == "needs_attention"
        return await apply(effect)

    monkeypatch.setattr(stripe, "apply", lands_late)
    assert (await execute(rows, stripe, approval_id)).state == "needs_attention"
    last = (await rows.trail(approval_id))[-1]
    assert (last.event, last.detail["stripe_object"]) == ("effect_done_after_refusal", "cn_1")
    told = step(last, {})
    assert (told.text, told.code, told.bad) == (
        "found that an earlier try was carried out in Stripe all the same",
        "cn_1",
        True,
    )
