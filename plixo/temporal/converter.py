"""How values become payloads and back, and what becomes of a payload that cannot be read.

An argument, a result or a heartbeat that cannot be read fails its task, which Temporal repeats until a worker has the
key. A message is another matter: anybody who can write to the namespace can send one, and a request must neither stop
at it nor go on as if nothing had come. Message types therefore name a stand-in, which is refused where messages are
recorded, and leaves its trace there.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)

from plixo.temporal.codec import ENCODING, UNREADABLE, Codec, PayloadUnreadable

_UNTOLD: Final = b"nobody decoded it"


class Message(Protocol):
    """What anybody may send, so that something must stand for one that cannot be read."""

    @classmethod
    def unreadable(cls) -> Self:
        """The stand-in."""
        ...


class SealedConverter(EncodingPayloadConverter):
    """Says why a payload that is still encrypted cannot be read."""

    @property
    def encoding(self) -> str:
        """The codec's."""
        return ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ANN401, ARG002 - any value, and never ours to convert
        """Nothing: encrypting is the codec's."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ANN401, ARG002 - the same
        """Fail.

        Raises:
            PayloadUnreadable: Always.
        """
        why = payload.metadata.get(UNREADABLE, _UNTOLD).decode(errors="replace")
        raise PayloadUnreadable(f"A payload cannot be read: {why}.")


class Converter(CompositePayloadConverter):
    """JSON as usual; a message that is none becomes its type's stand-in."""

    def __init__(self) -> None:
        super().__init__(*DefaultPayloadConverter.default_encoding_payload_converters, SealedConverter())

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """The values.

        Raises:
            PayloadUnreadable: One that is no message cannot be read.
        """
        kind = _message_type(type_hints or [])
        if kind is None:
            return super().from_payloads(payloads, type_hints)
        try:
            (value,) = super().from_payloads(payloads, type_hints)
        except Exception:  # noqa: BLE001 - whatever somebody sent, it is no message
            value = None
        return [value if isinstance(value, kind) else kind.unreadable()]


def _message_type(hints: Sequence[type]) -> type[Message] | None:
    """The type of a message; None where something else is asked for."""
    found: Any = hints[0] if len(hints) == 1 else None
    return found if hasattr(found, "unreadable") else None


class PlainlyStored(DataConverter):
    """Takes no payload for a claim on storage elsewhere: we have none, and one forged claim would stop a request.

    The SDK looks for such claims before it decodes, and fails the whole workflow task at the first.
    """

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def _external_retrieve_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


def data_converter(codec: Codec) -> DataConverter:
    """What every client and worker of ours speaks: values as JSON, encrypted, and the words of failures with them."""
    return PlainlyStored(
        payload_converter_class=Converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
