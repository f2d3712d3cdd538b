"""The finance sheet of a period: what was applied, tied to Stripe, and the same as a file."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from plixo.domain.duties import may_see_books
from plixo.domain.finance_sheet import PAYOUT_WORDS, Period, csv_text, parse_period
from plixo.domain.refusals import Refused
from starters.closing import sheet, sheet_lines
from web.console.navigation import need
from web.failures import status_of
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False)

MOST_SHOWN = 200
"""How many lines a page shows; the file has them all."""


async def reader(visit: PageVisit) -> Visit:
    """Somebody who answers for the books.

    Raises:
        NotFound: For anybody else.
    """
    need(allowed=may_see_books(visit.person))
    return visit


Reader = Annotated[Visit, Depends(reader)]


@router.get("/finance/sheet")
async def show(visit: Reader) -> Response:
    """A period's sheet, this month's unless the address names days."""
    asked = visit.request.query_params
    typed = {"first": asked.get("from", "")[:20], "last": asked.get("to", "")[:20]}
    try:
        period = _period(visit)
    except Refused as refusal:
        context = {**typed, "problems": refusal.problems, "sheet": None}
        return page(visit, "console/finance_sheet.html", context, status_of(refusal))
    found = await sheet(visit.desk.ledger, visit.desk.payments, period, visit.desk.clock)
    shown = {
        "first": str(period.first),
        "last": str(period.last),
        "problems": (),
        "sheet": found,
        "shown": found.lines[-MOST_SHOWN:],
        "payout_words": PAYOUT_WORDS,
    }
    return page(visit, "console/finance_sheet.html", shown)


@router.get("/finance/sheet.csv")
async def download(visit: Reader) -> Response:
    """Every line of the period, for a spreadsheet."""
    period = _period(visit)
    lines = await sheet_lines(visit.desk.ledger, period, visit.desk.clock)
    name = f"plixo-sheet-{period.first}-{period.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(csv_text([line.row() for line in lines]), media_type="text/csv", headers=headers)


def _period(visit: Visit) -> Period:
    asked = visit.request.query_params
    return parse_period(asked.get("from", ""), asked.get("to", ""), visit.now.date())
