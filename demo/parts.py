"""One embedded part: a child process that is started, waited for, killed and stopped by its process id."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo.places import CannotStart

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass
class Part:
    """A child process.

    Attributes:
        name: For people, and for its log.
        command: What is run.
        environment: Added to what every child gets.
        log: Where its output goes.
        ready: The start of the line on its standard output that says it is ready; empty when it is probed instead.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; does not wait for it to be ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**_inherited(), **self.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def wait_until_ready(self) -> None:
        """Wait for the line that says so.

        Raises:
            CannotStart: It ended instead, or took too long; the message says where its log is.
        """
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not self._said_ready():
                    self.check_alive()
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise CannotStart(f"The {self.name} is not ready after {READY_SECONDS:.0f} s; see {self.log}.") from error

    def check_alive(self) -> None:
        """Complain when it has ended by itself.

        Raises:
            CannotStart: It has; the message carries its last line.
        """
        if self.returncode is not None:
            raise CannotStart(f"The {self.name} stopped: {self.ending} (its log: {self.log})")

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.returncode if self._process else None

    @property
    def ending(self) -> str:
        """How it ended, in words: the signal that ended it, or the last line that it said."""
        status = self.returncode
        if status is not None and status < 0:
            return f"ended by {signal.Signals(-status).name}"
        said = [line.strip() for line in self._said() if line.strip()]
        return said[-1][:200] if said else f"exit status {status}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """Ask it to stop, and insist after a while."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def wait(self) -> int:
        """Wait until it ends; its exit status."""
        assert self._process is not None, f"{self.name} was not started"
        return await self._process.wait()

    def _said_ready(self) -> bool:
        return any(line.startswith(self.ready) for line in self._said())

    def _said(self) -> list[str]:
        with self.log.open("rb") as output:
            output.seek(self._seen)
            return output.read().decode(errors="replace").splitlines()


def _inherited() -> dict[str, str]:
    """What children need of our environment: paths and language, none of anybody's Plixo, Stripe or Temporal keys."""
    private = ("PLIXO_", "STRIPE_", "TEMPORAL_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(private)}


def _die_with_parent() -> None:
    """A part must not outlive a parent that was killed: it would hold its port and its files."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
