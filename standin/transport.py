"""Resets that really are resets: the connection's socket, reached through uvicorn's protocol."""

import asyncio
import socket
import struct
from typing import cast

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

KEY = "standin_transport"
NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing sends RST and throws away what was not sent."""


class ReachableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with its transport in each request's `scope["state"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keeps the transport where the fault layer finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, KEY: transport}


async def reset(scope: Scope, receive: Receive, *, flush: bool = False) -> None:
    """Resets the connection and waits until the server has noticed.

    Args:
        scope: The request's scope.
        receive: The request's receiver.
        flush: Whether what was written before reaches the client first; it then sees a body cut short.

    Raises:
        RuntimeError: The application does not run under `ReachableProtocol`.
    """
    transport = scope.get("state", {}).get(KEY)
    if transport is None:
        raise RuntimeError("a reset needs the stand-in's own server; start it with `python -m standin`")
    if flush:
        transport.close()
    else:
        _abort(transport)
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(transport: asyncio.Transport) -> None:
    peer = cast("socket.socket", transport.get_extra_info("socket"))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()
