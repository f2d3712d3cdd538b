"""Customers."""

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, refused
from standin.handlers.operation import LISTED, changed, operation, text
from standin.metadata import merged

TEXTS = ("business_name", "description", "email", "individual_name", "name", "phone")
FIELDS = "address invoice_prefix invoice_settings metadata next_invoice_sequence preferred_locales shipping tax_exempt"
PREFIX_LENGTH = 8
LAST_SEQUENCE = 10**9


def create(books: Books, call: Call) -> Doc:
    """Opens a customer with a balance of 0 and no currency yet."""
    params = call.params
    prefix = params.get("invoice_prefix") or books.ids.new("prefix").removeprefix("prefix_")[:PREFIX_LENGTH].upper()
    settings = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    blank: Doc = {
        "address": None, "balance": 0, "currency": None, "default_source": None, "delinquent": False,
        "description": None, "discount": None, "email": None, "invoice_credit_balance": {}, "invoice_prefix": prefix,
        "invoice_settings": settings, "metadata": {}, "name": None, "next_invoice_sequence": 1, "phone": None,
        "preferred_locales": [], "shipping": None, "tax_exempt": "none", "test_clock": None,
    }  # fmt: skip
    customer = books.add("cus", "customer", _without_unset_names(blank | _given(blank, params)))
    books.happened("customer.created", customer)
    return customer


def retrieve(books: Books, call: Call) -> Doc:
    """One customer; a deleted one answers with its stub."""
    return books.objects.get("customer", call.path_params["customer"], param="id", in_path=True)


def update(books: Books, call: Call) -> Doc:
    """Changes what is given and leaves the rest."""
    customer = living(books, call)
    fields = _given(customer, call.params)
    previous = changed(customer, fields)
    customer |= fields
    books.objects.save(_without_unset_names(customer))
    books.happened("customer.updated", customer, previous)
    return customer


def delete(books: Books, call: Call) -> Doc:
    """Leaves a stub that can be retrieved and used for nothing else."""
    customer = living(books, call)
    stub = {"id": customer["id"], "object": "customer", "deleted": True}
    books.happened("customer.deleted", customer)
    return books.objects.save(stub)


def listing(books: Books, call: Call) -> Doc:
    """Customers, by e-mail if asked (case matters, as it does at Stripe)."""
    return books.objects.page("customer", call.path, call.params, ["email"])


def living(books: Books, call: Call) -> Doc:
    """The customer of the path, unless deleted."""
    customer = retrieve(books, call)
    if customer.get("deleted"):
        raise refused(f"The customer '{customer['id']}' is deleted.", param="customer", code="resource_missing")
    return customer


def _given(before: Doc, params: Doc) -> Doc:
    given: Doc = {name: text(params, name) for name in TEXTS if name in params}
    kept = ("address", "invoice_prefix", "next_invoice_sequence", "preferred_locales", "shipping", "tax_exempt")
    given |= {name: params[name] or None for name in kept if name in params}
    if "next_invoice_sequence" in given:
        given["next_invoice_sequence"] = _checked_sequence(params["next_invoice_sequence"])
    given["tax_exempt"] = given.get("tax_exempt", before["tax_exempt"]) or "none"
    given["metadata"] = merged(before["metadata"], params.get("metadata"))
    given["invoice_settings"] = {**before["invoice_settings"], **params.get("invoice_settings", {})}
    for name in ("address", "shipping"):
        if given.get(name):
            given[name] = _whole(given[name])
    return given


def _checked_sequence(sequence: int) -> int:
    if not 1 <= sequence <= LAST_SEQUENCE:
        raise bad_param("next_invoice_sequence", f"This value must be between 1 and {LAST_SEQUENCE}.")
    return sequence


def _without_unset_names(customer: Doc) -> Doc:
    """The schema has these two as text or not at all, never null."""
    for name in ("business_name", "individual_name"):
        if customer.get(name) is None:
            customer.pop(name, None)
    return customer


def _whole(part: Doc) -> Doc:
    """An address with every line, absent ones null; a shipping holds one."""
    if "address" in part:
        return {"phone": None, **part, "address": _whole(part["address"])}
    lines = ("city", "country", "line1", "line2", "postal_code", "state")
    return {line: part.get(line) for line in lines}


_FIELDS = f"{FIELDS} {' '.join(TEXTS)}"
OPERATIONS = {
    "PostCustomers": operation(create, _FIELDS),
    "GetCustomersCustomer": operation(retrieve),
    "PostCustomersCustomer": operation(update, _FIELDS),
    "DeleteCustomersCustomer": operation(delete),
    "GetCustomers": operation(listing, f"{LISTED} email"),
}
