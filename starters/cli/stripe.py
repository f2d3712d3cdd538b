"""Commands on Stripe: they read it, and never write."""

import asyncio
from typing import TYPE_CHECKING, Any

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import heading, line, pages, show, table
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from plixo.config import Settings
    from plixo.domain.reconciling import Close

app = App(
    name="stripe", help="Stripe, held against what was approved.", help_epilogue=example("plixo stripe reconcile")
)


@app.command(help_epilogue=example("PLIXO_STRIPE_READ_KEY=rk_test_123 plixo stripe reconcile"))
def reconcile(*, every_customer: bool = False, as_json: Json = False) -> int:
    """Compare what Stripe holds with what was approved, both ways; nothing is written.

    Args:
        every_customer: Look through the balances of all customers in Stripe, not only of those that requests name.
        as_json: Print one JSON document.
    """
    found = asyncio.run(_close(load_settings(), every_customer=every_customer))
    verdict = "Stripe holds what was approved." if found.ties else "Stripe and what was approved do not tie."
    sums = table(
        ["Currency", ">Approved", ">Stripe holds", ">Difference", ">Objects"],
        [tuple(_sum(one).values()) for one in found.sums],
        empty="Nothing was applied, and Stripe holds nothing of ours.",
    )
    wrong = [line(f"{one.object_id or one.effect_id}: {one.where.label}: {one.why}") for one in found.differences]
    moving = [line(f"{approval_id}: under way, and not counted") for approval_id in found.under_way]
    page = pages(heading(verdict), sums, *wrong, *moving)
    show(_document(found), page, as_json=as_json, following="plixo audit verify")
    return 0 if found.ties else 1


async def _close(settings: "Settings", *, every_customer: bool) -> "Close":
    from plixo.bootstrap import open_books  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.domain.payments import PaymentsError  # noqa: PLC0415 - the same
    from starters.cli.database import check_there, failures_named  # noqa: PLC0415 - the same
    from starters.closing import close  # noqa: PLC0415 - the same

    check_there(settings)
    try:
        with failures_named(settings):
            async with open_books(settings) as (ledger, books):
                return await close(ledger, books, every_customer=every_customer)
    except PaymentsError as failure:
        raise CommandFailed(f"Stripe cannot be read: {failure}") from failure
    except ValueError as bad:
        if "Stripe key" not in str(bad):
            raise
        raise CommandFailed(f"{bad} Set PLIXO_STRIPE_READ_KEY to a restricted key that can read.") from bad


def _sum(one: Any) -> dict[str, str]:  # noqa: ANN401 - a `Sum`, whose module is loaded later
    from plixo.domain.money import Money  # noqa: PLC0415 - `plixo --help` stays quick

    approved, held = Money(one.approved_minor, one.currency), Money(one.held_minor, one.currency)
    figures = {"approved": approved, "held": held, "difference": one.difference}
    return {
        "currency": one.currency,
        **{name: f"{money.major:,}" for name, money in figures.items()},
        "objects": str(one.objects),
    }


def _document(found: "Close") -> dict[str, Any]:
    return {
        "ties": found.ties,
        "currencies": [
            {
                "currency": one.currency,
                "approved_minor": one.approved_minor,
                "held_minor": one.held_minor,
                "difference_minor": one.difference.minor,
                "objects": one.objects,
            }
            for one in found.sums
        ],
        "differences": [
            {
                "where": one.where.value,
                "effect": one.effect_id,
                "approval": one.approval_id,
                "object": one.object_id,
                "why": one.why,
            }
            for one in found.differences
        ],
        "under_way": list(found.under_way),
    }
