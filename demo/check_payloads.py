"""The checker's own decoder of encrypted payloads, and what it says of those that are not.

What the product writes into a history must be encrypted, and must be readable with the key file. Messages are another
matter, since anybody who can write to the namespace can send any; but what was taken up must not have come in plain.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

from demo.check_model import Finding, Leak, Row, Run, Scene, UnreadableError, workflow_id

ENCRYPTED: Final = "binary/encrypted"
SEALED: Final = "Encoded failure"
"""What stands in a failure whose words are encrypted."""

_NONCE: Final = 12
_ANYBODYS: Final = frozenset({"SIGNALED", "UPDATE_ACCEPTED", "TERMINATED", "CANCEL_REQUESTED"})
"""Events of a workflow that hold what anybody may have sent."""

PayloadKeys = Mapping[str, AESGCM]
"""Every key of the file, by its id."""


def load_payload_keys(path: Path) -> PayloadKeys:
    """The keys that payloads are encrypted with.

    Raises:
        UnreadableError: The file is missing, or holds something else.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return {entry["id"]: AESGCM(base64.urlsafe_b64decode(entry["key"])) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise UnreadableError(f"There are no payload keys to be read in {path}: {broken!r}") from broken


@dataclass
class Opener:
    """Opens one event.

    Attributes:
        keys: By id.
        event: Its number and kind, in words.
        leaks: What it holds in plain, or what cannot be read.
    """

    keys: PayloadKeys
    event: str
    leaks: list[Leak] = field(default_factory=list)

    def open(self, found: Any) -> Any:  # noqa: ANN401 - parsed JSON
        """The same with every payload opened that can be."""
        if isinstance(found, list):
            return [self.open(one) for one in found]
        if not isinstance(found, dict):
            return found
        if _encoding(found) is not None:
            return self._payload(found)
        if "applicationFailureInfo" in found and not _wordless(found):
            self.leaks.append(Leak("payload_in_plain", self.event))
        return {name: value if _meant_to_be_plain(name) else self.open(value) for name, value in found.items()}

    def _payload(self, found: Row) -> Row:
        if _encoding(found) != ENCRYPTED:
            self.leaks.append(Leak("payload_in_plain", self.event))
            return found
        key_id = _text(found["metadata"].get("encryption-key-id", ""))
        try:
            sealed = base64.b64decode(found["data"])
            about = f"plixo payload 1/{ENCRYPTED}/{key_id}".encode()
            plain = self.keys[key_id].decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
            return MessageToDict(Payload.FromString(plain))
        except (KeyError, ValueError, InvalidTag, DecodeError):
            self.leaks.append(Leak("payload_unreadable", self.event))
            return found


def open_events(events: Sequence[Row], keys: PayloadKeys) -> tuple[list[Row], list[Leak]]:
    """A history in the clear, and what of it was not encrypted or cannot be read; messages aside."""
    opened, leaks = [], []
    for event in events:
        kind = str(event["eventType"]).removeprefix("EVENT_TYPE_")
        opener = Opener(keys, f"{event['eventId']} ({kind})")
        opened.append(opener.open(event))
        if kind.removeprefix("WORKFLOW_EXECUTION_") not in _ANYBODYS:
            leaks += opener.leaks
    return opened, leaks


def is_sealed(event: Row) -> bool:
    """Whether an event's payloads were encrypted, all of them."""
    return all(_encoding(one) == ENCRYPTED for one in _payloads(event))


def check_payloads(scene: Scene) -> Iterator[Finding]:
    """What lies in histories in plain, what nobody can read, and decisions that were taken up from plain messages."""
    for approval_id in scene.house.approvals:
        for run in scene.histories.get(workflow_id(approval_id), ()):
            yield from _leaks(approval_id, run)
            yield from _plain_decisions(approval_id, run)


def _leaks(approval_id: str, run: Run) -> Iterator[Finding]:
    for what, words in (("payload_in_plain", "holds something in plain"), ("payload_unreadable", "cannot be read")):
        events = list(dict.fromkeys(leak.event for leak in run.leaks if leak.what == what))
        if events:
            yield Finding(what, approval_id, f"Its history {words}: event {', '.join(events)}.")


def _plain_decisions(approval_id: str, run: Run) -> Iterator[Finding]:
    accepted = {decision for decision, answer in run.answers if answer == "accepted"}
    sent = {decision for decision, _ in run.messages}
    sealed = {decision for decision, sealed in run.messages if sealed}
    for decision in sorted(accepted & sent - sealed):
        detail = f"Its history took up decision {decision} from a message in plain."
        yield Finding("decision_in_plain", approval_id, detail)


def _payloads(found: Any) -> Iterator[Row]:  # noqa: ANN401 - parsed JSON
    if isinstance(found, dict) and _encoding(found) is not None:
        yield found
    elif isinstance(found, dict | list):
        for one in found.values() if isinstance(found, dict) else found:
            yield from _payloads(one)


def _wordless(failure: Row) -> bool:
    """Whether its words were encrypted; the server drops them, encrypted as they are, where they are too long."""
    return "encodedAttributes" in failure or (failure.get("message") == SEALED and not failure.get("stackTrace"))


def _meant_to_be_plain(name: str) -> bool:
    """Search attributes are for searching; beside a local activity's answer the SDK's core notes its type and time."""
    return name in {"searchAttributes", "data"}


def _encoding(found: Row) -> str | None:
    metadata = found.get("metadata")
    return _text(metadata["encoding"]) if isinstance(metadata, dict) and "encoding" in metadata else None


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode(errors="replace")
