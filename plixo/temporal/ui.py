"""Temporal's own web interface, asked on behalf of somebody who is signed in at the console.

It asks nobody who they are, so nobody reaches it but through here, and here leads to one address and nowhere else.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from plixo.config import Settings

ANSWER_SECONDS: Final = 75.0
"""How long an answer may take: its pages ask for news of a running workflow and wait up to a minute for some."""
CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 100
"""At once, waiting pages included."""


class TemporalUiAway(Exception):
    """Temporal UI cannot be reached, or what it answers is not to be handed on."""


@dataclass(frozen=True)
class TemporalUi:
    """Temporal UI.

    Attributes:
        http: What calls it; follows no redirects, keeps no cookies, and knows no proxies of the environment.
        address: Where it is, without a path.
    """

    http: httpx.AsyncClient
    address: httpx.URL

    async def ask(self, method: str, target: bytes, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """Its answer, whose body is yet to be read; the caller closes it.

        Args:
            method: HTTP's.
            target: Path and query, as they go over the wire.
            headers: Every header that it is to be told.
            body: What is sent.

        Raises:
            TemporalUiAway: It does not answer.
        """
        place = self.address.copy_with(raw_path=target)
        request = httpx.Request(method, place, headers=headers, content=body or None)
        try:
            return await self.http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise TemporalUiAway(f"Temporal UI does not answer: {type(error).__name__}") from error


@asynccontextmanager
async def open_temporal_ui(settings: Settings) -> AsyncIterator[TemporalUi | None]:
    """Temporal UI for as long as the block lasts; None where no setting names one."""
    if not settings.temporal_ui_url:
        yield None
        return
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False) as http:
        yield TemporalUi(http, httpx.URL(settings.temporal_ui_url))
