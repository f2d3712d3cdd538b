"""The checker's own canonical JSON and its own verifier of signed statements (RFC 7515, Ed25519)."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from demo.check_model import Row, UnreadableError

AUDIENCE: Final = "plixo:approvals"
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class BadSignatureError(Exception):
    """A statement is not the staff side's, or was signed as something else."""


def canonical(value: object) -> bytes:
    """Sorted keys, no blanks, UTF-8.

    Raises:
        ValueError: It holds a float, or text that UTF-8 cannot say: such a value was never hashed or signed.
    """
    if _holds_float(value):
        raise ValueError("a float has no exact spelling")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(value: object) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def load_keys(path: Path) -> Mapping[str, Ed25519PublicKey]:
    """The public keys in a JWK set, by key id.

    Raises:
        UnreadableError: The file is missing, or holds something else.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return {entry["kid"]: _key(entry) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise UnreadableError(f"There are no public keys to be read in {path}: {broken!r}") from broken


def verify(token: str, kind: str, keys: Mapping[str, Ed25519PublicKey]) -> Row:
    """The claims of a signed statement: `iat`, `exp` and `body`.

    Args:
        token: Compact JWS.
        kind: `request` or `decision`.
        keys: Whom to believe.

    Raises:
        BadSignatureError: Nobody on the staff side signed this as such a statement.
    """
    parts = token.split(".")
    try:
        header, payload, signature = (_decoded(part) for part in parts)
        said = json.loads(header)
        _check_header(said, kind)
        keys[said["kid"]].verify(signature, f"{parts[0]}.{parts[1]}".encode())
        claims = json.loads(payload)
    except (ValueError, KeyError, TypeError, InvalidSignature) as broken:
        raise BadSignatureError(f"it is not signed by the staff side ({type(broken).__name__})") from broken
    if not isinstance(claims, dict) or claims.get("aud") != AUDIENCE or not isinstance(claims.get("body"), dict):
        raise BadSignatureError("it was signed for somebody else")
    return claims


def _check_header(said: object, kind: str) -> None:
    if not isinstance(said, dict) or said.get("alg") != "Ed25519" or "crit" in said:
        raise BadSignatureError("it is signed in another way than Ed25519")
    if said.get("typ") != f"plixo-{kind}+jws":
        raise BadSignatureError(f"it was not signed as a {kind}")


def _key(entry: Row) -> Ed25519PublicKey:
    if (entry["kty"], entry["crv"]) != ("OKP", "Ed25519"):
        raise ValueError("not an Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(_decoded(entry["x"]))


def _decoded(part: str) -> bytes:
    if not _PART.fullmatch(part):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _holds_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_float(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_float(item) for item in value)
    return isinstance(value, float)
