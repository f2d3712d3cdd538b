"""Signed statements as compact JWS (RFC 7515) with Ed25519 (RFC 9864).

One algorithm is allowed, the audience says whom the statement is for, and the kind keeps a decision from being taken
for a request. Expiry bounds how long a statement may wait to be recorded; once recorded it holds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from plixo.domain.canonical import canonical_json
from plixo.domain.refusals import NotAllowed
from plixo.signing.keys import KeySource, key_id

ALGORITHM: Final = "Ed25519"
AUDIENCE: Final = "plixo:approvals"
LIFETIME: Final = timedelta(days=7)
"""How long a signed statement may wait to be recorded: longer than any outage we mean to survive."""
SKEW: Final = timedelta(minutes=5)
"""How far ahead the signer's clock may be."""


@dataclass(frozen=True)
class StaffSigner:
    """Signs requests and decisions for the staff side; lives in the console's process alone."""

    key: OKPKey

    def sign(self, kind: str, body: Mapping[str, Any], *, now: datetime) -> str:
        """A compact JWS over the body.

        Args:
            kind: `request` or `decision`.
            body: Plain data without floats.
            now: When it is signed.
        """
        header = {"alg": ALGORITHM, "kid": key_id(self.key), "typ": f"plixo-{kind}+jws"}
        issued = int(now.timestamp())
        claims = {"aud": AUDIENCE, "iat": issued, "exp": issued + int(LIFETIME.total_seconds()), "body": dict(body)}
        return jws.serialize_compact(header, canonical_json(claims), self.key, algorithms=[ALGORITHM])


@dataclass(frozen=True)
class StaffVerifier:
    """Checks what the staff side signed; holds public keys only.

    Attributes:
        keys: The keys, or where they come from.
    """

    keys: KeySet | KeySource

    def verify(self, token: str, kind: str, *, now: datetime | None) -> Mapping[str, Any]:
        """The signed body.

        Args:
            token: Compact JWS.
            kind: `request` or `decision`.
            now: Refuse when it had expired by then; None where expiry no longer matters, as when money moves on a
                decision that was recorded in time.

        Raises:
            NotAllowed: It is forged, altered, expired, or meant for something else.
        """
        signed, claims = self._claims(token)
        if signed.headers().get("typ") != f"plixo-{kind}+jws" or claims.get("aud") != AUDIENCE:
            raise NotAllowed.one("signature", "signature_for_something_else", f"This was not signed as a {kind}.")
        if now is not None:
            _check_time(claims, now)
        body: Mapping[str, Any] = claims["body"]
        return body

    def signed_at(self, token: str) -> datetime:
        """When something that was verified was signed, to the second.

        Raises:
            NotAllowed: It is not the staff side's.
        """
        _, claims = self._claims(token)
        return datetime.fromtimestamp(claims["iat"], UTC)

    def _claims(self, token: str) -> tuple[jws.CompactSignature, dict[str, Any]]:
        try:
            signed = jws.deserialize_compact(token, self.keys, algorithms=[ALGORITHM])
            claims = json.loads(signed.payload)
        except (JoseError, ValueError) as error:
            raise NotAllowed.one("signature", "signature_invalid", "The signature is not the staff side's.") from error
        return signed, claims


def _check_time(claims: Mapping[str, Any], now: datetime) -> None:
    issued = datetime.fromtimestamp(claims["iat"], UTC)
    expires = datetime.fromtimestamp(claims["exp"], UTC)
    if now >= expires:
        raise NotAllowed.one("signature", "signature_expired", "This was signed too long ago; decide again.")
    if issued > now + SKEW:
        raise NotAllowed.one("signature", "signature_from_future", "This was signed with a clock that runs ahead.")
