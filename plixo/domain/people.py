"""People, their groups, and what a person may do."""

from dataclasses import dataclass, field
from enum import StrEnum


class Group(StrEnum):
    """What a person is here for."""

    SUPPORT = "support"
    BILLING_ADMIN = "billing_admin"
    CONTROLLER = "controller"
    LEGAL = "legal"
    CFO = "cfo"
    FINANCE = "finance"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        """The group as people say it, such as `Controller`."""
        return "CFO" if self is Group.CFO else self.value.replace("_", " ").capitalize()


REQUESTERS = frozenset({Group.SUPPORT, Group.BILLING_ADMIN, Group.CONTROLLER, Group.LEGAL, Group.CFO})
"""Groups that may ask for a credit."""

APPROVERS = frozenset({Group.CONTROLLER, Group.LEGAL, Group.CFO})
"""Groups that a path may name."""


@dataclass(frozen=True)
class Person:
    """Somebody who works here.

    Attributes:
        person_id: Stable id that tells nothing about the person.
        name: As shown to colleagues.
        email: Where their mail goes.
        groups: What they are here for.
        limits: Their own limit per kind of request, in minor units of the policy's base currency; where a kind is
            missing the group's limit holds. A person's limit can only lower the group's.
        time_zone: IANA name.
        working_hours: Opening and closing in local time, such as `09:00-17:00`.
        holidays: ISO 3166 country whose public holidays they keep, with a subdivision where it has its own: `DE-BY`.
        delegate_id: Who stands in for them.
        related_customers: Stripe customers they may never grant anything to without another person.
        active: Whether they still work here.
    """

    person_id: str
    name: str
    email: str
    groups: frozenset[Group]
    limits: dict[str, int] = field(default_factory=dict)
    time_zone: str = "UTC"
    working_hours: str = "09:00-17:00"
    holidays: str = "US"
    delegate_id: str | None = None
    related_customers: frozenset[str] = frozenset()
    active: bool = True

    def belongs_to(self, *groups: Group) -> bool:
        """Whether the person is active and in one of the groups."""
        return self.active and not self.groups.isdisjoint(groups)

    @property
    def role(self) -> str:
        """The person's groups in words, such as `Controller`."""
        return ", ".join(group.label for group in Group if group in self.groups) or "no group"


def groups_from_claim(claim: object) -> frozenset[Group]:
    """The groups that an identity provider's `groups` claim names; unknown names are passed over.

    Names match whatever their case, and whether words are parted by a space, a hyphen or an underscore.
    """
    names = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    wanted = {str(name).strip().lower().replace(" ", "_").replace("-", "_") for name in names}
    return frozenset(group for group in Group if group.value in wanted)
