"""Temporal UI as the console sees it: played, so that tests read what it was asked, byte by byte."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from plixo.temporal.ui import TemporalUi

ADDRESS = "http://temporal-ui.internal:8080"
SCRIPT = "\n\t__sveltekit = { base: '/temporal' };\n"
PAGE = f"<!doctype html><html><head><title>UI</title></head><body><div><script>{SCRIPT}</script></div></body></html>"
SETTINGS = {"Version": "2.54.1", "DisableWriteActions": False, "Codec": {"Endpoint": "/codec"}}

Answering = Callable[[httpx.Request], httpx.Response]


@dataclass
class PlayedUi:
    """Answers as Temporal UI does, or as a test says.

    Attributes:
        asked: Every request, as it went out.
        answering: What it answers instead.
    """

    asked: list[httpx.Request] = field(default_factory=list)
    answering: Answering | None = None

    @property
    def targets(self) -> list[bytes]:
        return [request.url.raw_path for request in self.asked]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        answer = self.answering(request) if self.answering else self._usual(request)
        if not answer.is_stream_consumed:
            return answer
        # Made with its content, it counts as read; over a wire it would not.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))

    def _usual(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        cookies = {"set-cookie": "_csrf=theirs; Path=/", "access-control-allow-origin": "*", "x-frame-options": "ALLOW"}
        if path == "/temporal/api/v1/settings":
            return httpx.Response(200, json=SETTINGS, headers=cookies)
        if path.startswith("/temporal/api/"):
            return httpx.Response(200, json={"asked": path}, headers=cookies)
        if path.startswith("/temporal/_app/"):
            script = {"content-type": "text/javascript", "etag": '"1"'} | cookies
            return httpx.Response(200, content=b"export {}", headers=script)
        return httpx.Response(200, html=PAGE, headers=cookies)

    def beside(self, house: Any) -> "PlayedUi":
        """Have the house reach this one."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        ui = TemporalUi(http, httpx.URL(ADDRESS))
        house.app.state.staff = replace(house.app.state.staff, temporal_ui=ui)
        return self
