"""What crosses Temporal for an approval.

Messages carry ids and no more: whoever writes to the Temporal namespace can say which request or decision they mean,
but what it says is read from the signed rows.
"""

from dataclasses import dataclass
from typing import Final, Self

APPROVALS_QUEUE: Final = "plixo-approvals"
"""Workflows, and the activities that need the database alone."""

STRIPE_QUEUE: Final = "plixo-stripe"
"""Activities that move money."""


@dataclass(frozen=True)
class ApprovalRequest:
    """Starts a request's workflow.

    Attributes:
        approval_id: The request; empty where it could not be read, and then the workflow's own id says which.
        decided: What earlier runs of a long history took up, to be told to who asks; nothing is decided by it.
    """

    approval_id: str
    decided: tuple["Recorded", ...] = ()

    @classmethod
    def unreadable(cls) -> Self:
        """What stands for something that cannot be read."""
        return cls("")


@dataclass(frozen=True)
class ApprovalOutcome:
    """How a request's workflow ended.

    Attributes:
        approval_id: The request.
        state: Its last state.
        stripe_object: Stripe's id of what was made; empty where nothing was.
        why: What a person should know of it.
    """

    approval_id: str
    state: str
    stripe_object: str = ""
    why: str = ""


@dataclass(frozen=True)
class Decide:
    """Take up a decision that the staff side has signed and stored; a withdrawal is one too.

    Attributes:
        approval_id: The request; empty where the message could not be read.
        decision_id: The decision.
    """

    approval_id: str
    decision_id: str

    @classmethod
    def unreadable(cls) -> Self:
        """What stands for something that cannot be read: a decision that nobody can have signed."""
        return cls("", "unreadable")


@dataclass(frozen=True)
class Recorded:
    """What became of a decision.

    Attributes:
        decision_id: Which one.
        answer: `accepted`, `already_received`, `conflict` or `refused`.
        why: What stands, where it was not accepted.
        standing: Where the request stands now.
    """

    decision_id: str
    answer: str
    why: str
    standing: "Standing"


@dataclass(frozen=True)
class Standing:
    """Where a request stands, as the workflow needs to know it.

    Attributes:
        state: A `plixo.domain.approval.State`.
        stage: Index of the waiting stage.
        round: Counts fresh starts.
        waits_for: Groups that are asked now, in words; empty when nobody is.
        groups: The same groups as codes, for search attributes.
        since: When the stage began, seconds since 1970 in UTC; 0 when nothing waits.
        due: When an answer is due.
        remind_at: When the next reminder goes out; 0 where none does.
        expire_at: When it goes back to its requester; 0 for never.
        recorded: Ids of the decisions that stand: also of one that Temporal, dying, forgot to note.
        next_event: What is due next: `remind`, `escalate`, `expire` or `nothing`; empty where the stage began before
            that was kept: then it is reminded of once, and expires.
        next_at: When that is due.
        stand_ins: Who may decide as well by now, in words.
    """

    state: str
    stage: int = 0
    round: int = 0
    waits_for: str = ""
    groups: tuple[str, ...] = ()
    since: int = 0
    due: int = 0
    remind_at: int = 0
    expire_at: int = 0
    recorded: tuple[str, ...] = ()
    next_event: str = ""
    next_at: int = 0
    stand_ins: str = ""


@dataclass(frozen=True)
class Decided:
    """Every decision that a request's workflow has taken up, in that order."""

    recorded: tuple[Recorded, ...] = ()


@dataclass(frozen=True)
class Step:
    """Asks an activity for the next step of a request: to open, remind, escalate, expire or execute it.

    Attributes:
        approval_id: The request.
        stage: Index of the stage it is meant for.
        round: The round it is meant for.
        at: When the workflow was told that it is due, seconds since 1970 in UTC.
        state: The state whose time is up; empty for `waiting`.
    """

    approval_id: str
    stage: int = 0
    round: int = 0
    at: int = 0
    state: str = ""


@dataclass(frozen=True)
class Executed:
    """What became of the effect.

    Attributes:
        state: The request's, by now.
        stripe_object: What was made in Stripe.
        why: What a person should know of it.
        reopens: Nothing was written, and the request lies with people again.
    """

    state: str
    stripe_object: str = ""
    why: str = ""
    reopens: bool = False
