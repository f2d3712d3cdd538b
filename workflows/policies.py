"""Timeouts and retry policies, by name, with the reason for each."""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy

DATABASE: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
"""A database that is away comes back; a request waits for it as long as it takes."""

DATABASE_TIMEOUT: Final = timedelta(seconds=20)
"""One transaction, with room for a busy SQLite file."""

RECORDING: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    maximum_interval=timedelta(milliseconds=500),
    maximum_attempts=3,
)
"""A decision is recorded inside a workflow task, which must not hang: few tries, then the sweeper sends it again."""

RECORDING_TIMEOUT: Final = timedelta(seconds=3)

MONEY: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=15))
"""Every try is the same write under the same key; the activity itself says when to come back after a failed call."""

MONEY_TIMEOUT: Final = timedelta(seconds=60)
"""One try. There is no schedule-to-close: a queue that is held for days must not burn an approved request."""

MONEY_HEARTBEAT: Final = timedelta(seconds=15)
"""How soon a worker that died in mid-call is noticed; a call that lives says so every five seconds."""
