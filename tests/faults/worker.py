"""The product's worker with something about it altered: it dies at a given place, or its time runs otherwise.

    python tests/faults/worker.py '{"dies": "before_the_call", "nth": 2, "hours_ahead": 25, "hurried": 20.0}'

Everything else is the product's own; each key may be left out.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import activities.heartbeat
import activities.stripe_calls
import plixo.bootstrap
import workflows.policies
from plixo.config import Settings
from plixo.mail.post_office import Round
from plixo.ports import Letter
from plixo.stripe.gateway import StripeGateway


def dies(place: str, nth: int, by: str) -> None:
    """Send ourselves a signal at the nth time that we come to a place.

    Args:
        place: `before_the_call` that writes to Stripe, `after_the_answer` to it, or `after_the_mail` that was taken.
        nth: The first is 1.
        by: The signal's name.
    """
    passed = 0
    apply, send = StripeGateway.apply, Round.send

    def passes(here: str) -> None:
        nonlocal passed
        passed += here == place
        if here == place and passed == nth:
            os.kill(os.getpid(), signal.Signals[by])

    async def mortal(gateway: StripeGateway, effect: Any) -> Any:
        passes("before_the_call")
        made = await apply(gateway, effect)
        passes("after_the_answer")
        return made

    async def mortal_relay(carried: Round, letter: Letter) -> None:
        await send(carried, letter)
        passes("after_the_mail")

    StripeGateway.apply = mortal  # type: ignore[method-assign]
    Round.send = mortal_relay  # type: ignore[method-assign]


def ahead(hours: float) -> None:
    """Let every clock of this process be ahead, as that of a worker that starts so much later."""
    now = plixo.bootstrap.now

    def later() -> datetime:
        return now() + timedelta(hours=hours)

    plixo.bootstrap.now = later


def hurried(stripe_seconds: float) -> None:
    """A dead worker is missed within 3 s instead of 15, a try may take 3 s instead of 60, and the ladder is short.

    Args:
        stripe_seconds: How long a call may take, instead of 20 s.
    """
    StripeGateway.open.__func__.__kwdefaults__["timeout"] = stripe_seconds  # type: ignore[attr-defined]
    activities.heartbeat.EVERY_SECONDS = 1.0  # type: ignore[misc]
    activities.stripe_calls.QUICK_SECONDS = (1, 1)  # type: ignore[misc,assignment]
    activities.stripe_calls.LADDER_SECONDS = (2, 3, 4)  # type: ignore[misc]
    workflows.policies.MONEY_HEARTBEAT = timedelta(seconds=3)  # type: ignore[misc]
    workflows.policies.MONEY_TIMEOUT = timedelta(seconds=3)  # type: ignore[misc]


def main() -> None:
    """Alter what is asked for, then work."""
    asked = json.loads(sys.argv[1])
    if "dies" in asked:
        dies(asked["dies"], asked.get("nth", 1), asked.get("by", "SIGKILL"))
    if "hours_ahead" in asked:
        ahead(asked["hours_ahead"])
    if "hurried" in asked:
        hurried(asked["hurried"])
    import workers.main  # noqa: PLC0415 - it takes its clock when it is imported

    workers.main.Worker = _with_our_policies()  # type: ignore[attr-defined]
    asyncio.run(workers.main.run_worker(Settings()))


def _with_our_policies() -> Callable[..., Worker]:
    """The sandbox reads every module anew; this one it is to take as it was altered."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules("workflows.policies")
    return partial(Worker, workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions))


if __name__ == "__main__":
    main()
