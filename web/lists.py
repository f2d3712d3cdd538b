"""How far lists of Stripe's objects reach: Stripe lists the newest first, a hundred a call, and cannot search names."""

from typing import Final

NEWEST: Final = 100
"""How many a list shows."""

SEARCHED: Final = 1000
"""Among how many of the newest a search looks: ten calls, about two seconds."""


def reach(wanted: str) -> int:
    """How many to read for a list narrowed by these words."""
    return SEARCHED if wanted else NEWEST
