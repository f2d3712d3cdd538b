"""`plixo demo` and `plixo up`."""

import asyncio
import json as jsonlib
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from demo.actors import Unexpected
from demo.keeping import keep_running
from demo.places import CannotStart, Ports, held, move_aside
from demo.stack import Stack, running
from demo.waiting import NeverHappened
from plixo.domain.people import Group


def run_demo(*, data: Path, json: bool) -> int:
    """Play the story on embedded parts and check it independently.

    Returns:
        0 when the check finds nothing; 1 when it does, or the story could not be told; 143 when it was stopped.
    """
    return _guarded(_until_asked_to_stop(_demo(data.resolve(), json=json)))


def run_up(*, data: Path, port: int | None, json: bool) -> int:
    """Start the same parts and leave them running until Ctrl-C.

    Args:
        data: The folder that holds everything.
        port: The console's; the other parts take the four after it, and 0 takes free ones.
        json: Print the addresses as one JSON document.

    Returns:
        0 when it was stopped; 1 when it could not start, or a part ended again and again.
    """
    return _guarded(_up(data.resolve(), port, json=json))


def _guarded(story: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(story)
    except (CannotStart, Unexpected, NeverHappened) as problem:
        _complain(str(problem))
    except httpx.HTTPError as broken:
        _complain(f"A part did not answer ({broken!r}); its log is in the data folder's logs.")
    return 1


def _complain(problem: str) -> None:
    """One line on standard error, whatever the problem quotes."""
    sys.stderr.write(f"plixo: {' '.join(problem.split())}\n")
    sys.stderr.flush()


async def _until_asked_to_stop(story: Coroutine[Any, Any, int]) -> int:
    """SIGTERM stops the parts in their order, as Ctrl-C does; asked twice, it stops once."""
    telling, asked = asyncio.ensure_future(story), asyncio.Event()

    def stop() -> None:
        if not asked.is_set():
            asked.set()
            telling.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await telling
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
        _complain("Stopped.")
        return 128 + signal.SIGTERM


async def _demo(data: Path, *, json: bool) -> int:
    console = Console(quiet=json)
    began = time.monotonic()
    with held(data):
        kept = move_aside(data)
        if kept:
            console.print(f"What {data} held is kept in {kept}.", highlight=False, soft_wrap=True)
        async with running(data, Ports().or_free()) as stack:
            _addresses(console, stack)
            from demo.playing import play  # noqa: PLC0415 - a folder in use is refused without loading the story

            clean, document = await play(stack, console, began)
    if json:
        print(document)  # noqa: T201 - the answer itself
    return 0 if clean else 1


async def _up(data: Path, port: int | None, *, json: bool) -> int:
    """Stay up until Ctrl-C or SIGTERM, which count from the first moment: a start under way is undone as well."""
    console = Console(quiet=json)
    staying = asyncio.ensure_future(_stay_up(data, port, console, json=json))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, staying, console)
    with suppress(asyncio.CancelledError):
        await staying
    return 0


def _stop(staying: asyncio.Future[None], console: Console) -> None:
    """Asked once or twice, it stops once: a second cancellation would break off the orderly stop of the first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    console.print("Stopping; everything goes on where it was when started again.")
    staying.cancel()


async def _stay_up(data: Path, port: int | None, console: Console, *, json: bool) -> None:
    ports = Ports() if port is None else Ports.following(port)
    with held(data):
        async with running(data, ports, stripe_key=os.environ.get("STRIPE_API_KEY", "")) as stack:
            _addresses(console, stack)
            _sign_ins(console, stack)
            if json:
                print(jsonlib.dumps(_address_document(stack)), flush=True)  # noqa: T201 - the answer itself
            await keep_running(stack.parts, _complain)


def _addresses(console: Console, stack: Stack) -> None:
    console.print("[bold]Plixo is running.[/bold]")
    for name, url in _address_document(stack).items():
        console.print(f"   {name.replace('_', ' '):<12} {url}", highlight=False, soft_wrap=True)


def _address_document(stack: Stack) -> dict[str, str]:
    found = {
        "console": stack.console_url,
        "mailbox": f"{stack.console_url}/mailbox",
        "temporal_ui": stack.temporal_ui_url,
    }
    return {**found, "ledger": f"{stack.standin_url}/_ledger"} if stack.standin else found


def _sign_ins(console: Console, stack: Stack) -> None:
    console.print(f"\nSign in at {stack.console_url}/sign-in, or add --as to a command; no password, on loopback only:")
    for group in Group:
        console.print(f"   {group.label:<14} --as {group.value}", highlight=False)
    console.print("Stop with Ctrl-C.")
