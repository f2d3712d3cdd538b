"""Commands on invoices."""

from cyclopts import App

from starters.cli.example import example
from starters.cli.output import show, table
from starters.cli.reach import HERE, Reach, reached
from starters.cli.views import Answer, money

app = App(name="invoices", help="Invoices as Stripe has them.", help_epilogue=example("plixo invoices list"))


@app.command(name="list", help_epilogue=example("plixo invoices list --customer cus_ExampleLogistics"))
def list_invoices(*, customer: str = "", reach: Reach = HERE) -> None:
    """List the newest invoices, with what credits can still take off each.

    Args:
        customer: Only this customer's, by Stripe's id.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("invoices", customer=customer)
    rows = [_row(one) for one in found["invoices"]]
    columns = ["Invoice", "Number", "State!", ">Total!", ">Creditable!"]
    page = table(columns, rows, empty="There is none like that in Stripe.")
    show(found, page, as_json=reach.as_json, following=_following(found["invoices"], reach))


def _row(one: Answer) -> tuple[str, ...]:
    total, left = money(one["total_minor"], one["currency"]), money(one["creditable_minor"], one["currency"])
    return one["invoice_id"], one["number"], one["status"], total, left


def _following(invoices: list[Answer], reach: Reach) -> str:
    """Previewing a credit on the first one that can take any."""
    first = next((one for one in invoices if one["status"] in {"open", "paid"} and one["creditable_minor"]), None)
    if first is None:
        return ""
    what = f"--customer {first['customer_id']} --invoice {first['invoice_id']} --amount {first['creditable']}"
    return f"plixo credit preview {what} --currency {first['currency']} --reason goodwill{reach.suffix}"
