"""The application behind a real port, in a thread with a loop of its own: for clients that are not asyncio's."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass
class Served:
    """A house that is open to other processes.

    Attributes:
        url: Where.
        house: What is behind it; its coroutines run in its own loop, by `run`.
        loop: That loop.
    """

    url: str
    house: Any
    loop: asyncio.AbstractEventLoop

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(timeout=30)


@contextmanager
def served(open_house: Callable[[AsyncExitStack], Awaitable[Any]]) -> Iterator[Served]:
    """Serve for as long as the block lasts."""
    ready, found, failed = threading.Event(), [], []
    servers: list[uvicorn.Server] = []

    async def main() -> None:
        async with AsyncExitStack() as stack:
            house = await open_house(stack)
            config = uvicorn.Config(house.app, port=0, log_level="warning", lifespan="off", access_log=False)
            server = uvicorn.Server(config)
            servers.append(server)
            serving = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            found.append(Served(f"http://127.0.0.1:{port}", house, asyncio.get_running_loop()))
            ready.set()
            await serving

    def thread() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
            ready.set()
            raise

    worker = threading.Thread(target=thread, daemon=True)
    worker.start()
    ready.wait(timeout=30)
    assert not failed, failed
    try:
        yield found[0]
    finally:
        servers[0].should_exit = True
        worker.join(timeout=20)
