"""What a command touches beyond its arguments, so that a test can hand it another one."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class World:
    """The world outside a command.

    Attributes:
        transport: How the API is reached; over the network when None.
        sleep: Waits this many seconds.
    """

    transport: "httpx.BaseTransport | None" = None
    sleep: Callable[[float], None] = time.sleep


WORLD: Final = ContextVar("WORLD", default=World())  # noqa: B039 - it is frozen
