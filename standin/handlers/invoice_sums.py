"""An invoice's lines, taxes and totals, added up from its items."""

from standin.books import Books
from standin.call import Doc
from standin.money import percent_of, shares
from standin.objects import envelope


def add_up(books: Books, invoice: Doc) -> Doc:
    """The sums of a draft: one line an item, tax per rate on the sum of its lines and shared out among them.

    Returns:
        The fields of the invoice that follow from its items.
    """
    items = books.objects.all("invoiceitem", invoice=invoice["id"])
    taxes = _taxes(items, invoice)
    known = {line["parent"]["invoice_item_details"]["invoice_item"]: line["id"] for line in invoice["lines"]["data"]}
    lines = [_line(books, item, taxes[item["id"]], known.get(item["id"])) for item in items]
    net = sum(item["amount"] for item in items)
    totals = totals_by_rate([tax for line in lines for tax in line["taxes"]])
    total = net + sum(tax["amount"] for tax in totals)
    return {
        "lines": envelope(lines, f"/v1/invoices/{invoice['id']}/lines"),
        "subtotal": net, "subtotal_excluding_tax": net, "total_excluding_tax": net, "total_taxes": totals,
        "total": total, "amount_due": total, "amount_remaining": total,
    }  # fmt: skip


def _taxes(items: list[Doc], invoice: Doc) -> dict[str, list[Doc]]:
    by_item: dict[str, list[Doc]] = {item["id"]: [] for item in items}
    rates = {rate["id"]: rate for item in items for rate in _rates(item, invoice)}
    for rate in rates.values():
        taxed = [item for item in items if rate["id"] in {each["id"] for each in _rates(item, invoice)}]
        amounts = [item["amount"] for item in taxed]
        tax = percent_of(sum(amounts), rate["percentage"], invoice["currency"])
        for item, share in zip(taxed, shares(tax, amounts, invoice["currency"]), strict=True):
            by_item[item["id"]].append(tax_entry(rate["id"], share, item["amount"]))
    return by_item


def _rates(item: Doc, invoice: Doc) -> list[Doc]:
    rates: list[Doc] = item["tax_rates"] or invoice["default_tax_rates"]
    return rates


def tax_entry(rate_id: str, amount: int, taxable: int) -> Doc:
    """One tax as it stands on invoices, credit notes and their lines."""
    return {
        "amount": amount, "tax_behavior": "exclusive", "tax_rate_details": {"tax_rate": rate_id},
        "taxability_reason": "not_available", "taxable_amount": taxable, "type": "tax_rate_details",
    }  # fmt: skip


def totals_by_rate(taxes: list[Doc]) -> list[Doc]:
    """The same taxes, one entry a rate."""
    totals: dict[str, Doc] = {}
    for tax in taxes:
        rate_id = tax["tax_rate_details"]["tax_rate"]
        total = totals.setdefault(rate_id, tax_entry(rate_id, 0, 0))
        total["amount"] += tax["amount"]
        total["taxable_amount"] += tax["taxable_amount"]
    return list(totals.values())


def _line(books: Books, item: Doc, taxes: list[Doc], known_id: str | None) -> Doc:
    source = {"invoice_item": item["id"], "proration": False, "proration_details": None, "subscription": None}
    parent = {"type": "invoice_item_details", "invoice_item_details": source, "subscription_item_details": None}
    copied = ("amount", "currency", "description", "discountable", "invoice", "metadata", "period", "pricing",
              "quantity", "quantity_decimal")  # fmt: skip
    fields: Doc = {name: item[name] for name in copied}
    fields |= {
        "discount_amounts": [], "discounts": [], "parent": parent, "pretax_credit_amounts": [], "subscription": None,
        "subtotal": item["amount"], "taxes": taxes,
    }  # fmt: skip
    line = books.draft("il", "line_item", fields)
    return line | {"id": known_id} if known_id else line
