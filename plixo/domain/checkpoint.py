"""A checkpoint: what the audit log held at one moment, in one hash that can be signed and kept elsewhere.

A hash chain shows what was changed inside it, not that its end was cut off, nor that a whole request is gone. A
checkpoint names the head of every chain, so that both show to whoever kept it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plixo.domain.canonical import canonical_json

EMPTY_ROOT: Final = hashlib.sha256().hexdigest()
"""The root over no chain at all."""

_LEAF, _NODE = b"\x00", b"\x01"
"""Told apart as in RFC 9162, so that no node can be taken for a leaf."""


@dataclass(frozen=True, order=True)
class Head:
    """Where one chain ended.

    Attributes:
        approval_id: Whose chain.
        entries: How many it had.
        hash: That of its last entry.
    """

    approval_id: str
    entries: int
    hash: str


@dataclass(frozen=True)
class Checkpoint:
    """What is signed.

    Attributes:
        number: Counts from 1.
        at: When the log had been read, as ISO 8601 in UTC.
        root: The Merkle root over all heads.
        requests: How many heads.
        entries: How many entries below them.
        previous: SHA-256 of the signed checkpoint before this one; empty for the first.
        compared_with: Number of the checkpoint whose heads the log was held against; 0 for none.
        findings: What was wrong inside the log when it was read, in words; empty when every chain and signature held.
        anew: Why it does not follow from the one before it, where somebody said so; empty otherwise.
    """

    number: int
    at: str
    root: str
    requests: int
    entries: int
    previous: str = ""
    compared_with: int = 0
    findings: tuple[str, ...] = ()
    anew: str = ""

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be signed."""
        return {
            "number": self.number,
            "at": self.at,
            "root": self.root,
            "requests": self.requests,
            "entries": self.entries,
            "previous": self.previous,
            "compared_with": self.compared_with,
            "findings": list(self.findings),
            "anew": self.anew,
        }

    @classmethod
    def from_claims(cls, plain: Mapping[str, Any]) -> "Checkpoint":
        """The checkpoint that `to_claims` wrote."""
        return cls(**{**plain, "findings": tuple(plain["findings"])})


def merkle_root(heads: Sequence[Head]) -> str:
    """The Merkle root over the heads, whatever order they come in, in hexadecimal.

    Raises:
        ValueError: Two of them are of the same chain.
    """
    ordered = sorted(heads)
    if len({head.approval_id for head in ordered}) != len(ordered):
        raise ValueError("a chain has two heads")
    level = [_leaf(head) for head in ordered]
    if not level:
        return EMPTY_ROOT
    # Pairing level by level, with an odd last one taken along, makes the tree of RFC 9162.
    while len(level) > 1:
        paired = [_digest(_NODE + left + right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0].hex()


def denial(head: Head, hashes: Sequence[str], number: int) -> str | None:
    """What a chain says against the head that a checkpoint holds of it; None when the chain still holds it.

    Args:
        head: As the checkpoint has it.
        hashes: Those of the chain's entries now, in order.
        number: The checkpoint's, for the words.
    """
    name, held = head.approval_id, f"checkpoint {number} holds"
    if not hashes:
        return f"{name}: the whole request is missing ({held} it with {head.entries} entries)"
    if len(hashes) < head.entries:
        return f"{name}: entry {len(hashes) + 1} is missing: the chain was cut off ({held} {head.entries} entries)"
    if hashes[head.entries - 1] != head.hash:
        return f"{name}: entry {head.entries} is not the one that {held}: the chain was made anew up to there"
    return None


def _leaf(head: Head) -> bytes:
    return _digest(_LEAF + canonical_json([head.approval_id, head.entries, head.hash]))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
