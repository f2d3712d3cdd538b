"""An organisation's identity provider on loopback: keys of its own, real codes, real ID tokens, and lies on demand."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "plixo console", "a secret: with/odd+letters"
RSA, EC, OKP = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
    OKPKey.generate_key("Ed25519", {"kid": "okp"}),
)


def part(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_rsa(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSA)


@dataclass
class Organisation:
    """What it says and what it was asked.

    Attributes:
        url: Where it is, which is also its issuer.
        claims: Put into every ID token over what would be right; None leaves a claim out.
        sign: Makes the ID token of claims.
        says: Put into the discovery document over what would be right.
        token_status: What the token endpoint answers with, where it fails.
        forgets: Takes a code as often as it comes.
        asked: Queries of browsers that were sent here.
        redeemed: Forms and headers that came to the token endpoint.
        given: ID tokens that went out.
    """

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = by_rsa
    says: dict[str, Any] = field(default_factory=dict)
    token_status: int = 200
    forgets: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    def behave(self) -> None:
        """Back to what is right, with nothing remembered."""
        fresh = Organisation()
        for name in vars(fresh).keys() - {"url"}:
            setattr(self, name, getattr(fresh, name))

    async def discovery(self, _request: Request) -> Response:
        right = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return JSONResponse(right | self.says)

    async def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in (RSA, EC, OKP)]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.url})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}")

    async def token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.redeemed.append(form)
        if self.token_status != 200:
            return Response("<h1>oops</h1>", self.token_status)
        asked = self.codes.get(form["code"], {}) if self.forgets else self.codes.pop(form["code"], {})
        challenge = part(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        right = self._client(request, form) and asked.get("redirect_uri") == form["redirect_uri"]
        if not right or (asked["code_challenge"], asked["code_challenge_method"]) != (challenge, "S256"):
            return JSONResponse({"error": "invalid_grant", "error_description": f"no: {form['code']}"}, 400)
        now = int(time.time())
        right_claims = {"iss": self.url, "aud": CLIENT_ID, "sub": "s-1", "iat": now, "exp": now + 300, "auth_time": now}
        right_claims |= {"nonce": asked["nonce"], "email": "controller@plixo.example", "email_verified": True}
        said = {name: value for name, value in (right_claims | self.claims).items() if value is not None}
        self.given.append(self.sign(said))
        return JSONResponse({"access_token": "at-1", "token_type": "Bearer", "id_token": self.given[-1]})

    def _client(self, request: Request, form: dict[str, str]) -> bool:
        if self.says.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        name, _, secret = base64.b64decode(told).decode().partition(":")
        return (kind, unquote(name), unquote(secret)) == ("Basic", CLIENT_ID, CLIENT_SECRET)
