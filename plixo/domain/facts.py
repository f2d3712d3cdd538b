"""What a decision table is asked: one request, its requester, and the sums it would add to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plixo.domain.people import Group, Person


class RateState(StrEnum):
    """How much an exchange rate can be relied on."""

    SAME = "same"
    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True)
class Sums:
    """What was granted before, in minor units of the base currency: waiting and executed, less reversed.

    Attributes:
        requester_automatic: Automatic ones of this requester in the policy's window (30 days).
        customer_automatic: Automatic ones to this customer in the window.
        customer_all: All to this customer in the window.
        company_day: All of today.
        requester_day: All of this requester's today.
    """

    requester_automatic: int = 0
    customer_automatic: int = 0
    customer_all: int = 0
    company_day: int = 0
    requester_day: int = 0


@dataclass(frozen=True)
class Facts:
    """One request as a decision table sees it.

    Attributes:
        kind: `credit`.
        reason: Its reason code.
        amount_minor: Gross, in minor units of the base currency.
        authority_minor: What the requester may do alone.
        related: Whether the requester is related to the customer.
        rate: How the amount came into the base currency.
        sums: What was granted before this one.
    """

    kind: str
    reason: str
    amount_minor: int
    authority_minor: int
    related: bool
    rate: RateState
    sums: Sums

    def to_context(self, limits: dict[str, int]) -> dict[str, Any]:
        """The table's input; every sum includes this request."""
        before = self.sums
        return {
            "kind": self.kind,
            "reason": self.reason,
            "amount": self.amount_minor,
            "authority": self.authority_minor,
            "related": self.related,
            "rate": self.rate.value,
            "requester_automatic": before.requester_automatic + self.amount_minor,
            "customer_automatic": before.customer_automatic + self.amount_minor,
            "customer_all": before.customer_all + self.amount_minor,
            "company_day": before.company_day + self.amount_minor,
            "requester_day": before.requester_day + self.amount_minor,
            "limits": limits,
        }


def authority(person: Person, by_group: dict[Group, int], kind: str) -> int:
    """What a person may do alone: the most that one of their groups allows, lowered by a limit of their own.

    Args:
        person: Who asks.
        by_group: Authority per group, in minor units of the base currency; groups that are missing have none.
        kind: The kind of request.
    """
    most = max((by_group.get(group, 0) for group in person.groups), default=0)
    return min(most, person.limits.get(kind, most))
