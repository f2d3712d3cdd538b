"""An invoice's way: finalised, sent, paid, voided, given up."""

from typing import Any

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import ApiError, refused
from standin.handlers.balance import enter
from standin.handlers.invoices import retrieve
from standin.handlers.operation import operation, text
from standin.handlers.payments import Attempt, attempt, new_intent


def finalize(books: Books, call: Call) -> Doc:
    """A draft becomes open: it gets its number and uses up the customer's balance."""
    invoice = retrieve(books, call)
    if invoice["status"] != "draft":
        raise refused("This invoice is already finalized.", code="invoice_not_editable")
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    return finalized(books, invoice)


def finalized(books: Books, invoice: Doc) -> Doc:
    """Finalises a draft.

    Raises:
        ApiError: It holds nothing, or less than nothing.
    """
    if not invoice["lines"]["data"]:
        raise refused("Nothing to invoice: the draft has no items.", code="invoice_no_customer_line_items")
    if invoice["total"] < 0:
        raise refused("The stand-in does not finalize invoices with a negative total.")
    customer = books.objects.get("customer", invoice["customer"], param="customer")
    invoice["number"] = invoice["number"] or _next_number(books, customer)
    invoice["effective_at"] = invoice["effective_at"] or books.now
    _apply_balance(books, invoice, customer)
    _to(books, invoice, "open", "finalized_at", "invoice.finalized")
    if invoice["amount_due"] == 0:
        paid(books, invoice)
    return invoice


def _next_number(books: Books, customer: Doc) -> str:
    sequence = customer["next_invoice_sequence"]
    books.change(customer, next_invoice_sequence=sequence + 1)
    return f"{customer['invoice_prefix']}-{sequence:04d}"


def _apply_balance(books: Books, invoice: Doc, customer: Doc) -> None:
    balance = customer["invoice_credit_balance"].get(invoice["currency"], 0)
    due = max(invoice["total"] + balance, 0)
    applied = invoice["total"] - due
    if applied:
        enter(books, customer, applied, invoice["currency"], "applied_to_invoice", invoice=invoice["id"])
    invoice |= {"starting_balance": balance, "ending_balance": balance + applied}
    invoice |= {"amount_due": due, "amount_remaining": due}


def _to(books: Books, invoice: Doc, status: str, stamp: str, event: str) -> Doc:
    previous = {"status": invoice["status"]}
    invoice["status_transitions"] = {**invoice["status_transitions"], stamp: books.now}
    books.change(invoice, status=status)
    books.happened(event, invoice)
    books.happened("invoice.updated", invoice, previous)
    return invoice


def paid(books: Books, invoice: Doc) -> Doc:
    """Nothing remains to be paid."""
    return _to(books, invoice, "paid", "paid_at", "invoice.paid")


def pay(books: Books, call: Call) -> Doc:
    """Pays what remains, by a test card or outside Stripe.

    Raises:
        ApiError: The card was declined (402; the failed attempt stays in the books), or nothing can be paid.
    """
    invoice = retrieve(books, call)
    if invoice["status"] == "draft":
        finalized(books, invoice)
    if invoice["status"] not in {"open", "uncollectible"}:
        raise refused(f"Invoice is already {invoice['status']}.", code=f"invoice_{invoice['status']}")
    if call.params.get("paid_out_of_band"):
        invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
        return _received(books, invoice)
    return _charged(books, invoice, _method_of(books, invoice, call))


def _method_of(books: Books, invoice: Doc, call: Call) -> str:
    customer = books.objects.get("customer", invoice["customer"], param="customer")
    by_default = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    method = text(call.params, "payment_method") or by_default
    if method is None:
        raise refused("There is no default payment method; give a payment_method.", code="payment_method_missing")
    return str(method)


def _charged(books: Books, invoice: Doc, method: str) -> Doc:
    intent = new_intent(
        books, invoice["amount_remaining"], invoice["currency"], customer=invoice["customer"], metadata={}
    )
    tried = attempt(books, intent, method)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    if tried.refusal:
        books.change(invoice)
        books.happened("invoice.payment_failed", invoice)
        raise tried.refusal
    _note_payment(books, invoice, tried)
    _received(books, invoice)
    books.happened("invoice.payment_succeeded", invoice)
    return invoice


def _note_payment(books: Books, invoice: Doc, tried: Attempt) -> None:
    payment: dict[str, Any] = {"type": "payment_intent", "payment_intent": tried.intent["id"]}
    amount = invoice["amount_remaining"]
    fields: Doc = {
        "amount_paid": amount, "amount_requested": amount, "currency": invoice["currency"],
        "invoice": invoice["id"], "is_default": True, "payment": payment, "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": books.now},
    }  # fmt: skip
    invoice["payments"]["data"].insert(0, books.draft("inpay", "invoice_payment", fields))


def _received(books: Books, invoice: Doc) -> Doc:
    invoice |= {"amount_paid": invoice["amount_paid"] + invoice["amount_remaining"], "amount_remaining": 0}
    return paid(books, invoice)


def void(books: Books, call: Call) -> Doc:
    """Takes an open invoice back, and gives the balance that it used up back to the customer."""
    invoice = _in_status(retrieve(books, call), "open", "uncollectible")
    used = -sum(
        entry["amount"]
        for entry in books.objects.all("customer_balance_transaction", invoice=invoice["id"])
        if entry["type"] in {"applied_to_invoice", "unapplied_from_invoice"}
    )
    if used:
        customer = books.objects.get("customer", invoice["customer"], param="customer")
        enter(books, customer, used, invoice["currency"], "unapplied_from_invoice", invoice=invoice["id"])
    return _to(books, invoice, "void", "voided_at", "invoice.voided")


def mark_uncollectible(books: Books, call: Call) -> Doc:
    """Gives an open invoice up; it may still be paid."""
    invoice = _in_status(retrieve(books, call), "open")
    return _to(books, invoice, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def send(books: Books, call: Call) -> Doc:
    """Sends an invoice by hand; no mail leaves the stand-in, the event says that it would have."""
    invoice = retrieve(books, call)
    if invoice["collection_method"] != "send_invoice":
        raise refused("Only invoices with collection_method=send_invoice can be sent by hand.")
    if invoice["status"] == "draft":
        finalized(books, invoice)
    books.happened("invoice.sent", invoice)
    return invoice


def _in_status(invoice: Doc, *statuses: str) -> Doc:
    if invoice["status"] not in statuses:
        raise _wrong_status(invoice, statuses)
    return invoice


def _wrong_status(invoice: Doc, statuses: tuple[str, ...]) -> ApiError:
    wanted = " or ".join(statuses)
    return refused(f"The invoice is {invoice['status']}, it must be {wanted}.", code="invoice_not_editable")


OPERATIONS = {
    "PostInvoicesInvoiceFinalize": operation(finalize, "auto_advance"),
    "PostInvoicesInvoicePay": operation(pay, "off_session paid_out_of_band payment_method"),
    "PostInvoicesInvoiceVoid": operation(void),
    "PostInvoicesInvoiceMarkUncollectible": operation(mark_uncollectible),
    "PostInvoicesInvoiceSend": operation(send),
}
