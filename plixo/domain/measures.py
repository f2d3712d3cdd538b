"""How long deciding takes and where requests wait: figures over what was decided."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from plixo.domain.people import Group

HOUR: Final = 3600.0
_HIGH: Final = 0.9


@dataclass(frozen=True)
class Decided:
    """One decision that was recorded.

    Attributes:
        group: The seat it filled.
        asked_at: When its stage began to wait.
        decided_at: When it was signed.
        due_hours: Within how many hours it was wanted.
    """

    group: Group
    asked_at: datetime
    decided_at: datetime
    due_hours: int

    @property
    def hours(self) -> float:
        """How long it took."""
        return max((self.decided_at - self.asked_at).total_seconds(), 0.0) / HOUR

    @property
    def late(self) -> bool:
        """Whether it came after it was due."""
        return self.decided_at - self.asked_at > timedelta(hours=self.due_hours)


@dataclass(frozen=True)
class Pace:
    """How long a group takes.

    Attributes:
        group: Whose decisions.
        decisions: How many.
        median_hours: Half of them took no longer.
        high_hours: Nine in ten of them took no longer.
        late: How many came after they were due.
    """

    group: Group
    decisions: int
    median_hours: float
    high_hours: float
    late: int


@dataclass(frozen=True)
class Waits:
    """Requests that wait now on the same groups.

    Attributes:
        groups: Who is asked.
        requests: How many.
        overdue: How many of them are past their due time.
    """

    groups: tuple[Group, ...]
    requests: int
    overdue: int

    @property
    def label(self) -> str:
        """In words, such as `Controller and Legal`."""
        return " and ".join(group.label for group in self.groups) or "Nobody"


@dataclass(frozen=True)
class Month:
    """What was asked for in a month.

    Attributes:
        first: Its first moment, in UTC.
        asked: How many requests.
        applied: How many of those are applied in Stripe by now.
    """

    first: datetime
    asked: int
    applied: int


def paces(decided: Iterable[Decided]) -> tuple[Pace, ...]:
    """How long each group takes, in the groups' order."""
    found = list(decided)
    by_group = {group: [one for one in found if one.group is group] for group in Group}
    return tuple(_pace(group, some) for group, some in by_group.items() if some)


def months(now: datetime, count: int) -> tuple[datetime, ...]:
    """The first moments of so many months, the last of them being this one, and of the month after."""
    this = now.year * 12 + now.month - 1
    return tuple(
        now.replace(year=one // 12, month=one % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        for one in range(this - count + 1, this + 2)
    )


def _pace(group: Group, decided: Sequence[Decided]) -> Pace:
    hours = sorted(one.hours for one in decided)
    high = hours[math.ceil(_HIGH * len(hours)) - 1]
    return Pace(group, len(hours), median(hours), high, sum(one.late for one in decided))
