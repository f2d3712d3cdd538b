"""Temporal's own web interface, asked on behalf of somebody who is signed in at the console.

It asks nobody who they are, so nobody reaches it but through here, and here leads to one address and nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from plixo.config import Settings

ANSWER_SECONDS: Final = 75.0
"""How long an answer may take: its pages ask for news of a running workflow and wait up to a minute for some."""
CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 100
"""At once, waiting pages included."""
PER_PERSON: Final = 20
"""How many of them one person may have; a browser opens six, and nobody is to wait for somebody else's open pages."""
TURN_SECONDS: Final = 5.0
"""How long somebody who has that many waits for one of them to end."""


class TemporalUiAway(Exception):
    """Temporal UI cannot be reached, or what it answers is not to be handed on."""


class TooManyAtOnce(Exception):
    """Somebody has as many requests under way as one person may."""


@dataclass(frozen=True)
class Turns:
    """Who has how many requests under way.

    Attributes:
        left: How many more each of those who ever asked may begin.
    """

    left: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def take(self, who: str) -> Callable[[], None]:
        """Begin one; what is returned ends it.

        Raises:
            TooManyAtOnce: None of theirs ended in time.
        """
        turns = self.left.setdefault(who, asyncio.Semaphore(PER_PERSON))
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError as error:
            raise TooManyAtOnce(f"{who} has {PER_PERSON} requests to Temporal UI under way") from error
        return turns.release


class _Held(httpx.AsyncByteStream):
    """The body of an answer whose turn ends with it."""

    def __init__(self, body: httpx.AsyncByteStream, ended: Callable[[], None]) -> None:
        self._body = body
        self._ended = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        """Let go of the connection, and of the turn."""
        try:
            await self._body.aclose()
        finally:
            self._ended()


@dataclass(frozen=True)
class TemporalUi:
    """Temporal UI.

    Attributes:
        http: What calls it; follows no redirects, keeps no cookies, and knows no proxies of the environment.
        address: Where it is, without a path.
        turns: Who has how many requests under way.
    """

    http: httpx.AsyncClient
    address: httpx.URL
    turns: Turns = field(default_factory=Turns)

    async def ask(
        self, who: str, method: str, target: bytes, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """Its answer, whose body is yet to be read; the caller closes it.

        Args:
            who: Whoever asks; not told.
            method: HTTP's.
            target: Path and query, as they go over the wire.
            headers: Every header that it is to be told.
            body: What is sent.

        Raises:
            TemporalUiAway: It does not answer.
            TooManyAtOnce: They have too many under way.
        """
        place = self.address.copy_with(raw_path=target)
        request = httpx.Request(method, place, headers=headers, content=body or None)
        ended = await self.turns.take(who)
        try:
            answer = await self.http.send(request, stream=True)
        except BaseException as error:
            ended()
            if isinstance(error, httpx.HTTPError):
                raise TemporalUiAway(f"Temporal UI does not answer: {type(error).__name__}") from error
            raise
        assert isinstance(answer.stream, httpx.AsyncByteStream), "an asynchronous client has such bodies"
        answer.stream = _Held(answer.stream, ended)
        return answer


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
