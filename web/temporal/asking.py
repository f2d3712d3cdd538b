"""What Temporal UI is told of a request: where it goes, and the few headers that go with it."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.requests import Request

from plixo.domain.refusals import NotFound, Refused

ROOT: Final = "/temporal"
"""Where it lives on the console; it is told so itself, by `--ui-public-path` or `TEMPORAL_UI_PUBLIC_PATH`."""
CALLS: Final = f"{ROOT}/api/v1/"
"""Below it are the calls of its pages; everything else is pages, scripts and styles."""
ASSETS: Final = f"{ROOT}/_app/"
"""Below it are its scripts and styles."""
FRAME: Final = f"{ROOT}/render"
"""Shows a workflow's summary in a frame, under a policy of its own that lets nothing run."""
MAX_WORKFLOWS: Final = 500
"""Named in one request: as many as a page of Temporal UI shows."""

_PASSED_ON: Final = ("accept", "caller-type", "content-type", "if-modified-since", "if-none-match")
"""No cookie and no authorization of ours, no word on who asks or from where, and no other method in disguise."""
_TARGET: Final = re.compile(rb"[!-~]*", re.ASCII)
_NAMESPACE: Final = rf"{re.escape(CALLS)}namespaces/[^/]+/"
_QUERY: Final = re.compile(rf"{_NAMESPACE}workflows/[^/]+/query/[^/]+")
_WHAT: Final = re.compile(rf"{_NAMESPACE}(?:workflows/[^/]+/)?(?P<what>.+)")
_APPROVAL: Final = re.compile(r"\b[A-Z]{2}-[A-Z2-7]{26}\b")
_ESCAPED: Final = re.compile(r"\\u(?P<letter>[0-9A-Fa-f]{4})")


@dataclass(frozen=True)
class Asked:
    """A request to Temporal UI.

    Attributes:
        method: HTTP's.
        path: Below `ROOT`, percent-encoded as it came.
        query: The same, without its question mark.
    """

    method: str
    path: str
    query: str

    @classmethod
    def of(cls, request: Request) -> "Asked":
        """The request, if its address is one of Temporal UI's.

        Raises:
            NotFound: The address leads out of `ROOT` or into it twice, or is none that a browser would send.
        """
        path, query = request.scope["raw_path"], request.scope["query_string"]
        plain = _TARGET.fullmatch(path) and _TARGET.fullmatch(query) and b"#" not in path + query
        if not plain or not _stays_within(path.decode()):
            raise NotFound.one("", "not_found", "There is nothing at this address.")
        return cls(request.method, path.decode(), query.decode())

    @property
    def target(self) -> bytes:
        """What goes over the wire.

        Under a public path, Temporal UI 2.54 takes that path off each address and then looks for the frame below it.
        """
        path = ROOT + FRAME if self.path == FRAME else self.path
        return (f"{path}?{self.query}" if self.query else path).encode()

    @property
    def writes(self) -> bool:
        """Whether it changes something; a query of a workflow is posted, and changes nothing."""
        return self.method != "GET" and not (self.method == "POST" and _QUERY.fullmatch(self.path))

    @property
    def what(self) -> str:
        """What is asked, such as `POST terminate` or `POST signal/submit_decision`."""
        found = _WHAT.fullmatch(self.path)
        return f"{self.method} {found['what'] if found else self.path}"

    def approval_ids(self, body: bytes) -> Sequence[str]:
        """The approvals whose workflows it is about; what concerns several, or an activity, names them in the body.

        Raises:
            Refused: They are too many to keep of each that it was asked for.
        """
        text = f"{unquote(self.path)} {body.decode(errors='replace')}"
        # Whoever writes JSON may escape any letter.
        plain = _ESCAPED.sub(lambda escaped: chr(int(escaped["letter"], 16)), text)
        found = tuple(dict.fromkeys(_APPROVAL.findall(f"{text} {plain}")))
        if len(found) > MAX_WORKFLOWS:
            raise Refused.one("executions", "too_many", f"Choose at most {MAX_WORKFLOWS} workflows at once.")
        return found


def headers_for(told: Headers) -> dict[str, str]:
    """The headers that Temporal UI gets.

    Its own guard against foreign posts wants a cookie and a header that agree. We have turned foreign posts away
    already, and a cookie of another program has no place beside ours, so both are made here.

    Args:
        told: What the browser sent.
    """
    token = secrets.token_hex(16)
    packing = "gzip" if "gzip" in told.get("accept-encoding", "") else "identity"
    made = {"accept-encoding": packing, "cookie": f"_csrf={token}", "x-csrf-token": token}
    return {name: told[name] for name in _PASSED_ON if name in told} | made


def _stays_within(path: str) -> bool:
    """Whether every reader of this path, however often it decodes it, is still below `ROOT` with it, and only once.

    Below `ROOT` twice is the frame, which prints what its address holds: `Asked.target` alone names it.
    """
    decoded = path
    for _ in range(3):
        decoded = unquote(decoded)
    steps = [step for step in re.split(r"[/\\]", decoded) if step]
    leads_out = not decoded.isprintable() or {".", ".."} & set(steps) or steps[:2] == [ROOT[1:]] * 2
    return (path == ROOT or path.startswith(f"{ROOT}/")) and not leads_out
