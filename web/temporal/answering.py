"""What a browser gets of Temporal UI's answer: few headers, a policy of its own, and no more than it can take."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from plixo.temporal.ui import TemporalUiAway
from web.temporal.asking import ASSETS, CALLS, FRAME

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer: above what a workflow's history may take."""
MAX_PAGE: Final = 1024 * 1024
"""Bytes of a page or of its settings, which are read here before they are handed on."""
SETTINGS: Final = f"{CALLS}settings"
"""What its pages may do."""

_PASSED_BACK: Final = ("content-type", "content-encoding", "content-disposition", "etag", "last-modified")
_POLICY: Final = "content-security-policy"
_IMMUTABLE: Final = f"{ASSETS}immutable/"
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_NOT_MODIFIED: Final = 304
_REDIRECTS: Final = range(300, 400)
_BACK: Final = '<a class="back-to-plixo" href="/approvals">← Plixo</a>'
_LOOKS: Final = '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/temporal.css">'


def _headers(path: str, answer: httpx.Response) -> dict[str, str]:
    """The headers that are handed on: no cookie, no way to elsewhere, nothing about connections."""
    passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    if path.startswith(_IMMUTABLE) and answer.is_success:
        # Their names change with their content, and a page needs a hundred of them.
        passed["cache-control"] = "private, max-age=31536000, immutable"
    return passed


def _check(answer: httpx.Response) -> None:
    """Refuse what no page of ours may be.

    Raises:
        TemporalUiAway: It leads elsewhere, or is too long.
    """
    if answer.status_code in _REDIRECTS and answer.status_code != _NOT_MODIFIED:
        raise TemporalUiAway("Temporal UI leads elsewhere; is its public path /temporal?")
    length = answer.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_ANSWER:
        raise TemporalUiAway("Temporal UI answers with too much")


def policy(html: str, own: str | None) -> str:
    """The policy of its pages: looser than ours in styles alone.

    It sets styles in markup. Its one inline script is let in by its hash, so that no other runs. A page that comes with
    a policy is none of those: it keeps that one beside ours, and no script of it is let in.

    Args:
        html: The page.
        own: The policy that it came with; None where it came with none.
    """
    if own is not None:
        return f"{own}, {_policy(())}" if own.strip() else _policy(())
    return _policy(_INLINE.findall(html))


def _policy(inline: Sequence[str]) -> str:
    scripts = " ".join(["'self'", *(f"'sha256-{_digest(script)}'" for script in inline)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; frame-src 'self'; manifest-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _with_way_back(html: str) -> str:
    """The page with a link back to the console."""
    return html.replace("</head>", f"{_LOOKS}</head>", 1).replace("</body>", f"{_BACK}</body>", 1)


def _read_only(settings: str) -> str:
    """Its settings for somebody who may look and not touch: it hides what they may not do."""
    try:
        return json.dumps({**json.loads(settings), "DisableWriteActions": True})
    except (ValueError, TypeError) as error:
        raise TemporalUiAway("Temporal UI answers with something else than its settings") from error


async def handed_on(path: str, answer: httpx.Response, *, may_write: bool) -> Response:
    """The answer for a browser, as it comes or, where it is a page or its settings, read and changed here.

    Args:
        path: Whose answer it is.
        answer: Not read yet.
        may_write: Whether whoever asks may change something.

    Raises:
        TemporalUiAway: It is nothing that can be handed on.
    """
    _check(answer)
    headers = _headers(path, answer)
    page = headers.get("content-type", "").startswith("text/html") and not path.startswith(CALLS)
    if not page and path != SETTINGS:
        return _Passed(answer, headers)
    text = await _text(answer)
    kept = {"content-type": headers["content-type"]} if "content-type" in headers else {}
    if path == SETTINGS:
        return Response(text if may_write else _read_only(text), answer.status_code, kept)
    own = answer.headers.get(_POLICY)
    if path == FRAME:
        return Response(text, answer.status_code, {**kept, _POLICY: own or "default-src 'none'"})
    return Response(_with_way_back(text), answer.status_code, {**kept, _POLICY: policy(text, own)})


class _Passed(StreamingResponse):
    """An answer handed on as it comes, and let go of whatever happens."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str]) -> None:
        self._answer = answer
        super().__init__(_bounded(answer), answer.status_code, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


async def _text(answer: httpx.Response) -> str:
    """A page as text.

    Raises:
        TemporalUiAway: It breaks off, or is longer than a page can be.
    """
    content = b""
    try:
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > MAX_PAGE:
                raise TemporalUiAway("Temporal UI answers with a page that is too long")
    except httpx.HTTPError as error:
        raise TemporalUiAway(f"Temporal UI breaks off: {type(error).__name__}") from error
    return content.decode(errors="replace")


async def _bounded(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body, broken off once it is too long."""
    seen = 0
    async for chunk in answer.aiter_raw():
        seen += len(chunk)
        if seen > MAX_ANSWER:
            raise TemporalUiAway("Temporal UI answers with too much")
        yield chunk
