"""The identity provider: where to send a browser, and who came back.

Nothing of it is kept between two sign-ins: they are rare, and so neither keys nor addresses can be out of date.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]  # Authlib ships no types
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from plixo.config import Settings
from plixo.oidc.failures import NotProven, ProviderAway
from plixo.oidc.id_token import Proof, read_id_token
from plixo.oidc.trip import Trip

TIMEOUT: Final = 10.0
"""Seconds that the provider may take for an answer."""
SCOPE: Final = "openid email"
CALLBACK: Final = "/sign-in/callback"
"""The page that the provider sends browsers back to; it is registered there."""

_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
_BASIC: Final = "client_secret_basic"
_POST: Final = "client_secret_post"


@dataclass(frozen=True)
class Endpoints:
    """The provider's addresses, by its own word.

    Attributes:
        authorization: Where browsers go.
        token: Where codes are redeemed.
        keys: Where its public keys are.
        secret_in_form: Whether it takes the client's secret in the form alone, and not in a header.
    """

    authorization: str
    token: str
    keys: str
    secret_in_form: bool


@dataclass(frozen=True)
class Provider:
    """The organisation's identity provider, with this installation's registration at it.

    Attributes:
        settings: Issuer, client id and secret, and where browsers come back to.
        http: What calls it; follows no redirects.
        clock: What time it is.
    """

    settings: Settings
    http: httpx.AsyncClient
    clock: Callable[[], datetime]

    @property
    def callback(self) -> str:
        """Where browsers come back to."""
        return self.settings.base_url.rstrip("/") + CALLBACK

    async def way_in(self, trip: Trip, *, max_age: int, ask_again: bool) -> str:
        """The address to send a browser to.

        Args:
            trip: What its answer must match.
            max_age: Seconds since they last proved who they are, after which the provider asks them again.
            ask_again: Whether it asks in any case.

        Raises:
            ProviderAway: The provider does not say where.
        """
        endpoints = await self._endpoints()
        client = OAuth2Client(None, self.settings.oidc_client_id, scope=SCOPE, code_challenge_method="S256")
        asked = {"nonce": trip.nonce, "max_age": str(max_age), "prompt": "login" if ask_again else None}
        address, _state = client.create_authorization_url(
            endpoints.authorization,
            state=trip.state,
            code_verifier=trip.verifier,
            redirect_uri=self.callback,
            **asked,
        )
        return str(address)

    async def redeem(self, code: str, trip: Trip) -> Proof:
        """Who came back with this code.

        Raises:
            NotProven: The provider does not take the code, or its ID token does not hold.
            ProviderAway: The provider cannot be asked.
        """
        endpoints = await self._endpoints()
        token = await self._id_token(endpoints, code, trip.verifier)
        return read_id_token(
            token,
            await self._keys(endpoints),
            issuer=self.settings.oidc_issuer,
            client_id=self.settings.oidc_client_id,
            nonce=trip.nonce,
            now=self.clock(),
        )

    async def _endpoints(self) -> Endpoints:
        issuer = self.settings.oidc_issuer
        said = await self._document(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise ProviderAway("the provider calls itself otherwise than PLIXO_OIDC_ISSUER does")
        methods = said.get("token_endpoint_auth_methods_supported") or [_BASIC]
        return Endpoints(
            authorization=self._address(said, "authorization_endpoint"),
            token=self._address(said, "token_endpoint"),
            keys=self._address(said, "jwks_uri"),
            secret_in_form=_BASIC not in methods and _POST in methods,
        )

    def _address(self, said: Mapping[str, Any], name: str) -> str:
        address = said.get(name)
        allowed = {"https", "http"} if self.settings.dev else {"https"}
        if not isinstance(address, str) or urlsplit(address).scheme not in allowed:
            raise ProviderAway(f"the provider names no {name} that is an https:// address")
        return address

    async def _keys(self, endpoints: Endpoints) -> KeySet:
        listed = (await self._document(endpoints.keys)).get("keys")
        known = [key for key in listed if _signs(key)] if isinstance(listed, list) else []
        try:
            return KeySet.import_key_set({"keys": known})
        except (JoseError, ValueError) as error:
            raise ProviderAway("the provider's keys cannot be read") from error

    async def _id_token(self, endpoints: Endpoints, code: str, verifier: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        form["code_verifier"] = verifier
        name, secret = self.settings.oidc_client_id, self.settings.oidc_client_secret.get_secret_value()
        if endpoints.secret_in_form:
            asked = self.http.post(endpoints.token, data=form | {"client_id": name, "client_secret": secret})
        else:
            # RFC 6749, 2.3.1: both are form-encoded before they go into the header.
            asked = self.http.post(endpoints.token, data=form, auth=(quote(name, safe=""), quote(secret, safe="")))
        said = await _answer(asked, "token endpoint")
        token = said.get("id_token")
        if not isinstance(token, str):
            raise NotProven(f"the token endpoint gave no ID token: {known_error(said.get('error'))}")
        return token

    async def _document(self, address: str) -> Mapping[str, Any]:
        said = await _answer(self.http.get(address), "discovery or keys")
        if "error" in said:
            raise ProviderAway("the provider refuses to describe itself")
        return said


@asynccontextmanager
async def open_provider(settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[Provider | None]:
    """The provider that the settings name; None where they name none."""
    if not settings.oidc_issuer:
        yield None
        return
    async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as http:
        yield Provider(settings, http, clock)


def known_error(said: object) -> str:
    """The provider's word for an error, where it is one: anything else may hold what no log should."""
    return said if isinstance(said, str) and re.fullmatch(r"[a-z_]{1,40}", said) else "no reason given"


def _signs(key: object) -> bool:
    return isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"


async def _answer(asked: Awaitable[httpx.Response], what: str) -> Mapping[str, Any]:
    try:
        answer = await asked
        said = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ProviderAway(f"no answer from the provider ({what}): {type(error).__name__}") from None
    refused = answer.is_client_error and isinstance(said, dict) and "error" in said
    if not isinstance(said, dict) or not (answer.is_success or refused):
        raise ProviderAway(f"no answer from the provider ({what}): status {answer.status_code}")
    return said
