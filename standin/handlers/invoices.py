"""Invoices: drafts, and what can be read and changed of them. Their way onward is in `invoice_steps`."""

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, refused
from standin.handlers.balance import settle_currency
from standin.handlers.invoice_items import tax_rates
from standin.handlers.invoice_sums import add_up
from standin.handlers.operation import LISTED, changed, operation, text
from standin.metadata import merged
from standin.money import known_currency
from standin.objects import envelope

DAY_SECONDS = 86_400
TEXTS = ("default_payment_method", "description", "footer", "statement_descriptor")
FIELDS = f"""auto_advance collection_method days_until_due default_tax_rates due_date effective_at metadata number
    {" ".join(TEXTS)}"""


def create(books: Books, call: Call) -> Doc:
    """A draft; it takes the customer's waiting items if asked to."""
    params = call.params
    if "customer" not in params:
        raise bad_param("customer", "Missing required param: customer.", "parameter_missing")
    customer = books.objects.get("customer", params["customer"], param="customer")
    currency = known_currency(params.get("currency") or customer["currency"] or "usd")
    blank = _zero_amounts() | _unused() | _about(customer)
    fields: Doc = {
        "auto_advance": False, "collection_method": "charge_automatically", "currency": currency, "description": None,
        "default_payment_method": None, "default_tax_rates": [], "due_date": None, "effective_at": None,
        "footer": None, "metadata": {}, "number": None, "statement_descriptor": None, "status": "draft",
    }  # fmt: skip
    times = {"period_end": books.now, "period_start": books.now, "status_transitions": _no_transitions()}
    fields |= blank | times
    fields |= _given(books, fields | {"created": books.now, "id": ""}, params)
    invoice = books.add("in", "invoice", fields)
    settle_currency(customer, currency)
    books.objects.save(customer)
    if params.get("pending_invoice_items_behavior") == "include":
        _take_waiting(books, invoice)
    books.change(invoice, **add_up(books, invoice))
    books.happened("invoice.created", invoice)
    return invoice


def _zero_amounts() -> Doc:
    names = """amount_due amount_overpaid amount_paid amount_paid_off_stripe amount_remaining amount_shipping
        attempt_count post_payment_credit_notes_amount pre_payment_credit_notes_amount starting_balance subtotal
        subtotal_excluding_tax total total_excluding_tax"""
    return dict.fromkeys(names.split(), 0)


def _unused() -> Doc:
    absent = """account_country account_name account_tax_ids application automatically_finalizes_at custom_fields
        default_source ending_balance from_invoice hosted_invoice_url invoice_pdf last_finalization_error
        latest_revision next_payment_attempt on_behalf_of parent receipt_number rendering shipping_cost
        shipping_details test_clock webhooks_delivered_at"""
    off = {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None}
    how = {"default_mandate": None, "payment_method_options": None, "payment_method_types": None}
    empty: Doc = {name: [] for name in ("discounts", "total_discount_amounts", "total_pretax_credit_amounts")}
    lists = {"lines": envelope([], ""), "payments": envelope([], "/v1/invoice_payments"), "total_taxes": []}
    plain = {"attempted": False, "automatic_tax": off, "billing_reason": "manual", "issuer": {"type": "self"}}
    return dict.fromkeys(absent.split()) | empty | lists | plain | {"payment_settings": how}


def _about(customer: Doc) -> Doc:
    copied = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {
        "customer": customer["id"],
        "customer_tax_ids": [],
        **{f"customer_{name}": customer[name] for name in copied},
    }


def _no_transitions() -> Doc:
    return dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at"))


def _given(books: Books, invoice: Doc, params: Doc) -> Doc:
    given: Doc = {name: text(params, name) for name in TEXTS if name in params}
    kept = ("auto_advance", "collection_method", "due_date", "effective_at")
    given |= {name: params[name] for name in kept if name in params}
    if "default_tax_rates" in params:
        given["default_tax_rates"] = tax_rates(books, params, "default_tax_rates")
    if "days_until_due" in params:
        given["due_date"] = invoice["created"] + params["days_until_due"] * DAY_SECONDS
    if "number" in params:
        given["number"] = _free_number(books, invoice["id"], params["number"])
    given["metadata"] = merged(invoice["metadata"], params.get("metadata"))
    _check_due(given.get("collection_method") or invoice["collection_method"], given.get("due_date"))
    return given


def _check_due(collection_method: str, due_date: int | None) -> None:
    if due_date is not None and collection_method != "send_invoice":
        raise bad_param("due_date", "A due date needs collection_method=send_invoice.")


def _free_number(books: Books, invoice_id: str, number: str) -> str | None:
    taken = [each for each in books.objects.all("invoice", number=number) if each["id"] != invoice_id]
    if number and taken:
        raise refused(f"The invoice number '{number}' is taken.", param="number")
    return number or None


def _take_waiting(books: Books, invoice: Doc) -> None:
    for item in books.objects.all("invoiceitem", customer=invoice["customer"], invoice=None):
        if item["currency"] == invoice["currency"]:
            books.change(item, invoice=invoice["id"])


def retrieve(books: Books, call: Call) -> Doc:
    """One invoice."""
    return books.objects.get("invoice", call.path_params["invoice"], param="invoice", in_path=True)


def update(books: Books, call: Call) -> Doc:
    """Changes a draft; of a finalised invoice only what does not change its amounts."""
    invoice = retrieve(books, call)
    fixed = sorted({"collection_method", "default_tax_rates", "number"} & set(call.params))
    if invoice["status"] != "draft" and fixed:
        raise refused("Finalized invoices can't be updated in this way.", param=fixed[0], code="invoice_not_editable")
    fields = _given(books, invoice, call.params)
    previous = changed(invoice, fields)
    books.change(invoice, **fields)
    if invoice["status"] == "draft":
        books.change(invoice, **add_up(books, invoice))
    books.happened("invoice.updated", invoice, previous)
    return invoice


def listing(books: Books, call: Call) -> Doc:
    """Invoices, by customer, status or way of collection."""
    return books.objects.page("invoice", call.path, call.params, ["customer", "status", "collection_method"])


OPERATIONS = {
    "PostInvoices": operation(create, f"{FIELDS} currency customer pending_invoice_items_behavior"),
    "GetInvoicesInvoice": operation(retrieve),
    "PostInvoicesInvoice": operation(update, FIELDS),
    "GetInvoices": operation(listing, f"{LISTED} collection_method customer status"),
}
