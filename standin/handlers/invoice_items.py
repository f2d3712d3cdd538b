"""Invoice items: what a draft invoice is made of."""

from fractions import Fraction

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, refused
from standin.handlers.invoice_sums import add_up
from standin.handlers.operation import LISTED, operation, text
from standin.metadata import merged
from standin.money import checked_amount, half_up, known_currency, unit_price


def create(books: Books, call: Call) -> Doc:
    """An item on a draft invoice, or waiting for the customer's next one."""
    params = call.params
    invoice = _draft_of(books, params)
    customer = _customer_of(books, params, invoice)
    price = _price_of(books, params)
    currency = _currency_of(params, invoice, customer, price)
    quantity = params.get("quantity", 1)
    amount = checked_amount(_amount(params, price, quantity, currency), currency, param="amount")
    fields: Doc = {
        "amount": amount, "currency": currency, "customer": customer["id"], "date": books.now,
        "description": text(params, "description"), "discountable": amount > 0, "discounts": [],
        "invoice": invoice["id"] if invoice else None, "metadata": merged({}, params.get("metadata")),
        "net_amount": amount, "parent": None, "pricing": _pricing(price),
        "period": params.get("period", {"start": books.now, "end": books.now}), "proration": False,
        "quantity": quantity, "quantity_decimal": str(quantity), "tax_rates": tax_rates(books, params, "tax_rates"),
        "test_clock": None,
    }  # fmt: skip
    item = books.add("ii", "invoiceitem", fields)
    books.happened("invoiceitem.created", item)
    if invoice:
        books.change(invoice, **add_up(books, invoice))
    return item


def tax_rates(books: Books, params: Doc, name: str) -> list[Doc]:
    """The tax rates that a parameter names."""
    given = params.get(name) or []
    return [books.objects.get("tax_rate", each, param=f"{name}[{at}]") for at, each in enumerate(given)]


def _draft_of(books: Books, params: Doc) -> Doc | None:
    if "invoice" not in params:
        return None
    invoice = books.objects.get("invoice", params["invoice"], param="invoice")
    if invoice["status"] != "draft":
        raise refused("Items can be added to draft invoices only.", param="invoice", code="invoice_not_editable")
    return invoice


def _customer_of(books: Books, params: Doc, invoice: Doc | None) -> Doc:
    wanted = params.get("customer") or (invoice["customer"] if invoice else None)
    if wanted is None:
        raise bad_param("customer", "Missing required param: customer.", "parameter_missing")
    if invoice and wanted != invoice["customer"]:
        raise bad_param("invoice", f"The invoice '{invoice['id']}' is not the customer's.")
    return books.objects.get("customer", wanted, param="customer")


def _price_of(books: Books, params: Doc) -> Doc | None:
    if "price" not in params.get("pricing", {}):
        return None
    return books.objects.get("price", params["pricing"]["price"], param="pricing[price]")


def _currency_of(params: Doc, invoice: Doc | None, customer: Doc, price: Doc | None) -> str:
    known = (price and price["currency"]) or (invoice and invoice["currency"]) or customer["currency"]
    if "currency" not in params and not known:
        raise bad_param("currency", "Missing required param: currency.", "parameter_missing")
    currency = known_currency(params["currency"]) if "currency" in params else str(known)
    for other in (price, invoice):
        if other and other["currency"] != currency:
            raise bad_param("currency", f"The item is in {currency}, but the {other['object']} in {other['currency']}.")
    return currency


def _amount(params: Doc, price: Doc | None, quantity: int, currency: str) -> int:
    if quantity < 1:
        raise bad_param("quantity", "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if price:
        return half_up(Fraction(price["unit_amount_decimal"]) * quantity, currency)
    if "unit_amount_decimal" in params:
        unit = unit_price(params["unit_amount_decimal"], param="unit_amount_decimal")
        return half_up(unit * quantity, currency)
    if "amount" not in params:
        raise bad_param("amount", "Missing required param: amount.", "parameter_missing")
    return int(params["amount"])


def _pricing(price: Doc | None) -> Doc | None:
    if price is None:
        return None
    details = {"price": price["id"], "product": price["product"]}
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": price["unit_amount_decimal"]}


def retrieve(books: Books, call: Call) -> Doc:
    """One item."""
    return books.objects.get("invoiceitem", call.path_params["invoiceitem"], param="invoiceitem", in_path=True)


def listing(books: Books, call: Call) -> Doc:
    """Items, by customer or invoice; the waiting ones are those without an invoice."""
    params = {**call.params}
    filters = ["customer", "invoice"]
    if params.get("pending"):
        params["invoice"] = None
    return books.objects.page("invoiceitem", call.path, params, filters)


_FIELDS = "amount currency customer description invoice metadata period pricing quantity tax_rates unit_amount_decimal"
OPERATIONS = {
    "PostInvoiceitems": operation(create, _FIELDS),
    "GetInvoiceitemsInvoiceitem": operation(retrieve),
    "GetInvoiceitems": operation(listing, f"{LISTED} customer invoice pending"),
}
