"""Bringing one row to the API: patient with what passes, quick to end where nothing more can come of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from plixo.domain.refusals import Problem
from starters.cli.api import Api

if TYPE_CHECKING:
    import httpx

PATIENCE: Final = 300.0
"""Seconds that a row waits in all for an API that is away or busy, before the import ends."""

LONGEST_PAUSE: Final = 30.0
_FIRST_PAUSE: Final = 0.5
_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
_REFUSED: Final = frozenset({400, 409, 413, 422})
_SIGNED_OUT, _FORBIDDEN, _BROKEN = 401, 403, 500
_TRIES_OF_BROKEN: Final = 3


class Halt(Exception):
    """There is no use in going on with any row; the message says why and what to do."""


@dataclass(frozen=True)
class Given:
    """What the API made of a row.

    Attributes:
        answer: Its JSON, where it took the row.
        problem: What is wrong, where it did not.
        refused: It said so itself; otherwise it failed, and the row may have been taken all the same.
    """

    answer: Mapping[str, Any]
    problem: Problem | None = None
    refused: bool = False


@dataclass
class Courier:
    """Sends, waits and sends again; each row has its request id, so that sent twice it is one request.

    Attributes:
        api: Where to.
        sleep: Waits this many seconds.
    """

    api: Api
    sleep: Callable[[float], None]
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Begin nothing more, and wait for nothing."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def ask(self, fields: Mapping[str, str], *, dry_run: bool) -> Given:
        """Ask for the credit, or for its preview.

        Raises:
            Halt: Nobody is signed in (any more), the API is away for too long, or it is no API of Plixo's.
        """
        response = self._patiently("credits/preview" if dry_run else "credits", {**fields, "bulk": True})
        if response.is_success:
            return Given(self._json(response))
        problem = self._problem(response)
        return Given({}, problem, refused=response.status_code in _REFUSED)

    def known(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Those that were used already.

        Raises:
            Halt: As `ask`.
        """
        response = self._patiently("credits/known", {"request_ids": list(request_ids)})
        if not response.is_success:
            raise Halt(self._problem(response).message)
        found: Sequence[Mapping[str, Any]] = self._json(response)["known"]
        return found

    def _patiently(self, place: str, body: Mapping[str, Any]) -> "httpx.Response":
        waited, tries = 0.0, 0
        while True:
            tries += 1
            response, why = self._once(place, body)
            pause = min(_FIRST_PAUSE * 2**tries, LONGEST_PAUSE)
            if response is not None:
                self._check(response)
                broken = response.status_code == _BROKEN and tries < _TRIES_OF_BROKEN
                if response.status_code not in _PASSING and not broken:
                    return response
                pause, why = _asked_to_wait(response) or pause, self._words(response)
            if waited + pause > PATIENCE:
                raise Halt(why)
            waited += pause
            self._rest(pause)

    def _once(self, place: str, body: Mapping[str, Any]) -> "tuple[httpx.Response | None, str]":
        import httpx  # noqa: PLC0415 - `plixo --help` stays quick

        try:
            return self.api.client.post(f"{self.api.address}/api/v1/{place}", json=body), ""
        except httpx.ConnectError:
            return None, f"Plixo is not running at {self.api.address}."
        except httpx.HTTPError as lost:
            return None, f"{self.api.address} gave no answer: {type(lost).__name__}."

    def _check(self, response: "httpx.Response") -> None:
        """End at once where every row would be told the same."""
        if response.status_code == _SIGNED_OUT:
            raise Halt("Your sign-in has ended; run `plixo login`.")
        if response.status_code == _FORBIDDEN:
            raise Halt(self._problem(response).message)

    def _words(self, response: "httpx.Response") -> str:
        """Why it does not answer now; what stands before it may say so in any form."""
        try:
            return self._problem(response).message
        except Halt:
            return f"{self.api.address} answers {response.status_code}."

    def _problem(self, response: "httpx.Response") -> Problem:
        error = self._json(response).get("error")
        if not isinstance(error, dict):
            raise Halt(self._stranger(response))
        first = (error.get("fields") or [{}])[0]
        said = [str(one.get("message") or "") for one in error.get("fields") or []]
        code = str(first.get("code") or error.get("code") or "")
        return Problem(str(first.get("field") or ""), code, " ".join(said) or str(error.get("message") or code))

    def _json(self, response: "httpx.Response") -> Mapping[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Halt(self._stranger(response))
        return found

    def _stranger(self, response: "httpx.Response") -> str:
        where = self.api.address
        return f"{where} answers {response.status_code}, but not as Plixo's API; check --api or PLIXO_API."

    def _rest(self, seconds: float) -> None:
        """Wait, a second at a time, so that a stop is heeded."""
        while seconds > 0 and not self.stopping:
            self.sleep(min(seconds, 1.0))
            seconds -= 1.0
        if self.stopping:
            raise Halt("")


def _asked_to_wait(response: "httpx.Response") -> float:
    """Seconds of `Retry-After`; 0 where there is none that can be used."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), PATIENCE) if said.isascii() and said.isdigit() else 0.0
