"""Payloads are encrypted before they leave a process, so that a Temporal cluster keeps what it cannot read.

A payload is encrypted whole, metadata and all, with AES-256-GCM; its encoding and the key's id stand beside it and are
bound to it. What the SDK asks of a codec may not fail: an exception while a worker decodes would repeat the workflow
task for ever, and whoever can write to the namespace could cause one. So what cannot be read is handed on as it is,
with the reason, and fails where somebody needs it (`plixo.temporal.converter`).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from plixo.temporal.payload_keys import Keys

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
UNREADABLE: Final = "unreadable"
"""Metadata of a payload that could not be read: why."""

MAX_JSON_BYTES: Final = 8 * 1024 * 1024
"""More than any payload that Temporal takes, with its spelling in JSON."""

_ABOUT: Final = b"plixo payload 1"

log = logging.getLogger(__name__)


class PayloadUnreadable(Exception):
    """A payload cannot be read; the message says why, without anything of it."""


class UnknownPayloadKey(PayloadUnreadable):
    """It was encrypted with a key that we do not have."""


class PayloadAltered(PayloadUnreadable):
    """It is not what was encrypted."""


class NotPayloads(ValueError):
    """A body is not the JSON of Temporal's remote codec protocol, or too long."""


class Codec(PayloadCodec):
    """Encrypts with the current key, decrypts with any."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypted; see `seal`."""
        return [self.seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypted; see `read`."""
        return [self.read(payload) for payload in payloads]

    def seal(self, payload: Payload) -> Payload:
        """A payload that says nothing but which key reads it.

        Raises:
            PayloadKeyError: There is no key.
        """
        key = self.keys.current()
        sealed = key.seal(payload.SerializeToString(), _about(key.key_id))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key.key_id.encode()}, data=sealed)

    def open(self, payload: Payload) -> Payload:
        """What was sealed. A payload in plain is returned as it is: it proves nothing, and nothing trusts it.

        Raises:
            UnknownPayloadKey: It was encrypted with another key than ours.
            PayloadAltered: It is not what was encrypted.
            PayloadKeyError: There is no key at all.
        """
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self.keys.find(key_id)
        if key is None:
            raise UnknownPayloadKey(f"it was encrypted with the key {key_id[:64]!r}, which is not in our key file")
        try:
            return Payload.FromString(key.open(payload.data, _about(key_id)))
        except (InvalidTag, ValueError, DecodeError) as altered:
            raise PayloadAltered(f"it is not what was encrypted with the key {key_id}") from altered

    def read(self, payload: Payload) -> Payload:
        """What was sealed, or the payload itself with the reason why it cannot be read."""
        try:
            return self.open(payload)
        except PayloadUnreadable as problem:
            log.warning("a payload cannot be read: %s", problem)
            marked = Payload()
            marked.CopyFrom(payload)
            marked.metadata[UNREADABLE] = str(problem).encode()
            return marked


def encode_json(codec: Codec, body: bytes) -> bytes:
    """Encrypt the payloads of a remote codec request.

    Args:
        codec: Ours.
        body: `{"payloads": […]}` as Temporal's remote codec protocol has it.

    Returns:
        The same with each payload encrypted.

    Raises:
        NotPayloads: The body is something else.
        PayloadKeyError: There is no key.
    """
    return _each(codec.seal, body)


def decode_json(codec: Codec, body: bytes) -> bytes:
    """Decrypt the payloads of a remote codec request; one that cannot be read comes back as it is, with the reason.

    Raises:
        NotPayloads: The body is something else.
        PayloadKeyError: There is no key.
    """
    return _each(codec.read, body)


def _each(work: Callable[[Payload], Payload], body: bytes) -> bytes:
    if len(body) > MAX_JSON_BYTES:
        raise NotPayloads(f"The body has more than {MAX_JSON_BYTES} bytes.")
    try:
        asked = Parse(body, Payloads(), max_recursion_depth=10)
    except (ParseError, UnicodeDecodeError, RecursionError) as error:
        raise NotPayloads('The body must be {"payloads": […]}, each with metadata and data in base64.') from error
    return MessageToJson(Payloads(payloads=[work(one) for one in asked.payloads]), indent=None).encode()


def _about(key_id: str) -> bytes:
    return b"/".join((_ABOUT, ENCODING, key_id.encode()))
