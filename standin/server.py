"""Runs the stand-in under uvicorn on loopback."""

import errno
import signal
import socket
import sys
from types import FrameType
from typing import Never

import uvicorn

from standin.app import create_app
from standin.layers.contract import Checks
from standin.settings import StandinSettings
from standin.transport import ReachableProtocol

HOST = "127.0.0.1"
BACKLOG = 512


class PortError(Exception):
    """The port cannot be had: somebody else listens there, or it is not ours to take."""


class AnnouncingServer(uvicorn.Server):
    """Says where it listens once it does, for whoever started it as a process."""

    announces = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then prints the one line that means ready."""
        await super().startup(sockets)
        if self.announces and sockets and not self.should_exit:
            sys.stdout.write(f"standin listening on http://{HOST}:{sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()


def listen(port: int) -> socket.socket:
    """A listening socket on loopback.

    Raises:
        PortError: The port cannot be had; the message says why.
    """
    # Named as TCP, since asyncio turns Nagle's algorithm off for such sockets only; with it every answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except (OSError, OverflowError) as problem:
        listening.close()
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        raise PortError(f"port {port} is taken" if taken else f"port {port} cannot be used ({problem})") from problem
    listening.listen(BACKLOG)
    return listening


def new_server(settings: StandinSettings, contract: Checks | None = None) -> AnnouncingServer:
    """A server that is ready to be run on a socket of `listen`; see `create_app` for errors and the contract."""
    config = uvicorn.Config(
        create_app(settings, contract),
        http=ReachableProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return AnnouncingServer(config)


def serve(settings: StandinSettings, port: int) -> None:
    """Runs until a signal stops it; 0 takes a free port."""
    listening = listen(port)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stopped)
    try:
        new_server(settings).run(sockets=[listening])
    finally:
        listening.close()


def _stopped(_signal: int, _frame: FrameType | None) -> Never:
    """The server shuts down gracefully first and then hands the signal back; a stop that was asked for is a success."""
    sys.exit(0)
