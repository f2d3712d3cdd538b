"""Refunds, as credit notes cause them; they have no endpoint of their own yet."""

from standin.books import Books
from standin.call import Doc
from standin.errors import refused


def refund(books: Books, invoice: Doc, amount: int) -> Doc:
    """Gives a part of the invoice's card payment back.

    Raises:
        ApiError: No card payment, or less of it left than asked for.
    """
    charge = _charge_of(books, invoice)
    left = charge["amount"] - charge["amount_refunded"] if charge else 0
    if charge is None or amount > left:
        raise refused(f"Only {left} of the invoice's payment is left to refund.", param="refund_amount")
    fields = {
        "amount": amount, "charge": charge["id"], "currency": charge["currency"], "metadata": {},
        "payment_intent": charge["payment_intent"], "reason": None, "status": "succeeded",
    }  # fmt: skip
    made = books.add("re", "refund", fields)
    refunded = charge["amount_refunded"] + amount
    books.change(charge, amount_refunded=refunded, refunded=refunded == charge["amount"])
    books.happened("charge.refunded", charge)
    return made


def _charge_of(books: Books, invoice: Doc) -> Doc | None:
    for payment in invoice["payments"]["data"]:
        intent = books.objects.get("payment_intent", payment["payment"]["payment_intent"], param="payment_intent")
        return books.objects.get("charge", intent["latest_charge"], param="charge")
    return None
