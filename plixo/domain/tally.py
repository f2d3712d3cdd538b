"""The sums that limits depend on, added up again in the order in which requests were made."""

import heapq
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from plixo.domain.facts import Sums

_TICK: Final = timedelta(microseconds=1)
Key = tuple[str, ...]


class Tally:
    """What counted at each moment.

    Args:
        days: Over how many days the sums run.
    """

    def __init__(self, days: int) -> None:
        self._window = timedelta(days=days)
        self._sums: Counter[Key] = Counter()
        self._leaving: list[tuple[datetime, int, Key, int]] = []
        self._number = 0

    def before(self, requester: str, customer: str, at: datetime) -> Sums:
        """What was granted before a request made at this moment; moments come in order."""
        while self._leaving and self._leaving[0][0] <= at:
            _, _, key, amount = heapq.heappop(self._leaving)
            self._sums[key] -= amount
        today = _day(at)
        return Sums(
            requester_automatic=self._sums["requester_automatic", requester],
            customer_automatic=self._sums["customer_automatic", customer],
            customer_all=self._sums["customer_all", customer],
            company_day=self._sums["company_day", today],
            requester_day=self._sums["requester_day", today, requester],
        )

    def add(
        self, requester: str, customer: str, amount: int, at: datetime, *, automatic: bool, until: datetime | None
    ) -> None:
        """Let a request count from now on.

        Args:
            requester: Who asked.
            customer: For whom.
            amount: In minor units of the base currency.
            at: When.
            automatic: Whether nobody was asked.
            until: When it ceases to count, as a rejected one does; None when it does not.
        """
        windowed: list[Key] = [("customer_all", customer)]
        if automatic:
            windowed += [("requester_automatic", requester), ("customer_automatic", customer)]
        over = at + self._window + _TICK
        for key in windowed:
            self._count(key, amount, min(over, until) if until else over)
        today = _day(at)
        for key in (("company_day", today), ("requester_day", today, requester)):
            self._count(key, amount, until)

    def _count(self, key: Key, amount: int, until: datetime | None) -> None:
        self._sums[key] += amount
        if until:
            self._number += 1
            heapq.heappush(self._leaving, (until, self._number, key, amount))


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
