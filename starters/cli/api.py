"""Plixo's API as commands use it: one way in, and every failure said in one line."""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from plixo.domain.people import Group
from starters.cli import tokens
from starters.cli.failures import USAGE, CommandFailed, Unanswered
from starters.cli.reach import Reach
from starters.cli.settings import load_settings
from starters.cli.world import WORLD

SECONDS: Final = 30.0
"""How long one answer may take."""
_OPTIONS: Final = frozenset(
    "customer amount currency reason invoice note memo request_id comment state q from to".split()
)
_UNAUTHENTICATED: Final = 401
_SERVER: Final = 500


@dataclass(frozen=True)
class Api:
    """The API of one address, for one person.

    Attributes:
        address: Without a slash at its end.
        client: Sends the requests.
        role: Whom `--as` names; empty for whoever is signed in.
    """

    address: str
    client: httpx.Client
    role: str = ""

    def get(self, *path: str, **query: str | int | None) -> Any:  # noqa: ANN401 - parsed JSON
        """Read.

        Args:
            path: Its parts under `/api/v1`.
            query: Parameters; those without a value are left out.

        Raises:
            CommandFailed: It is refused, or there is no answer.
        """
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return self._answer(self._send("GET", path, params=given))

    def post(self, *path: str, **body: Any) -> Any:  # noqa: ANN401 - parsed JSON
        """Ask for something.

        Raises:
            CommandFailed: It is refused, or there is no answer.
        """
        return self._answer(self._send("POST", path, json=body))

    def upload(self, *path: str, field: str, name: str, content: bytes) -> Any:  # noqa: ANN401 - parsed JSON
        """Send a file as a form does.

        Args:
            path: Its parts under `/api/v1`.
            field: The form's field.
            name: What the file is called.
            content: Its bytes.

        Raises:
            CommandFailed: It is refused, or there is no answer.
        """
        return self._answer(self._send("POST", path, files={field: (name, content, "application/octet-stream")}))

    def download(self, *path: str) -> bytes:
        """Read what is no JSON; it is held in memory.

        Raises:
            CommandFailed: It is refused, or there is no answer.
        """
        response = self._send("GET", path)
        if not response.is_success:
            self._answer(response)
        return response.content

    def follow(self, *path: str, **body: Any) -> Iterator[Any]:  # noqa: ANN401 - parsed JSON
        """Ask for something long that tells how far it is: each line of its answer, the last one the result.

        Raises:
            CommandFailed: It is refused, or there is no answer, or it breaks off.
        """
        place = "/".join(("api", "v1", *path))
        try:
            how = {"params": {"progress": "true"}, "json": body}
            with self.client.stream("POST", f"{self.address}/{place}", **how) as response:  # type: ignore[arg-type]
                if not response.is_success:
                    response.read()
                    self._answer(response)
                for text in response.iter_lines():
                    told = json.loads(text)
                    if "error" in told:
                        raise CommandFailed(_words(told["error"], _SERVER))
                    yield told
        except httpx.ConnectError as error:
            raise CommandFailed(f"Plixo is not running at {self.address}; start it with `make up`.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise Unanswered(f"{self.address} broke off: {error}.") from error

    def ask(self, *path: str, **body: str) -> tuple[int, Any]:
        """Ask for something whose refusal is an answer, too: the status and the JSON."""
        response = self._send("POST", path, json=body)
        return response.status_code, self._json(response)

    def _send(self, method: str, path: tuple[str, ...], **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        place = "/".join(quote(part, safe="") for part in ("api", "v1", *path))
        try:
            return self.client.request(method, f"{self.address}/{place}", **how)
        except httpx.ConnectError as error:
            raise CommandFailed(f"Plixo is not running at {self.address}; start it with `make up`.") from error
        except httpx.TimeoutException as error:
            raise Unanswered(f"{self.address} did not answer within {SECONDS:.0f} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(f"{self.address} gave no answer: {error}.") from error

    def _answer(self, response: httpx.Response) -> Any:  # noqa: ANN401 - parsed JSON
        answer = self._json(response)
        if response.is_success:
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        if response.status_code == _UNAUTHENTICATED:
            raise CommandFailed(f"Nobody is signed in at {self.address}; run `plixo login`{_in_dev(self.address)}.")
        if not isinstance(error, dict):
            raise self._stranger(response)
        raise CommandFailed(_words(error, response.status_code))

    def _json(self, response: httpx.Response) -> Any:  # noqa: ANN401 - parsed JSON
        try:
            return response.json()
        except ValueError:
            raise self._stranger(response) from None

    def _stranger(self, response: httpx.Response) -> CommandFailed:
        return CommandFailed(
            f"{self.address} answers {response.status_code}, but not as Plixo's API; check --api or PLIXO_API."
        )


@contextmanager
def open_api(reach: Reach, *, signed_in: bool = True) -> Iterator[Api]:
    """The API, with the token of whoever is signed in, or of the role that `--as` names.

    Raises:
        CommandFailed: The address is none, or nobody is signed in there.
    """
    where = address(reach)
    with httpx.Client(transport=WORLD.get().transport, timeout=SECONDS, follow_redirects=False) as client:
        api = Api(where, client, reach.role)
        if signed_in:
            token = _token_as(api, reach.role) if reach.role else tokens.find(where)
            if not token:
                raise CommandFailed(f"Nobody is signed in at {where}; run `plixo login`{_in_dev(where)}.")
            client.headers["Authorization"] = f"Bearer {token}"
        yield api


def address(reach: Reach) -> str:
    """The API's address, from `--api`, `PLIXO_API` or the settings.

    Raises:
        CommandFailed: It is no address, or would carry the token over the network for anybody to read.
    """
    given = (reach.api or load_settings().base_url).strip().rstrip("/")
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise CommandFailed("--api must be an address such as https://plixo.company.example.", USAGE)
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise CommandFailed(f"{given} would show your token to the network; use https.", USAGE)
    return given


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_dev(where: str) -> str:
    return ", or in dev add --as controller" if _loopback(urlsplit(where).hostname or "") else ""


def _token_as(api: Api, role: str) -> str:
    plain = role.strip().lower().replace("-", "_").replace(" ", "_")
    if plain not in set(Group):
        raise CommandFailed(f"--as takes one of {', '.join(Group)}.", USAGE)
    return str(api.post("dev", "token", role=plain)["token"])


def _words(error: Mapping[str, Any], status: int) -> str:
    fields = [_field(found) for found in error.get("fields") or []]
    said = " ".join(fields) or str(error.get("message") or error.get("code") or "It is refused.")
    if status < _SERVER:
        return said
    number = error.get("request_id")
    return f"Plixo cannot do this now: {said}" + (f" (request {number})" if number else "")


def _field(found: Mapping[str, Any]) -> str:
    name, message = str(found.get("field") or ""), str(found.get("message") or "")
    return f"--{name.replace('_', '-')}: {message}" if name in _OPTIONS else message
