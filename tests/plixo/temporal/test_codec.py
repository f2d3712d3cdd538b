import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError

from plixo.messages.approvals import ApprovalRequest, Decide, Standing
from plixo.temporal.codec import (
    MAX_JSON_BYTES,
    Codec,
    NotPayloads,
    PayloadAltered,
    PayloadUnreadable,
    UnknownPayloadKey,
    decode_json,
    encode_json,
)
from plixo.temporal.converter import data_converter
from plixo.temporal.payload_keys import KeyRing, PayloadKey

NOW = datetime(2026, 5, 3, tzinfo=UTC)
KEY, OTHER = PayloadKey(secrets.token_bytes(32), NOW), PayloadKey(secrets.token_bytes(32), NOW)
CODEC = Codec(KeyRing.of(KEY))
BOTH = Codec(KeyRing(OTHER.key_id, {KEY.key_id: KEY, OTHER.key_id: OTHER}))

PAYLOADS = st.builds(
    Payload, metadata=st.dictionaries(st.text(st.characters(codec="utf-8")), st.binary()), data=st.binary()
)


@dataclass
class Note:
    words: str


def plain(value: object) -> Payload:
    return PayloadConverter.default.to_payloads([value])[0]


@pytest.mark.asvs("11.3.2")
@given(PAYLOADS)
def test_what_is_sealed_opens_as_it_was_metadata_and_all(payload: Payload) -> None:
    sealed = CODEC.seal(payload)

    assert CODEC.open(sealed) == payload
    assert dict(sealed.metadata) == {"encoding": b"binary/encrypted", "encryption-key-id": KEY.key_id.encode()}


def test_what_is_sealed_twice_is_never_the_same() -> None:
    assert len({CODEC.seal(plain("x")).data for _ in range(1000)}) == 1000


@pytest.mark.asvs("11.3.2")
def test_nothing_of_a_payload_is_left_in_the_clear() -> None:
    words = secrets.token_hex(16)
    sealed = CODEC.seal(Payload(metadata={"encoding": b"json/plain", words: words.encode()}, data=words.encode()))
    assert words.encode() not in sealed.SerializeToString()


def test_an_older_key_still_reads_and_the_current_one_writes() -> None:
    assert BOTH.open(CODEC.seal(plain("x"))) == plain("x")
    assert BOTH.seal(plain("x")).metadata["encryption-key-id"] == OTHER.key_id.encode()


def test_a_payload_of_another_key_is_named_as_such() -> None:
    with pytest.raises(UnknownPayloadKey, match=OTHER.key_id):
        CODEC.open(BOTH.seal(plain("x")))


@pytest.mark.asvs("11.3.2")
@given(st.data())
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    sealed = CODEC.seal(plain({"approval_id": "CR-X"}))
    altered = bytearray(sealed.data)
    bit = data.draw(st.integers(0, len(altered) * 8 - 1))
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PayloadAltered):
        CODEC.open(Payload(metadata=sealed.metadata, data=bytes(altered)))


@pytest.mark.parametrize("length", [0, 1, 11, 12, 27, 28, 60])
def test_a_payload_cut_short_is_altered(length: int) -> None:
    sealed = CODEC.seal(plain("a text that is long enough for that"))
    with pytest.raises(PayloadAltered):
        CODEC.open(Payload(metadata=sealed.metadata, data=sealed.data[:length]))


def test_the_key_id_is_bound_to_what_it_encrypted() -> None:
    twice = KeyRing(KEY.key_id, {KEY.key_id: KEY, "another": KEY})
    sealed = CODEC.seal(plain("x"))
    sealed.metadata["encryption-key-id"] = b"another"
    with pytest.raises(PayloadAltered):
        Codec(twice).open(sealed)


def test_a_payload_in_plain_passes_since_nothing_trusts_it() -> None:
    assert CODEC.open(plain("x")) == plain("x")


async def test_the_sdk_is_never_thrown_at_and_whoever_needs_the_value_is_told_why() -> None:
    for sealed, why in ((BOTH.seal(plain("x")), "which is not in our key file"), (_cut(), "is not what was encrypted")):
        (found,) = await CODEC.decode([sealed])
        assert found.data == sealed.data
        with pytest.raises(PayloadUnreadable, match=why):
            data_converter(CODEC).payload_converter.from_payloads([found], [Standing])


async def test_values_go_through_the_converter_and_back() -> None:
    speaking = data_converter(CODEC)
    said = [Decide("CR-X", "DE-X"), Standing("waiting", groups=("legal",)), None, "x", b"x", 5]
    sealed = await speaking.encode(said)
    assert {one.metadata["encoding"] for one in sealed} == {b"binary/encrypted"}
    assert await speaking.decode(sealed, [type(one) for one in said]) == said


@pytest.mark.parametrize("sent", [None, "x", 5, [], {}, {"approval_id": 5}, {"decision_id": "x"}, b"x"])
@pytest.mark.parametrize("kind", [Decide, ApprovalRequest])
async def test_a_message_that_is_none_becomes_its_stand_in(kind: type, sent: object) -> None:
    found = data_converter(CODEC).payload_converter.from_payloads([plain(sent)], [kind])
    assert found == [kind.unreadable()]


@pytest.mark.asvs("11.3.2")
async def test_the_words_of_a_failure_are_encrypted_with_all_its_causes() -> None:
    speaking, failure, words = data_converter(CODEC), Failure(), secrets.token_hex(16)
    error = ApplicationError(f"it was {words}", Note(words), type="row_altered")
    error.__cause__ = ValueError(words)
    await speaking.encode_failure(error, failure)
    assert words.encode() not in failure.SerializeToString()
    assert failure.application_failure_info.type == "row_altered"

    found = await speaking.decode_failure(failure)
    assert isinstance(found, ApplicationError)
    assert (found.message, found.details[0]["words"]) == (f"it was {words}", words)
    assert words in str(found.__cause__)


def _cut() -> Payload:
    sealed = CODEC.seal(plain("x"))
    return Payload(metadata=sealed.metadata, data=sealed.data[:-1])


def remote(*payloads: Payload) -> bytes:
    """As Temporal's remote codec protocol has them."""
    said = [
        {
            "metadata": {name: base64.b64encode(value).decode() for name, value in one.metadata.items()},
            "data": base64.b64encode(one.data).decode(),
        }
        for one in payloads
    ]
    return json.dumps({"payloads": said}).encode()


def test_the_remote_codec_decrypts_and_encrypts() -> None:
    body = remote(plain({"a": 1}), plain("Example Logistics"))
    sealed = encode_json(CODEC, body)
    assert {one["metadata"]["encoding"] for one in json.loads(sealed)["payloads"]} == {"YmluYXJ5L2VuY3J5cHRlZA=="}
    assert json.loads(decode_json(CODEC, sealed)) == json.loads(body)
    assert json.loads(decode_json(CODEC, body)) == json.loads(body)
    assert json.loads(decode_json(CODEC, b'{"payloads": []}')) == {}


def test_one_payload_that_cannot_be_read_keeps_none_of_the_others_back() -> None:
    body = decode_json(CODEC, remote(CODEC.seal(plain("x")), BOTH.seal(plain("y"))))
    read, unread = json.loads(body)["payloads"]
    assert base64.b64decode(read["data"]) == b'"x"'
    assert "not in our key file" in base64.b64decode(unread["metadata"]["unreadable"]).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"x"',
        b"5",
        b"\xff\xfe",
        b'{"payloads": [null]}',
        b'{"payloads": [5]}',
        b'{"payloads": {"data": ""}}',
        b'{"payloads": [{"data": 5}]}',
        b'{"payloads": [{"metadata": {"encoding": 5}}]}',
        b'{"payloads": [{"metadata": []}]}',
        b'{"payloads": [], "namespace": "default"}',
        b'{"payloads": [], "payloads": []}',
        b"[" * 100_000,
        b'{"payloads": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b" " * (MAX_JSON_BYTES + 1),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_remote_request_that_is_none_is_refused(body: bytes) -> None:
    for work in (encode_json, decode_json):
        with pytest.raises(NotPayloads):
            work(CODEC, body)
