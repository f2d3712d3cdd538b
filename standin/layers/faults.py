"""The outermost layer: planted faults. A lost answer can be asked for again, since the key lies further in."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from standin.errors import ApiError
from standin.fault_rules import Rule, Rules
from standin.transport import reset

HTML_502 = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"
CANNED = {
    "409": ApiError(409, "The request conflicts with another one. Try again.", kind="idempotency_error"),
    "500": ApiError(500, "An unknown error occurred.", kind="api_error"),
    "503": ApiError(503, "The service is temporarily unavailable.", kind="api_error"),
    "429": ApiError(429, "Request rate limit exceeded.", code="rate_limit"),
    "lock_timeout": ApiError(429, "This object cannot be accessed right now. Try again.", code="lock_timeout"),
}


class FaultLayer:
    """Wraps the API as an ASGI application and spoils the calls that a rule strikes."""

    def __init__(self, rules: Rules, inner: ASGIApp) -> None:
        self._rules = rules
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the call on, or does to it what the rule says."""
        rule = self._rules.strike(scope["method"], scope["path"])
        if rule is None:
            await self._inner(scope, receive, send)
        elif rule.kind in CANNED:
            await _canned(send, CANNED[rule.kind], rule)
        else:
            read = await _read(scope, receive)
            await getattr(self, f"_{rule.kind}")(rule, scope, read, send)

    async def _502_html(self, _rule: Rule, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _respond(send, 502, HTML_502, {"Content-Type": "text/html"})

    async def _delay(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(rule.seconds)
        await self._inner(scope, receive, send)

    async def _slow(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["standin_slow_seconds"] = rule.seconds
        await self._inner(scope, receive, send)

    async def _reset_before(self, _rule: Rule, scope: Scope, receive: Receive, _send: Send) -> None:
        await reset(scope, receive)

    async def _reset_after(self, _rule: Rule, scope: Scope, receive: Receive, _send: Send) -> None:
        await self._done(scope, receive)
        await reset(scope, receive)

    async def _done_500(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        await self._done(scope, receive)
        await _canned(send, CANNED["500"], rule)

    async def _done_late(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._done(scope, receive)
        await asyncio.sleep(rule.seconds)
        await _pass_on(send, *answer)

    async def _cut_body(self, _rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._done(scope, receive)
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await reset(scope, receive, flush=True)

    async def _done(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Runs the call and keeps its answer back."""
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._inner(scope, receive, keep)
        return sent[0], b"".join(message["body"] for message in sent[1:])


async def _read(scope: Scope, receive: Receive) -> Receive:
    """Takes the whole request in, so that it is served even when its caller gives up, and resets come after it."""
    body = await Request(scope, receive).body()
    unread: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(unread, None) or await receive()

    return again


async def _pass_on(send: Send, start: Message, body: bytes) -> None:
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _canned(send: Send, error: ApiError, rule: Rule) -> None:
    headers = {"Content-Type": "application/json", **rule.headers}
    if rule.retry_after is not None:
        headers["Retry-After"] = str(rule.retry_after)
    await _respond(send, error.status, json.dumps(error.answer().body).encode(), headers)


async def _respond(send: Send, status: int, body: bytes, headers: dict[str, Any]) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
