"""The measures: how long deciding takes, what came late, where requests wait, how many there were."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from plixo.domain.duties import may_see_all
from plixo.domain.measures import Month, Pace, Waits, paces
from plixo.store import measures
from web.console.charts import Bar, Chart, chart
from web.console.navigation import need
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

DAYS: Final = 90
MONTHS: Final = 12


@dataclass(frozen=True)
class Measured:
    """All of them.

    Attributes:
        since: From when on decisions are looked at.
        paces: How long each group takes.
        waits: Where requests wait now.
        months: How many there were, oldest first.
    """

    since: datetime
    paces: Sequence[Pace]
    waits: Sequence[Waits]
    months: Sequence[Month]


async def measure(visit: Visit) -> Measured:
    """Read and work them out."""
    since = visit.now - timedelta(days=DAYS)
    async with visit.desk.ledger.read() as session:
        return Measured(
            since,
            paces(await measures.decided(session, since)),
            await measures.waits(session, visit.now),
            await measures.volumes(session, visit.now, MONTHS),
        )


@router.get("/approvals/measures")
async def show(visit: PageVisit) -> Response:
    """The measures as charts."""
    need(allowed=may_see_all(visit.person))
    context = {"charts": charts(await measure(visit)), "days": DAYS, "most": measures.MOST_DECISIONS}
    return page(visit, "console/measures.html", context)


def charts(measured: Measured) -> tuple[Chart, ...]:
    """What the page draws, in its order."""
    return (
        chart("pace", f"Time to decision, last {DAYS} days", _pace_bars(measured.paces), "Nothing was decided yet."),
        chart("late", f"Decided after it was due, last {DAYS} days", _late_bars(measured.paces), "Nothing came late."),
        chart("waits", "Where requests wait now", _wait_bars(measured.waits), "Nothing waits."),
        chart("volume", "Requests a month", _month_bars(measured.months), "There are no requests yet."),
    )


def hours(amount: float) -> str:
    """Hours as people say them, such as `3.5 h` or `12 min`."""
    return f"{amount * 60:.0f} min" if amount < 1 else f"{amount:.1f} h"


def _pace_bars(found: Sequence[Pace]) -> list[Bar]:
    bars = []
    for one in found:
        bars.append(Bar(f"{one.group.label}, half within", one.median_hours, hours(one.median_hours)))
        bars.append(Bar(f"{one.group.label}, 9 in 10 within", one.high_hours, hours(one.high_hours), "second"))
    return bars


def _late_bars(found: Sequence[Pace]) -> list[Bar]:
    return [Bar(one.group.label, one.late, f"{one.late} of {one.decisions}") for one in found]


def _wait_bars(found: Sequence[Waits]) -> list[Bar]:
    return [Bar(one.label, one.requests, f"{one.requests}, {one.overdue} of them overdue") for one in found]


def _month_bars(found: Sequence[Month]) -> list[Bar]:
    if not any(one.asked for one in found):
        return []
    return [Bar(f"{one.first:%b %Y}", one.asked, f"{one.asked}, {one.applied} applied") for one in found]
