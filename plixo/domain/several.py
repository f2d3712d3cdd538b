"""Deciding on several requests in one go: which, what was shown of each, and what they come to."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from plixo.domain.approval import Approval
from plixo.domain.ids import is_approval_id
from plixo.domain.money import Money
from plixo.domain.refusals import Conflict, Refused

MOST: Final = 50
"""How many one goes through with at once: more than that nobody reads before they confirm."""

_SHOWN: Final = re.compile(
    r"(?P<approval_id>[A-Z]{2}-[A-Z2-7]{26})/(?P<round>[0-9]{1,9})/(?P<digest>[0-9a-f]{64})/(?P<amount>[0-9]{1,12})",
    re.ASCII,
)


@dataclass(frozen=True)
class Shown:
    """What somebody saw of a request when they made up their mind; it is what they sign.

    Attributes:
        approval_id: Which request.
        round: Its round.
        digest: Its fingerprint.
        amount_minor: What was left of its amount, in minor units of its currency.
    """

    approval_id: str
    round: int
    digest: str
    amount_minor: int

    @classmethod
    def of(cls, approval: Approval) -> "Shown":
        """What is to be seen of it now."""
        return cls(approval.approval_id, approval.round, approval.digest, approval.agreed_minor)

    @classmethod
    def parse(cls, token: str) -> "Shown":
        """What a form brought back.

        Raises:
            Refused: No page says this.
        """
        found = _SHOWN.fullmatch(token)
        if found is None:
            raise Refused.one("row", "row_unreadable", "No page says this; tick the requests again.")
        return cls(found["approval_id"], int(found["round"]), found["digest"], int(found["amount"]))

    @property
    def token(self) -> str:
        """What goes with a form."""
        return f"{self.approval_id}/{self.round}/{self.digest}/{self.amount_minor}"

    def check(self, approval: Approval) -> None:
        """Refuse a request that is another one by now.

        Raises:
            Conflict: Its round, its fingerprint or what is left of its amount has changed since.
        """
        if (self.round, self.digest) != (approval.round, approval.digest):
            raise Conflict.one("decision", "decision_out_of_date", "The request has changed since; read it again.")
        if self.amount_minor != approval.agreed_minor:
            raise Conflict.one("amount", "amount_changed", "Another amount is asked for by now; read it again.")


def chosen(approval_ids: Sequence[str]) -> tuple[str, ...]:
    """The requests that were ticked, each once and in their order.

    Raises:
        Refused: There are none, more than `MOST`, or one is no request's id.
    """
    ids = tuple(dict.fromkeys(approval_ids))
    if not ids:
        raise Refused.one("id", "none_ticked", "Tick the requests that you want to decide on first.")
    if len(ids) > MOST:
        raise Refused.one("id", "too_many_ticked", f"Decide on at most {MOST} requests at once; {len(ids)} are ticked.")
    if not all(map(is_approval_id, ids)):
        raise Refused.one("id", "id_unreadable", "One of them is no request's id; tick the requests again.")
    return ids


def sums(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """What the amounts come to, a sum for each currency, in the alphabet's order."""
    found: Counter[str] = Counter()
    for amount in amounts:
        found[amount.currency] += amount.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(found.items()))
