"""A browser's way to the provider and back."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Trip:
    """What ties the answer to the browser that asked.

    All three come from one secret that the browser alone keeps, so nothing that we store is of use to a thief.

    Attributes:
        state: Comes back in the address; proves that the answer belongs to this browser's question.
        nonce: Comes back inside the ID token; proves that the token was made for this question.
        verifier: Shown when the code is redeemed (PKCE); a code taken on its way is worth nothing without it.
    """

    state: str
    nonce: str
    verifier: str

    @classmethod
    def of(cls, secret: str) -> "Trip":
        """The trip of the browser with this secret of at least 128 random bits."""
        return cls(*(_derived(secret, purpose) for purpose in ("state", "nonce", "verifier")))

    def began_with(self, state: str) -> bool:
        """Whether an answer with this state belongs here."""
        return hmac.compare_digest(self.state.encode(), state.encode(errors="replace"))


def _derived(secret: str, purpose: str) -> str:
    mixed = hmac.digest(secret.encode(errors="replace"), f"plixo sign-in {purpose}".encode(), sha256)
    return urlsafe_b64encode(mixed).rstrip(b"=").decode()
