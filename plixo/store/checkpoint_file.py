"""A checkpoint as a file: the signed statement, and the heads below its root, which name what is missing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plixo.domain.canonical import canonical_json
from plixo.domain.checkpoint import Checkpoint, Head, denial, merkle_root
from plixo.domain.refusals import NotAllowed
from plixo.ports import Verifier

FORMAT: Final = "plixo-checkpoint/1"
CHECKPOINT_KIND: Final = "checkpoint"
"""What a checkpoint is signed as: no request, no decision and no seal can be taken for it."""


class BadCheckpoint(ValueError):
    """It is no checkpoint, or not one to be trusted; the message says why."""


@dataclass(frozen=True)
class Held:
    """A checkpoint that was proved: signed by the audit key, and its heads are those that were signed.

    Attributes:
        checkpoint: What was signed.
        signed: The signed statement.
        heads: By request.
    """

    checkpoint: Checkpoint
    signed: str
    heads: Mapping[str, Head]

    @property
    def name(self) -> str:
        """Which one, in words."""
        return f"checkpoint {self.checkpoint.number}"

    def denied_by(self, approval_id: str, hashes: Sequence[str]) -> str | None:
        """What a request's chain says against this checkpoint; None when they agree, or it was made later."""
        head = self.heads.get(approval_id)
        return denial(head, hashes, self.checkpoint.number) if head else None


def signed_hash(signed: str) -> str:
    """How the next checkpoint names this one."""
    return hashlib.sha256(signed.encode()).hexdigest()


def to_document(checkpoint: Checkpoint, signed: str, heads: Sequence[Head]) -> dict[str, Any]:
    """The file's content."""
    return {
        "format": FORMAT,
        "checkpoint": checkpoint.to_claims(),
        "signed": signed,
        "heads": [[head.approval_id, head.entries, head.hash] for head in sorted(heads)],
    }


def prove(document: object, verifier: Verifier) -> Held:
    """The checkpoint of a file.

    Args:
        document: The file's content.
        verifier: Holds the public audit keys.

    Raises:
        BadCheckpoint: It is something else, was not signed by the audit key, or its heads are not those signed.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadCheckpoint(f"it does not say that its format is {FORMAT}")
    try:
        signed = document["signed"]
        claims = verifier.verify(signed, CHECKPOINT_KIND, now=None)
        heads = [Head(*head) for head in document["heads"]]
        checkpoint = Checkpoint.from_claims(claims)
        same = canonical_json(dict(claims)) == canonical_json(document["checkpoint"])
        root = merkle_root(heads)
    except NotAllowed as refusal:
        raise BadCheckpoint("the audit key did not sign it") from refusal
    except (KeyError, TypeError, ValueError, AttributeError) as broken:
        raise BadCheckpoint(f"it lacks what a checkpoint has ({broken})") from broken
    if not same:
        raise BadCheckpoint("what stands beside the signature is not what was signed")
    if root != checkpoint.root or len(heads) != checkpoint.requests:
        raise BadCheckpoint("its heads are not those that were signed")
    return Held(checkpoint, signed, {head.approval_id: head for head in heads})
