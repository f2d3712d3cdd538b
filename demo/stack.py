"""All embedded parts together: Temporal with its UI, the Stripe stand-in, a mailbox, worker and console."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.mailbox import open_mailbox
from demo.parts import Part
from demo.places import CannotStart, Ports, binary
from plixo.config import Settings
from workflows import attributes

STANDIN_KEY: Final = "sk_test_plixo_standin"
STANDIN_READ_KEY: Final = "rk_test_plixo_standin"
_LIVE: Final = ("sk_live", "rk_live")


@dataclass
class Stack:
    """The running parts.

    Attributes:
        data: Their folder.
        ports: Their addresses.
        settings: As the console has them.
        temporal: The Temporal server.
        standin: The Stripe stand-in; None when `STRIPE_API_KEY` names a Stripe account.
        worker: The worker process.
        web: The console process.
    """

    data: Path
    ports: Ports
    settings: Settings
    temporal: Part
    standin: Part | None
    worker: Part
    web: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every child process, in the order they were started."""
        found = (self.temporal, self.standin, self.worker, self.web)
        return tuple(part for part in found if part is not None)

    @property
    def console_url(self) -> str:
        """Where staff work."""
        return f"http://127.0.0.1:{self.ports.console}"

    @property
    def temporal_ui_url(self) -> str:
        """Where operators look: through the console, which knows who they are; its own address shows ciphertext."""
        return f"{self.console_url}/temporal"

    @property
    def standin_url(self) -> str:
        """The stand-in's API and ledger."""
        return f"http://127.0.0.1:{self.ports.standin}"

    async def restart(self, part: Part) -> None:
        """Start a part again after it was killed or stopped."""
        await part.start()
        await part.wait_until_ready()


@asynccontextmanager
async def running(
    data: Path, ports: Ports, *, stripe_key: str = "", seed: str = "demo", database_url: str = ""
) -> AsyncIterator[Stack]:
    """Every part, started and ready; stopped in the opposite order at the end of the block.

    Args:
        data: Their folder, as an absolute path; the caller holds it.
        ports: Where each listens.
        stripe_key: A Stripe test key to use instead of the stand-in.
        seed: What the stand-in starts with.
        database_url: A database of its own to use instead of the SQLite file.

    Raises:
        CannotStart: The key is a live one, a port is taken, a program is missing, or a part did not come up.
    """
    if stripe_key.startswith(_LIVE):
        raise CannotStart("STRIPE_API_KEY is a live key, and here everybody may sign in: unset it, or use a test key.")
    ports.check_free()
    stack = _stack(data, ports, stripe_key, seed, database_url)
    with open_mailbox(stack.data / "mailbox", ports.smtp):
        try:
            await _start(stack)
            yield stack
        finally:
            await _stop(stack)


async def _start(stack: Stack) -> None:
    if stack.standin:
        await stack.standin.start()
    await stack.temporal.start()
    from demo.preparing import make_schedules, prepare, wait_for_temporal  # noqa: PLC0415 - the two start meanwhile

    await prepare(stack.settings)
    await stack.web.start()
    await wait_for_temporal(stack.temporal, stack.settings.temporal_address)
    await stack.worker.start()
    await make_schedules(stack.settings)
    for part in stack.parts[1:]:
        await part.wait_until_ready()


async def _stop(stack: Stack) -> None:
    """First who writes, so that what is under way still reaches what is written to; then the two that are alone."""
    await stack.web.stop()
    await stack.worker.stop()
    alone = (stack.temporal, stack.standin)
    await asyncio.gather(*(part.stop() for part in alone if part is not None))


def _stack(data: Path, ports: Ports, stripe_key: str, seed: str, database_url: str = "") -> Stack:
    environment = _environment(data, ports, stripe_key, database_url)
    plixo = str(binary("plixo"))
    web_keys = {"PLIXO_STRIPE_READ_KEY": stripe_key or STANDIN_READ_KEY}
    temporal_ui = {"PLIXO_TEMPORAL_UI_URL": f"http://127.0.0.1:{ports.temporal_ui}"}
    worker_keys = {"STRIPE_API_KEY": stripe_key or STANDIN_KEY}
    return Stack(
        data=data,
        ports=ports,
        settings=_settings(data, ports, database_url),
        temporal=_temporal(data, ports),
        standin=None if stripe_key else _standin(data, ports, seed),
        worker=Part("worker", [plixo, "worker"], _log(data, "worker"), environment | worker_keys, "worker polling"),
        web=Part(
            "console",
            [plixo, "web", "--port", str(ports.console)],
            _log(data, "console"),
            environment | web_keys | temporal_ui,
            "console listening",
        ),
    )


def _temporal(data: Path, ports: Ports) -> Part:
    command = [str(binary("temporal")), "server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"]
    command += ["--port", str(ports.temporal), "--ui-port", str(ports.temporal_ui)]
    command += ["--ui-public-path", "/temporal", "--ui-codec-endpoint", "/codec", "--ui-disable-news-fetch"]
    command += ["--db-filename", str(data / "temporal.db")]
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"]
    for name, value in _DYNAMIC.items():
        command += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
    for key in attributes.ALL:
        command += ["--search-attribute", f"{key.name}={_ATTRIBUTE_TYPES[key.indexed_value_type.name]}"]
    return Part("Temporal server", command, _log(data, "temporal"))


_DYNAMIC: Final = {
    "matching.enableFairness": True,
    "system.forceSearchAttributesCacheRefreshOnRead": False,
}
"""Fairness, so that customers have their turns. And search attributes are remembered, as every cluster does:
`start-dev` by itself reads them anew, from its database, some twenty times a request; ours are there from its start."""

_ATTRIBUTE_TYPES: Final = {"KEYWORD": "Keyword", "KEYWORD_LIST": "KeywordList", "DATETIME": "Datetime"}


def _standin(data: Path, ports: Ports, seed: str) -> Part:
    command = [sys.executable, "-m", "standin", "--port", str(ports.standin)]
    command += ["--db", str(data / "standin.db"), "--seed", seed]
    return Part("Stripe stand-in", command, _log(data, "standin"), {}, "standin listening")


def _log(data: Path, name: str) -> Path:
    return data / "logs" / f"{name}.log"


def _environment(data: Path, ports: Ports, stripe_key: str, database_url: str) -> dict[str, str]:
    found = {
        **({"DATABASE_URL": database_url} if database_url else {}),
        "PLIXO_ENV": "dev",
        "PLIXO_DATA": str(data),
        "PLIXO_BASE_URL": f"http://127.0.0.1:{ports.console}",
        "PLIXO_TEMPORAL_ADDRESS": f"127.0.0.1:{ports.temporal}",
        "PLIXO_SMTP_URL": f"smtp://127.0.0.1:{ports.smtp}",
    }
    return found if stripe_key else {**found, "PLIXO_STRIPE_BASE_URL": f"http://127.0.0.1:{ports.standin}"}


def _settings(data: Path, ports: Ports, database_url: str) -> Settings:
    """This process's own settings: made by hand, since a person's environment is not the embedded parts' business."""
    return Settings.model_construct(
        env="dev",
        data=data,
        base_url=f"http://127.0.0.1:{ports.console}",
        database_url=database_url,
        temporal_address=f"127.0.0.1:{ports.temporal}",
    )
