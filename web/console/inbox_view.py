"""The inbox's address and what it shows: a link shows what whoever sent it saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode

from plixo.domain.approval import State
from plixo.ports import Record
from plixo.store.inbox import PAGE_SIZE, Search, Sort, Tab

E = TypeVar("E", bound=StrEnum)

LONGEST_TEXT: Final = 100
LAST_PAGE: Final = 10_000
"""Further than anybody turns; what lies beyond would only make the database count."""


MOST_COUNTED: Final = 1000
"""How far a page counts: nobody reads on, and counting all that ever was would take longer every year."""


@dataclass(frozen=True)
class Listing:
    """A page of the inbox.

    Attributes:
        search: What was looked for.
        records: What was found on this page.
        total: How many in all, counted to one more than `MOST_COUNTED`.
        names: The requesters' by id.
        counts: How many each tab holds, counted as far.
        tickable: Ids of those that the reader may decide on among several.
        ticked: Whether all of those are ticked when the page opens.
    """

    search: Search
    records: Sequence[Record]
    total: int
    names: Mapping[str, str]
    counts: Mapping[Tab, int]
    tickable: frozenset[str] = frozenset()
    ticked: bool = False

    @property
    def states(self) -> Sequence[State]:
        """What can be filtered by."""
        return tuple(State)

    @property
    def sorts(self) -> Sequence[Sort]:
        """What can be ordered by."""
        return tuple(Sort)

    @property
    def pages(self) -> int | None:
        """How many pages there are, at least one; None where nobody counted."""
        return None if self.total > MOST_COUNTED else max(-(-self.total // self.search.size), 1)

    @property
    def more(self) -> bool:
        """Whether there may be a page after this one."""
        if self.pages is None:
            return len(self.records) == self.search.size and self.search.page < LAST_PAGE
        return self.search.page < self.pages

    @property
    def words(self) -> str:
        """How much was found, for everybody and read out where the list changes under the reader."""
        if self.pages is None:
            return f"More than {MOST_COUNTED:,} requests, page {self.search.page}"
        found = "1 request" if self.total == 1 else f"{self.total} requests"
        return f"{found}, page {self.search.page} of {self.pages}" if self.pages > 1 else found

    def counted(self, tab: Tab) -> str:
        """How many requests a tab holds, such as `12` or `1,000+`."""
        count = self.counts[tab]
        return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else str(count)

    @property
    def filtered(self) -> bool:
        """Whether something narrows the tab."""
        return bool(self.search.text or self.search.state)

    @property
    def here(self) -> str:
        """This page of it."""
        return self.address(page=self.search.page)

    def address(self, *, tab: Tab | None = None, page: int = 1) -> str:
        """The same search on another tab or page."""
        search = self.search
        asked = {"tab": (tab or search.tab).value, "q": search.text, "sort": search.sort.value}
        asked |= {"state": search.state.value if search.state else "", "page": str(page) if page > 1 else ""}
        return f"/approvals?{urlencode({name: value for name, value in asked.items() if value})}"


def chosen(asked: Mapping[str, str], counts: Mapping[Tab, int]) -> Search:
    """What an address looks for; words that mean nothing are passed over."""
    first = Tab.MINE if counts[Tab.MINE] else Tab.GROUPS if counts[Tab.GROUPS] else Tab.ALL
    tab = _one_of(Tab, asked.get("tab", "")) or first
    waiting = tab in {Tab.MINE, Tab.GROUPS, Tab.OVERDUE}
    return Search(
        tab=tab,
        text=plain_text(asked.get("q", "")),
        state=_one_of(State, asked.get("state", "")),
        sort=_one_of(Sort, asked.get("sort", "")) or (Sort.DUE if waiting else Sort.NEWEST),
        page=page_number(asked.get("page", "")),
        size=PAGE_SIZE,
    )


def plain_text(text: str) -> str:
    """What was searched for, without what no database takes."""
    return "".join(letter for letter in text[:LONGEST_TEXT] if letter.isprintable()).strip()


def page_number(text: str) -> int:
    """A page, counted from 1."""
    return min(max(int(text), 1), LAST_PAGE) if text.isascii() and text.isdecimal() and len(text) < 10 else 1  # noqa: PLR2004 - more digits than pages


def _one_of(kind: type[E], word: str) -> E | None:
    return kind(word) if word in set(kind) else None
