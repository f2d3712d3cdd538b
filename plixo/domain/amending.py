"""Amending: what a requester may change of what they asked for, and what is kept of what was decided before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from plixo.domain.change import ProposedChange
from plixo.domain.effects import Amounts
from plixo.domain.mandate import SignedRequest
from plixo.domain.refusals import NotAllowed


@dataclass(frozen=True)
class Amendment:
    """What a requester made of their request, as the staff side signed and kept it.

    Attributes:
        request: The row's copy of the request in its next round; what binds is the signed one.
        signed: The signed request.
        replaced: The signed request of the round before.
        amounts: Net, tax and gross as Stripe previewed them.
        base_currency: The policy's.
        created_at: When they changed it.
        rate: What it was converted at, as on the request; None where nothing was.
        rate_as_of: Since when that rate was known.
    """

    request: SignedRequest
    signed: str
    replaced: str
    amounts: Amounts
    base_currency: str
    created_at: datetime
    rate: str | None = None
    rate_as_of: datetime | None = None


def keeps(before: ProposedChange, after: ProposedChange) -> bool:
    """Whether nothing but a smaller amount is asked for, so that what was decided before still counts."""
    less = after.amount.minor < before.amount.minor and after.amount.currency == before.amount.currency
    return less and after.digest == before.digest


def check_follows(before: SignedRequest, after: SignedRequest) -> None:
    """Refuse what does not amend a request, whoever signed it.

    Args:
        before: The request as it was signed for its round.
        after: As it is to be in the next one.

    Raises:
        NotAllowed: It is another request, customer, currency or target, not the round that follows, or keeps decisions
            although more than a smaller amount is another.
    """
    if _lasting(before) != _lasting(after) or not after.amended_by:
        raise NotAllowed.one("amendment", "amendment_of_another", "The change is not one of this request.")
    if after.round != before.round + 1:
        raise NotAllowed.one("amendment", "round_missing", "The rounds of this request do not follow each other.")
    if after.since_round == after.round:
        return
    kept = (before.since_round, before.path, before.policy) == (after.since_round, after.path, after.policy)
    if not kept or after.path.automatic or not keeps(before.change, after.change):
        raise NotAllowed.one("amendment", "decisions_not_kept", "The change keeps decisions that it must not keep.")


def check_rounds(rounds: Sequence[SignedRequest]) -> None:
    """Refuse a request whose rounds do not lead from what was asked first to the last of them.

    Args:
        rounds: As each was signed, the first one first.

    Raises:
        NotAllowed: One is missing, or does not follow the one before it.
    """
    if not rounds or rounds[0].round or rounds[0].amended_by:
        raise NotAllowed.one("amendment", "round_missing", "What was asked first is missing.")
    for before, after in pairwise(rounds):
        check_follows(before, after)


def changes(before: ProposedChange, after: ProposedChange) -> tuple[str, ...]:
    """What is another, in words such as `the amount is 3,000.00 USD instead of 4,200.00 USD`."""
    found = []
    if after.amount != before.amount:
        found.append(f"the amount is {after.amount} instead of {before.amount}")
    if after.reason is not before.reason:
        found.append(f"the reason is {after.reason.label} instead of {before.reason.label}")
    found += [f"the {name} is another" for name in ("note", "memo") if getattr(after, name) != getattr(before, name)]
    if after.target.status != before.target.status:
        found.append(f"the {after.target.kind.label} is {after.target.status}, and was {before.target.status}")
    return tuple(found)


def _lasting(request: SignedRequest) -> tuple[str, ...]:
    """What no amendment changes."""
    change = request.change
    target = (change.target.kind.value, change.target.target_id, change.target.currency)
    return request.approval_id, request.requester_id, change.kind, change.customer_id, change.amount.currency, *target
