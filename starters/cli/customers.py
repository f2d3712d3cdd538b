"""Commands on customers."""

from cyclopts import App

from starters.cli.example import example
from starters.cli.output import show, table
from starters.cli.reach import HERE, Reach, reached

app = App(name="customers", help="Customers as Stripe has them.", help_epilogue=example("plixo customers list"))


@app.command(name="list", help_epilogue=example("plixo customers list --q logistics"))
def list_customers(*, q: str = "", reach: Reach = HERE) -> None:
    """List the newest customers.

    Args:
        q: Only those whose name or id holds this.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("customers", q=q)
    customers = found["customers"]
    rows = [(one["customer_id"], one["name"], one["email"], one["currency"] or "") for one in customers]
    page = table(["Customer", "Name", "Mail", "Currency"], rows, empty="There is none like that in Stripe.")
    following = f"plixo invoices list --customer {rows[0][0]}{reach.suffix}" if rows else ""
    show(found, page, as_json=reach.as_json, following=following)
