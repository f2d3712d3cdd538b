"""What an ID token proves, once its signature and its claims hold (OpenID Connect Core, 3.1.3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # Authlib ships no types
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from plixo.domain.people import Group, groups_from_claim
from plixo.oidc.failures import NotProven

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA", "Ed25519")
"""Signatures by a private key that only the provider has; `Ed25519` is EdDSA's newer name (RFC 9864)."""

LEEWAY: Final = 60
"""Seconds that the provider's clock may be off."""


@dataclass(frozen=True)
class Proof:
    """Who somebody is, as their provider says.

    Attributes:
        email: Their address; what the directory knows them by.
        groups: What they are here for; None when the provider says nothing of groups.
        authenticated_at: When they last proved it to the provider; None when the provider does not say.
    """

    email: str
    groups: frozenset[Group] | None
    authenticated_at: datetime | None


def read_id_token(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: datetime) -> Proof:
    """Check an ID token.

    Args:
        token: As the provider's token endpoint gave it.
        keys: The provider's public keys.
        issuer: Who must have made it.
        client_id: Whom it must be for.
        nonce: The question it must answer.
        now: What time it is.

    Raises:
        NotProven: It is forged, for somebody else, for another question, expired, or names no verified address.
    """
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    try:
        signed = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(signed.claims, signed.header, options, {"nonce": nonce, "client_id": client_id})
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
    except (JoseError, ValueError, TypeError) as error:
        # The error's own words may repeat what the token says.
        what = f"{type(error).__name__} {getattr(error, 'claim', '')}".strip()
        raise NotProven(f"the ID token does not hold: {what}") from None
    return Proof(_email(claims), _groups(claims), _moment(claims.get("auth_time"), now))


def _email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or not email.isascii() or not email.isprintable() or "@" not in email:
        # Letters beyond ASCII may fold into others: two addresses would look like one.
        raise NotProven("the ID token names no mail address that the directory could know")
    if claims.get("email_verified", True) not in (True, "true"):
        raise NotProven("the provider has not verified the mail address")
    return email


def _groups(claims: Mapping[str, Any]) -> frozenset[Group] | None:
    return groups_from_claim(claims["groups"]) if "groups" in claims else None


def _moment(seconds: object, now: datetime) -> datetime | None:
    """The moment, never later than now; None for what is none, since the future proves nothing."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    latest = now.timestamp()
    return datetime.fromtimestamp(min(seconds, latest), UTC) if 0 < seconds <= latest + LEEWAY else None
