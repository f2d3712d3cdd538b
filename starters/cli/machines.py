"""Commands that run a process on this machine."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Parameter, validators

from starters.cli.cluster import check_temporal, temporal_reached
from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from plixo.config import Settings

Data = Annotated[Path | None, Parameter(env_var="PLIXO_DATA")]
Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))]

app_up = App(name="up", help_epilogue=example("plixo up --data ./data"))
app_demo = App(name="demo", help_epilogue=example("plixo demo --json"))
app_web = App(name="web", help_epilogue=example("plixo web --port 8321"))
app_standin = App(name="standin", help_epilogue=example("plixo standin --port 12111 --seed demo"))


@app_up.default
def up(*, data: Data = None, port: Port | None = None, as_json: Json = False) -> int:
    """Start everything on this machine and leave it running.

    Temporal, the stand-in for Stripe, a mailbox, the worker and the console; Ctrl-C stops them, and started again they
    go on where they were.

    Args:
        data: The folder that holds everything.
        port: The console's port; the other parts take the four after it.
        as_json: Print the addresses as one JSON document.
    """
    from demo.commands import run_up  # noqa: PLC0415 - `plixo --help` stays quick

    return run_up(data=load_settings(data).data, port=port, json=as_json)


@app_demo.default
def demo(*, data: Data = None, as_json: Json = False) -> int:
    """Play the whole story on this machine and check it.

    Args:
        data: The folder that holds everything; what it holds is first moved aside.
        as_json: Print one JSON document.
    """
    from demo.commands import run_demo  # noqa: PLC0415 - `plixo --help` stays quick

    return run_demo(data=load_settings(data).data, json=as_json)


@app_web.default
def web(*, port: Port = 8321, host: str = "127.0.0.1") -> None:
    """Serve the console and the API.

    Args:
        port: The port to listen on.
        host: The address to listen on.
    """
    from web.serve import serve  # noqa: PLC0415 - `plixo --help` stays quick

    run_process(partial(serve, port=port, host=host))


@app_standin.default
def standin(*, port: Port = 0, db: Path | None = None, seed: str | None = None) -> NoReturn:
    """Serve the local stand-in for Stripe, on loopback.

    Args:
        port: The port to listen on; 0 takes a free one.
        db: The SQLite file that holds everything; `standin.db` in the data folder unless given.
        seed: What to plant when the books are empty, such as demo.
    """
    books = db or load_settings().data / "standin.db"
    command = [sys.executable, "-m", "standin", "--port", str(port), "--db", str(books)]
    # This process becomes the stand-in, so that a signal to it is a signal to that.
    os.execv(sys.executable, command + (["--seed", seed] if seed else []))  # noqa: S606 - our own module


def run_process(process: Callable[["Settings"], Awaitable[None]]) -> None:
    """Run a process until it is stopped.

    Raises:
        CommandFailed: Something keeps it from starting.
    """
    from plixo.signing.keys import KeyFileError  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.temporal.payload_keys import PayloadKeyError  # noqa: PLC0415 - the same
    from starters.cli.database import failures_named  # noqa: PLC0415 - the same
    from web.serve import CannotServe  # noqa: PLC0415 - the same

    settings = load_settings()
    check_temporal(settings)
    try:
        with failures_named(settings), temporal_reached(settings):
            asyncio.run(_awaited(process, settings))
    except (KeyFileError, PayloadKeyError, CannotServe, LookupError) as known:
        raise CommandFailed(str(known)) from known
    except ValueError as bad:
        if "Stripe key" not in str(bad):
            raise
        raise CommandFailed(f"STRIPE_API_KEY (or PLIXO_STRIPE_READ_KEY) cannot be used: {bad}") from bad


async def _awaited(process: Callable[["Settings"], Awaitable[None]], settings: "Settings") -> None:
    await process(settings)
