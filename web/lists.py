"""How far lists of Stripe's objects reach: Stripe lists the newest first, a hundred a call, and cannot search names."""

from collections.abc import Sequence
from typing import Final

from plixo.ports import Customer, Payments

NEWEST: Final = 100
"""How many a list shows."""

SEARCHED: Final = 1000
"""Among how many of the newest a search looks: ten calls, about two seconds."""


def reach(wanted: str) -> int:
    """How many to read for a list narrowed by these words."""
    return SEARCHED if wanted else NEWEST


async def or_by_id(found: Sequence[Customer], payments: Payments, wanted: str) -> Sequence[Customer]:
    """What a search found, or else the one whose whole id was looked for, however old."""
    one = None if found or not wanted else await payments.customer(wanted)
    return [one] if one else found
