"""What crosses Temporal for the weekly digest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DigestAsked:
    """Asks for the digest of the last week that was over at a moment.

    Attributes:
        at: In ISO 8601; left out, the moment at which the schedule wanted it.
    """

    at: str = ""


@dataclass(frozen=True)
class DigestWritten:
    """What became of it.

    Attributes:
        week: Such as `2026-W47`; empty where the moment is none.
        letters: How many are new in the outbox.
        state: `written`, `nothing` where nothing went through by itself, or `refused` for a week too far away.
    """

    week: str
    letters: int
    state: str
