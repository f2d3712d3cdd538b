"""Looking an effect up in a list that may be too long for one try: the next one goes on where this one ended."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import stripe

from plixo.domain.payments import LookUpUnfinished
from plixo.stripe.line import Line
from plixo.stripe.reading import Doc

T = TypeVar("T")

LOOK_SECONDS: Final = 20.0
"""After so long no further page is begun: one may take twice a call's deadline, and the try has to end in its time."""

KEPT: Final = 1000
"""How many look-ups that did not come to their end are remembered; the oldest begins anew."""

Cursor = Mapping[str, str]
Pages = Callable[[Cursor], Awaitable[stripe.ListObject[Any]]]
"""Fetches the page at a cursor, `{}` for the first."""


@dataclass(frozen=True)
class Place:
    """How far a list was read. It only ever grows, and at its newest end, so what was read once need not be again.

    Attributes:
        newest: The newest object that was read.
        oldest: The oldest one.
        whole: Nothing older is left.
    """

    newest: str = ""
    oldest: str = ""
    whole: bool = False

    @property
    def cursor(self) -> Cursor:
        """What to ask for next: what is older, and then what came since."""
        if self.whole:
            return {"ending_before": self.newest}
        return {"starting_after": self.oldest} if self.oldest else {}

    @property
    def goes_on(self) -> bool:
        """Whether something is left to be asked for behind the last page there: what came while the list was read."""
        return bool(self.oldest) and not self.whole

    def past(self, ids: list[str], *, more: bool) -> "Place":
        """With the page at the cursor."""
        if not ids:
            return replace(self, whole=True)
        return replace(self, newest=ids[0]) if self.whole else Place(self.newest or ids[0], ids[-1], not more)


class LookUps:
    """Finds what an effect made among its kin.

    Where a look-up stands is kept in this process alone. It could travel with the activity's heartbeats, but anybody
    who reaches Temporal can send one, and a place that was made up would hide what was made. A created time to begin
    at would have to come from a clock that may differ from Stripe's.

    Args:
        line: Makes the calls.
        clock: Monotonic seconds.
    """

    def __init__(self, line: Line, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._clock = clock
        self._places: dict[str, Place] = {}

    async def find(self, name: str, operation: str, pages: Pages, read: Callable[[Doc], T | None]) -> T | None:
        """What `read` makes of the first object that it makes something of; None where there is none.

        Args:
            name: What is looked for, and where.
            operation: The name of the call.
            pages: Fetches a page.
            read: Makes something of the object that is looked for, and None of others.

        Raises:
            LookUpUnfinished: The list is too long for one try; the next goes on from here.
        """
        until = self._clock() + LOOK_SECONDS
        place = self._places.get(name, Place())
        while True:
            found, ids, more = await self._line.read(operation, partial(_page, partial(pages, place.cursor), read))
            if found is not None or not (more or place.goes_on):
                self._places.pop(name, None)
                return found
            place = place.past(ids, more=more)
            self._keep(name, place)
            if self._clock() >= until:
                raise LookUpUnfinished("The list in Stripe is too long for one try; the next one reads on.")

    def _keep(self, name: str, place: Place) -> None:
        self._places[name] = place
        if len(self._places) > KEPT:
            del self._places[next(iter(self._places))]


async def _page(
    turn: Callable[[], Awaitable[stripe.ListObject[Any]]], read: Callable[[Doc], T | None]
) -> tuple[T | None, list[str], bool]:
    """What is looked for, if it is on the page; the page's ids, and whether there are more."""
    page = await turn()
    docs = [item.to_dict() for item in page.data]
    found = next((made for doc in docs if (made := read(doc)) is not None), None)
    return found, [doc["id"] for doc in docs], page.has_more and bool(docs)
