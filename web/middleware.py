"""What every request goes through, page or API: an id, the headers, and the refusals that need nothing else."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException
from modern_csrf.base import should_accept_request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plixo.config import Settings
from plixo.domain.documents import MAX_SIZE_TEXT

MAX_BODY: Final = 2 * 1024 * 1024
"""Bytes of a request's body: above what any field takes, so that a long note is refused by name and not here."""

MAX_UPLOAD: Final = 32 * 1024 * 1024
"""Bytes of a body with a document in it. A document may be shorter than that: one that is a little too long is heard
out, so that whoever sends it reads why it is refused, where a browser would show a broken connection."""

UPLOADS: Final = re.compile(r"(?:/api/v1)?/approvals/[^/]+/documents")
"""Paths that take documents."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
HEALTH: Final = frozenset({"/livez", "/readyz"})

CONTENT_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""No inline script or style and no foreign host; `data:` images are the arrows and ticks in Pico's form controls."""

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}

log = logging.getLogger(__name__)

Failure = Callable[[Request, int, str], Awaitable[Response]]
"""Makes the answer for a refused request: the request, the status, and a sentence for people."""


@dataclass(frozen=True)
class Shell:
    """The outermost layer: gives each request an id, each answer its headers, and keeps failures to itself."""

    app: ASGIApp
    failure: Failure
    https: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._dress(MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception:
            log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if begun:
                raise
            answer = await self.failure(Request(scope), 500, "Something went wrong here; nothing more is known yet.")
            await answer(scope, receive, dressed)

    def _dress(self, headers: MutableHeaders, request_id: str) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = request_id
        if self.https:
            headers["Strict-Transport-Security"] = "max-age=31536000"


@dataclass(frozen=True)
class Gate:
    """Turns away what no page or call may be: a foreign host, a cross-site post, a body without end."""

    app: ASGIApp
    failure: Failure
    hosts: frozenset[str]
    origin: str

    @classmethod
    def of(cls, app: ASGIApp, failure: Failure, settings: Settings) -> "Gate":
        """The gate of the configured address; in dev every name of this machine will do."""
        base = urlsplit(settings.base_url)
        hosts = frozenset({(base.hostname or "").lower()}) | (LOOPBACK if settings.dev else frozenset())
        return cls(app, failure, hosts, origin_of(settings.base_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = _most(scope)
        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope), most)
        if refusal:
            await (await self.failure(Request(scope), *refusal))(scope, receive, send)
            return
        await self.app(scope, _bounded(receive, most), send)

    def _refusal(self, method: str, path: str, headers: Headers, most: int) -> tuple[int, str] | None:
        if path not in HEALTH and hostname(headers.get("host", "")) not in self.hosts:
            return 421, "This address is not Plixo's; open it by its own name."
        accepted = should_accept_request(
            method=method,
            origin=headers.get("origin"),
            sec_fetch_site=headers.get("sec-fetch-site"),
            host=headers.get("host"),
            trusted_origins={self.origin},
        )
        if not accepted:
            return 403, "That came from another site; open the page here and try again."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            return 413, _too_large(most)
        return None


@dataclass(frozen=True)
class HeadAsGet:
    """Answers HEAD as it would GET, without the body.

    Attributes:
        app: What is asked.
        but: Paths whose GET takes something, so that looking is not enough to ask for it.
    """

    app: ASGIApp
    but: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] in self.but:
            await self.app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": "GET"}, receive, bodiless)


def _most(scope: Scope) -> int:
    """How many bytes the body of this request may have."""
    upload = scope["method"] == "POST" and UPLOADS.fullmatch(scope["path"])
    return MAX_UPLOAD if upload else MAX_BODY


def _too_large(most: int) -> str:
    sensible = MAX_SIZE_TEXT if most == MAX_UPLOAD else f"{MAX_BODY // 1024 // 1024} MiB"
    return f"That is too much at once; send at most {sensible}."


def origin_of(address: str) -> str:
    """The origin that a browser names for a page at this address."""
    base = urlsplit(address)
    return f"{base.scheme}://{base.netloc}"


def hostname(host: str) -> str:
    """The name in a Host header, without its port; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _bounded(receive: Receive, most: int) -> Receive:
    """The same body, cut off with a refusal once it is too long: a length need not be said beforehand."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _too_large(most))
        return message

    return counted
