"""What the staff side did not sign, for this and now, is refused."""

import base64
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.refusals import NotAllowed
from plixo.signing.keys import key_id
from plixo.signing.tokens import AUDIENCE, LIFETIME, SKEW, StaffSigner, StaffVerifier
from tests.support.rows import FOREIGN_KEY, KEY, NOW, public

BODY = {"approval_id": "CR-1", "amount_minor": 420_000, "note": "Größe"}
SIGNER, VERIFIER = StaffSigner(KEY), StaffVerifier(public(KEY))
TOKEN = SIGNER.sign("request", BODY, now=NOW)


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def opened(text: str) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=="))
    return plain


def signed(claims: object, header: dict[str, Any] | None = None) -> str:
    """A token with our own key, whatever it says: what only a bug of ours could make."""
    start = f"{part(header or opened(TOKEN.split('.')[0]))}.{part(claims)}"
    secret = base64.urlsafe_b64decode(str(KEY.as_dict(private=True)["d"]) + "==")
    return f"{start}.{part(Ed25519PrivateKey.from_private_bytes(secret).sign(start.encode()))}"


def claims(**changed: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp())
    return {"aud": AUDIENCE, "iat": issued, "exp": issued + 60, "body": BODY} | changed


def refusal(token: str, kind: str = "request", now: datetime | None = NOW) -> str:
    with pytest.raises(NotAllowed) as caught:
        VERIFIER.verify(token, kind, now=now)
    return caught.value.code


def test_what_was_signed_comes_back() -> None:
    assert VERIFIER.verify(TOKEN, "request", now=NOW) == BODY
    assert VERIFIER.verify(signed(claims()), "request", now=NOW) == BODY


def test_the_header_names_the_key_and_says_what_it_is() -> None:
    assert opened(TOKEN.split(".")[0]) == {"alg": "Ed25519", "kid": key_id(KEY), "typ": "plixo-request+jws"}


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("where", [0, 1, 2])
def test_any_letter_changed_is_a_forgery(where: int) -> None:
    parts = TOKEN.split(".")
    middle = len(parts[where]) // 2
    letter = "A" if parts[where][middle] != "A" else "B"
    parts[where] = parts[where][:middle] + letter + parts[where][middle + 1 :]
    assert refusal(".".join(parts)) == "signature_invalid"


@pytest.mark.asvs("9.1.2")
@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "EdDSA", "ES256", "RS256", "", None, ["Ed25519"]])
def test_no_other_algorithm_is_taken(algorithm: object) -> None:
    header = {"alg": algorithm, "kid": key_id(KEY), "typ": "plixo-request+jws"}
    payload = part(claims())
    assert refusal(f"{part(header)}.{payload}.") == "signature_invalid"
    assert refusal(f"{part(header)}.{payload}.{TOKEN.split('.')[2]}") == "signature_invalid"
    assert refusal(signed(claims(), header)) == "signature_invalid"


@pytest.mark.asvs("9.1.2")
def test_our_public_key_is_no_shared_secret() -> None:
    plain = json.dumps(KEY.as_dict(private=False))
    raw = base64.urlsafe_b64decode(str(KEY.as_dict(private=False)["x"]) + "==")
    for secret in (raw, plain.encode(), str(KEY.as_dict(private=False)["x"]).encode()):
        start = f"{part({'alg': 'HS256', 'kid': key_id(KEY), 'typ': 'plixo-request+jws'})}.{part(claims())}"
        assert refusal(f"{start}.{part(hmac.digest(secret, start.encode(), 'sha256'))}") == "signature_invalid"


@pytest.mark.asvs("9.1.3")
@pytest.mark.parametrize("names", [key_id(KEY), key_id(FOREIGN_KEY), None], ids=["ours", "its own", "none"])
def test_a_foreign_key_signs_nothing_whatever_key_it_names(names: str | None) -> None:
    token = StaffSigner(FOREIGN_KEY).sign("request", BODY, now=NOW)
    header = opened(token.split(".")[0]) | {"kid": names, "jwk": FOREIGN_KEY.as_dict(private=False)}
    if names is None:
        del header["kid"]
    start = f"{part(header)}.{token.split('.')[1]}"
    secret = base64.urlsafe_b64decode(str(FOREIGN_KEY.as_dict(private=True)["d"]) + "==")
    forged = f"{start}.{part(Ed25519PrivateKey.from_private_bytes(secret).sign(start.encode()))}"
    assert refusal(token) == refusal(forged) == "signature_invalid"


@pytest.mark.asvs("9.2.3")
@pytest.mark.parametrize("audience", ["plixo:portal", "", None, [AUDIENCE]])
def test_what_is_meant_for_somebody_else_is_refused(audience: object) -> None:
    assert refusal(signed(claims(aud=audience))) == "signature_for_something_else"


@pytest.mark.asvs("9.2.2")
def test_a_request_is_no_decision_nor_the_other_way_round() -> None:
    assert refusal(TOKEN, "decision") == "signature_for_something_else"
    assert refusal(SIGNER.sign("decision", BODY, now=NOW)) == "signature_for_something_else"
    untyped = opened(TOKEN.split(".")[0])
    del untyped["typ"]
    assert refusal(signed(claims(), untyped)) == "signature_for_something_else"


@pytest.mark.asvs("9.2.1")
def test_it_holds_until_the_moment_it_expires() -> None:
    last = NOW + LIFETIME - timedelta(seconds=1)
    assert VERIFIER.verify(TOKEN, "request", now=last) == BODY
    assert refusal(TOKEN, now=NOW + LIFETIME) == "signature_expired"


@pytest.mark.asvs("9.2.1")
def test_recorded_in_time_it_holds_for_good() -> None:
    assert VERIFIER.verify(TOKEN, "request", now=None) == BODY


def test_a_signers_clock_may_run_ahead_a_little() -> None:
    assert VERIFIER.verify(TOKEN, "request", now=NOW - SKEW) == BODY
    assert refusal(TOKEN, now=NOW - SKEW - timedelta(seconds=1)) == "signature_from_future"


@given(st.text(max_size=200) | st.lists(st.text(max_size=40), min_size=3, max_size=3).map(".".join))
def test_any_text_that_is_no_token_is_refused_and_nothing_else(text: str) -> None:
    assert refusal(text) == "signature_invalid"


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    st.binary(max_size=80),
)
def test_any_header_of_ones_own_is_refused(header: dict[str, Any], signature: bytes) -> None:
    full = {"alg": "Ed25519", "kid": key_id(KEY), **header}
    assert refusal(f"{part(full)}.{part(claims())}.{part(signature)}") == "signature_invalid"


def test_a_float_cannot_be_signed() -> None:
    with pytest.raises(TypeError):
        SIGNER.sign("request", {"amount": 1.5}, now=NOW)
