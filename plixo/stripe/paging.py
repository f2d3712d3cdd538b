"""Stripe's lists, page by page: each page is a call of its own, within the rate and the deadline."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import stripe

from plixo.stripe.line import Line
from plixo.stripe.reading import Doc

T = TypeVar("T")

PAGE: Final = 100
"""As many objects as Stripe puts on a page."""

Turn = Callable[[], Awaitable[stripe.ListObject[Any]]]
"""Fetches a page."""


async def each(line: Line, operation: str, first: Turn, read: Callable[[Doc], T | None]) -> AsyncIterator[T]:
    """All objects of a list, newest first, except those that `read` makes None of."""
    turn: Turn | None = first
    while turn is not None:
        found, turn = await line.read(operation, partial(_page, turn, read))
        for item in found:
            if item is not None:
                yield item


async def newest(items: AsyncIterator[T], limit: int) -> list[T]:
    """At most so many of them."""
    found: list[T] = []
    async for item in items:
        found.append(item)
        if len(found) >= limit:
            break
    return found


async def _page(turn: Turn, read: Callable[[Doc], T | None]) -> tuple[list[T | None], Turn | None]:
    """A page's objects, and how to get the next one, if there is one."""
    page = await turn()
    return [read(item.to_dict()) for item in page.data], page.next_page_async if page.has_more else None
