"""Credit notes: previewed, issued, voided.

A note first takes what the invoice still has open (`pre_payment_amount`). The rest has been paid
(`post_payment_amount`) and must be told where to go: refund, customer balance, or out of band, adding up exactly.
"""

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, refused
from standin.handlers.balance import enter
from standin.handlers.credit_note_sums import Sums, sums_of
from standin.handlers.invoice_steps import paid
from standin.handlers.operation import LISTED, changed, operation, text
from standin.handlers.refunds import refund
from standin.metadata import merged
from standin.money import checked_amount
from standin.objects import envelope, slice_page

WAYS = ("refund_amount", "credit_amount", "out_of_band_amount")


def create(books: Books, call: Call) -> Doc:
    """Issues a note and moves the money that it speaks of."""
    note, invoice = _composed(books, call.params)
    books.objects.add(note)
    _move(books, note, invoice, call.params)
    previous = _take_off(invoice, note["pre_payment_amount"], note["post_payment_amount"])
    books.change(invoice)
    books.happened("credit_note.created", note)
    books.happened("invoice.updated", invoice, previous)
    if note["pre_payment_amount"] and invoice["amount_remaining"] == 0:
        paid(books, invoice)
    return note


def preview(books: Books, call: Call) -> Doc:
    """The note that `create` would issue, computed by the same code and not written."""
    return _composed(books, call.params)[0]


def _composed(books: Books, params: Doc) -> tuple[Doc, Doc]:
    invoice = books.objects.get("invoice", params["invoice"], param="invoice")
    if invoice["status"] not in {"open", "paid", "uncollectible"}:
        message = f"Credit notes need an open, paid or uncollectible invoice; this one is {invoice['status']}."
        raise refused(message, param="invoice")
    sums = sums_of(books, invoice, params)
    left = invoice["total"] - invoice["pre_payment_credit_notes_amount"] - invoice["post_payment_credit_notes_amount"]
    if sums.gross > left:
        message = f"The credit note comes to {sums.gross}, but only {left} of the invoice is left to credit."
        raise refused(message, param="lines" if "lines" in params else "amount")
    unpaid = min(sums.gross, invoice["amount_remaining"])
    _check_ways(params, sums.gross - unpaid, invoice["currency"])
    return _note(books, invoice, params, sums, unpaid), invoice


def _check_ways(params: Doc, post_payment: int, currency: str) -> None:
    """What has been paid must go somewhere, all of it and no more."""
    for way in WAYS:
        checked_amount(params.get(way, 0), currency, param=way, lowest=0)
    told = sum(params.get(way, 0) for way in WAYS)
    if told != post_payment:
        message = (
            f"The sum of refund_amount, credit_amount and out_of_band_amount ({told}) must equal the part of the "
            f"credit note that has been paid already ({post_payment})."
        )
        raise refused(message)


def _note(books: Books, invoice: Doc, params: Doc, sums: Sums, unpaid: int) -> Doc:
    sequence = books.objects.count("credit_note", invoice=invoice["id"]) + 1
    post_payment = sums.gross - unpaid
    fields: Doc = {
        "amount": sums.gross, "amount_shipping": 0, "currency": invoice["currency"], "customer": invoice["customer"],
        "customer_balance_transaction": None, "discount_amount": 0, "discount_amounts": [],
        "effective_at": params.get("effective_at", books.now), "invoice": invoice["id"], "memo": text(params, "memo"),
        "metadata": merged({}, params.get("metadata")), "number": f"{invoice['number']}-CN-{sequence:02d}",
        "out_of_band_amount": params.get("out_of_band_amount"), "post_payment_amount": post_payment,
        "pre_payment_amount": unpaid, "pretax_credit_amounts": [], "reason": params.get("reason"), "refunds": [],
        "shipping_cost": None, "status": "issued", "subtotal": sums.net, "subtotal_excluding_tax": sums.net,
        "total": sums.gross, "total_excluding_tax": sums.net, "total_taxes": sums.taxes, "voided_at": None,
        "type": "pre_payment" if not post_payment else "mixed" if unpaid else "post_payment",
    }  # fmt: skip
    note = books.draft("cn", "credit_note", fields)
    lists = envelope(sums.lines, f"/v1/credit_notes/{note['id']}/lines")
    return note | {"lines": lists, "pdf": f"https://files.standin.invalid/credit_notes/{note['id']}.pdf"}


def _move(books: Books, note: Doc, invoice: Doc, params: Doc) -> None:
    credit, back = params.get("credit_amount", 0), params.get("refund_amount", 0)
    if credit:
        customer = books.objects.get("customer", note["customer"], param="customer")
        about = {"credit_note": note["id"], "invoice": note["invoice"]}
        entry = enter(books, customer, -credit, note["currency"], "credit_note", **about)
        note["customer_balance_transaction"] = entry["id"]
    if back:
        made = refund(books, invoice, back)
        note["refunds"] = [{"amount_refunded": back, "refund": made["id"], "type": "refund"}]
    books.change(note)


def _take_off(invoice: Doc, unpaid: int, post_payment: int) -> Doc:
    """Moves the invoice's amounts by a note, or back by its negative; returns what they were."""
    after = {
        "amount_due": invoice["amount_due"] - unpaid,
        "amount_remaining": invoice["amount_remaining"] - unpaid,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + unpaid,
        "post_payment_credit_notes_amount": invoice["post_payment_credit_notes_amount"] + post_payment,
    }
    previous = changed(invoice, after)
    invoice |= after
    return previous


def void(books: Books, call: Call) -> Doc:
    """Takes a note back while its invoice is open, and the amounts return.

    A note that gave paid money back has used up what was open, which made the invoice paid; so one that can still be
    voided has moved neither balance nor refund.
    """
    note = retrieve(books, call)
    invoice = books.objects.get("invoice", note["invoice"], param="invoice")
    if note["status"] == "void":
        raise refused("This credit note is already void.")
    if invoice["status"] != "open":
        raise refused(f"Credit notes can be voided while the invoice is open; it is {invoice['status']}.")
    previous = _take_off(invoice, -note["pre_payment_amount"], 0)
    books.change(invoice)
    books.change(note, status="void", voided_at=books.now)
    books.happened("credit_note.voided", note)
    books.happened("invoice.updated", invoice, previous)
    return note


def retrieve(books: Books, call: Call) -> Doc:
    """One note."""
    return books.objects.get("credit_note", call.path_params["id"], param="id", in_path=True)


def update(books: Books, call: Call) -> Doc:
    """Changes memo and metadata, nothing else."""
    note = retrieve(books, call)
    fields: Doc = {"memo": text(call.params, "memo", note["memo"])}
    fields["metadata"] = merged(note["metadata"], call.params.get("metadata"))
    previous = changed(note, fields)
    books.change(note, **fields)
    books.happened("credit_note.updated", note, previous)
    return note


def listing(books: Books, call: Call) -> Doc:
    """Notes, void ones too, by invoice or customer."""
    return books.objects.page("credit_note", call.path, call.params, ["customer", "invoice"])


def lines(books: Books, call: Call) -> Doc:
    """A note's lines, a page at a time."""
    if "ending_before" in call.params:
        raise bad_param("ending_before", "The stand-in lists the lines of a credit note forwards only.")
    wanted = call.path_params["credit_note"]
    note = books.objects.get("credit_note", wanted, param="credit_note", in_path=True)
    return slice_page(note["lines"]["data"], call.path, call.params)


_FIELDS = f"amount effective_at email_type invoice lines memo metadata reason {' '.join(WAYS)}"
OPERATIONS = {
    "PostCreditNotes": operation(create, _FIELDS),
    "GetCreditNotesPreview": operation(preview, _FIELDS),
    "GetCreditNotesId": operation(retrieve),
    "PostCreditNotesId": operation(update, "memo metadata"),
    "PostCreditNotesIdVoid": operation(void),
    "GetCreditNotes": operation(listing, f"{LISTED} customer invoice"),
    "GetCreditNotesCreditNoteLines": operation(lines, "limit starting_after ending_before"),
}
