"""The console's process."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from plixo.bootstrap import open_staff
from plixo.collecting import settle_in
from plixo.config import Settings

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
GRACE_SECONDS: Final = 5
"""How long requests under way may take to end after a stop was asked for."""


class CannotServe(Exception):
    """The console does not start; the message says what to change."""


async def serve(settings: Settings, *, port: int, host: str = "127.0.0.1") -> None:
    """Serve the console until SIGTERM or SIGINT.

    Args:
        settings: This process's settings.
        port: Where to listen; 0 takes a free one.
        host: Which address to listen on.

    Raises:
        CannotServe: The dev sign-in would be open to other machines, or the address is taken.
    """
    from web.app import create_app  # noqa: PLC0415 - the worker's command names CannotServe and needs no pages
    from web.checkpoints import signing_checkpoints  # noqa: PLC0415 - the same
    from web.middleware import LOOPBACK  # noqa: PLC0415 - the same

    if settings.dev and host not in LOOPBACK:
        raise CannotServe(f"PLIXO_ENV=dev signs in whoever asks, so it listens on loopback only, not on {host}.")
    listener = _listen(host, port)
    try:
        async with open_staff(settings) as staff, signing_checkpoints(staff):
            config = uvicorn.Config(
                create_app(staff),
                access_log=False,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                proxy_headers=not settings.dev,
                forwarded_allow_ips=settings.trusted_proxies,
                lifespan="off",
            )
            address = f"http://{_shown(host)}:{listener.getsockname()[1]}"
            await _Announced(config, address).serve([listener])
    finally:
        listener.close()


class _Announced(uvicorn.Server):
    """Says where it listens once it does, and stops gracefully when it is told to."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_in()
        sys.stdout.write(f"console listening on {self._address}\n")
        sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, a signal that was heeded does not end the process by itself afterwards."""
        loop = asyncio.get_running_loop()
        for number in _STOPS:
            loop.add_signal_handler(number, self._stop)
        yield
        for number in _STOPS:
            loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as taken:
        listener.close()
        words = f"Port {port} on {host} cannot be used: {taken.strerror}. Choose another with --port."
        raise CannotServe(words) from taken
    listener.listen(128)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
