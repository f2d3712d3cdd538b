"""The finance sheet and the measures, for programs."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from plixo.domain.duties import may_see_all, may_see_books
from plixo.domain.finance_sheet import PAYOUT_WORDS, Sheet, parse_period
from plixo.domain.refusals import NotAllowed
from starters.closing import sheet
from web.api.routing import router
from web.console.measures import measure
from web.identity import ApiCall

finance_routes = router("finance")
DAY = 20
"""Characters of a day, and then some: what is longer is refused as no day."""


class SheetRow(BaseModel):
    """A request that was applied; amounts in major units."""

    request: str
    kind: str
    requester: str
    approvers: str = Field(description="Names with semicolons between; `automatic` where nobody was asked.")
    reason: str
    customer: str
    invoice: str = Field(description="Empty for a credit to the customer's balance.")
    net: str
    tax: str
    gross: str
    currency: str
    stripe_id: str
    payout: str = Field(description=PAYOUT_WORDS)
    when: str = Field(description="When it was applied, in UTC.")


class SheetTotal(BaseModel):
    """What one currency comes to, in minor units."""

    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    held_minor: int | None = Field(description="What stands in Stripe; null where Stripe was not read.")
    difference_minor: int | None = Field(description="What Stripe holds beyond the rows.")


class SheetDifference(BaseModel):
    """Something that does not tie."""

    where: str
    effect: str
    approval: str
    object: str
    why: str


class SheetOut(BaseModel):
    """A period's finance sheet, tied to Stripe."""

    first: str = Field(description="The first day, in UTC.")
    last: str = Field(description="The last day, which still belongs to it.")
    ties: bool
    problem: str = Field(description="Why Stripe was not read; empty where it was.")
    rows: list[SheetRow]
    totals: list[SheetTotal]
    differences: list[SheetDifference]
    under_way: list[str] = Field(description="Requests whose write is being tried this moment; not counted.")


@finance_routes.get("/finance/sheet")
async def finance_sheet(
    call: ApiCall,
    first: Annotated[str, Query(alias="from", max_length=DAY, description="A day; this month's first.")] = "",
    last: Annotated[str, Query(alias="to", max_length=DAY, description="A day; the first one's month's last.")] = "",
) -> SheetOut:
    """What was applied in Stripe in a period, a row for each request, tied to what Stripe holds."""
    if not may_see_books(call.person):
        words = f"Finance, Controllers and the CFO read it; you are {call.person.role}."
        raise NotAllowed.one("person", "not_for_the_books", words)
    period = parse_period(first, last, call.now.date())
    return _shown(await sheet(call.desk.ledger, call.desk.payments, period, call.desk.clock))


class PaceOut(BaseModel):
    """How long a group takes."""

    group: str
    decisions: int
    median_hours: float
    p90_hours: float = Field(description="Nine in ten took no longer.")
    late: int = Field(description="How many came after they were due.")


class WaitsOut(BaseModel):
    """Requests that wait now on the same groups."""

    groups: list[str]
    requests: int
    overdue: int


class MonthOut(BaseModel):
    """What was asked for in a month."""

    month: str = Field(description="Such as `2026-11`, in UTC.")
    asked: int
    applied: int


class MeasuresOut(BaseModel):
    """How long deciding takes, and where requests wait."""

    since: datetime = Field(description="From when on decisions are looked at.")
    paces: list[PaceOut]
    waits: list[WaitsOut]
    months: list[MonthOut]


@finance_routes.get("/measures")
async def measures(call: ApiCall) -> MeasuresOut:
    """Time to decision and late decisions by group, where requests wait now, and how many there were a month."""
    if not may_see_all(call.person):
        words = f"Every group but support reads it; you are {call.person.role}."
        raise NotAllowed.one("person", "not_for_measures", words)
    found = await measure(call)
    return MeasuresOut(
        since=found.since,
        paces=[
            PaceOut(
                group=one.group.value,
                decisions=one.decisions,
                median_hours=round(one.median_hours, 3),
                p90_hours=round(one.high_hours, 3),
                late=one.late,
            )
            for one in found.paces
        ],
        waits=[
            WaitsOut(groups=[group.value for group in one.groups], requests=one.requests, overdue=one.overdue)
            for one in found.waits
        ],
        months=[MonthOut(month=f"{one.first:%Y-%m}", asked=one.asked, applied=one.applied) for one in found.months],
    )


def _shown(found: Sheet) -> SheetOut:
    return SheetOut(
        first=str(found.period.first),
        last=str(found.period.last),
        ties=found.ties,
        problem=found.problem,
        rows=[SheetRow(**line.row()) for line in found.lines],
        totals=[
            SheetTotal(
                currency=one.currency,
                net_minor=one.net_minor,
                tax_minor=one.tax_minor,
                gross_minor=one.gross_minor,
                held_minor=one.held_minor,
                difference_minor=one.difference.minor if one.difference is not None else None,
            )
            for one in found.totals
        ],
        differences=[
            SheetDifference(
                where=one.where.value,
                effect=one.effect_id,
                approval=one.approval_id,
                object=one.object_id,
                why=one.why,
            )
            for one in found.differences
        ],
        under_way=list(found.under_way),
    )
