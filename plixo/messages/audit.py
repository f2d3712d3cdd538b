"""What crosses Temporal for the audit log."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckpointWish:
    """Asks for a checkpoint over the audit log.

    Attributes:
        request_id: Asked again under the same id, it is the same wish; left out, the workflow's own id.
    """

    request_id: str = ""


@dataclass(frozen=True)
class CheckpointAsked:
    """What became of the wish; the checkpoint itself is the staff side's to sign, whose key no worker has.

    Attributes:
        request_id: Of the wish that stands.
        state: `asked`, or `already_asked` where an earlier one still waits.
    """

    request_id: str
    state: str
