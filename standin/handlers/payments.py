"""Payment intents and charges, with test cards."""

from dataclasses import dataclass

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import ApiError, bad_param, refused
from standin.handlers.operation import LISTED, operation, text
from standin.metadata import merged
from standin.money import checked_amount, known_currency

GOOD_CARDS = {"pm_card_visa": ("visa", "4242"), "pm_card_mastercard": ("mastercard", "4444")}
BAD_CARDS = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
}
INTENT_NULLS = """application application_fee_amount automatic_payment_methods canceled_at cancellation_reason
    last_payment_error latest_charge on_behalf_of payment_method processing receipt_email review
    setup_future_usage shipping statement_descriptor statement_descriptor_suffix transfer_data transfer_group"""
CHARGE_NULLS = """application application_fee application_fee_amount balance_transaction calculated_statement_descriptor
    description failure_balance_transaction failure_code failure_message on_behalf_of receipt_email receipt_number
    receipt_url review shipping source_transfer statement_descriptor statement_descriptor_suffix transfer_data
    transfer_group"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to charge went; a refusal is raised by the caller, after it has noted the failure."""

    intent: Doc
    refusal: ApiError | None


def new_intent(books: Books, amount: int, currency: str, *, customer: str | None, metadata: Doc) -> Doc:
    """An intent that waits for a payment method."""
    fields: Doc = {
        "amount": amount, "amount_capturable": 0, "amount_received": 0, "capture_method": "automatic_async",
        "client_secret": None, "confirmation_method": "automatic", "currency": currency, "customer": customer,
        "description": None, "metadata": metadata, "status": "requires_payment_method",
    }  # fmt: skip
    intent = books.add("pi", "payment_intent", dict.fromkeys(INTENT_NULLS.split()) | fields)
    books.change(intent, client_secret=books.ids.new(f"{intent['id']}_secret"))
    books.happened("payment_intent.created", intent)
    return intent


def attempt(books: Books, intent: Doc, method: str) -> Attempt:
    """Charges a test card.

    Raises:
        ApiError: There is no such test card.
    """
    if method not in GOOD_CARDS and method not in BAD_CARDS:
        raise bad_param("payment_method", f"No such PaymentMethod: '{method}'", "resource_missing")
    charge = _charge(books, intent, method)
    intent |= {"latest_charge": charge["id"], "payment_method": method}
    if method in GOOD_CARDS:
        books.change(intent, status="succeeded", amount_received=intent["amount"], last_payment_error=None)
        books.happened("charge.succeeded", charge)
        books.happened("payment_intent.succeeded", intent)
        return Attempt(intent, None)
    return Attempt(intent, _declined(books, intent, charge, method))


def _charge(books: Books, intent: Doc, method: str) -> Doc:
    good = method in GOOD_CARDS
    brand, last4 = GOOD_CARDS.get(method, ("visa", "0002"))
    card = {"brand": brand, "last4": last4, "exp_month": 12, "exp_year": 2034, "country": "US", "funding": "credit"}
    nobody = dict.fromkeys(("address", "email", "name", "phone", "tax_id"))
    fields: Doc = {
        "amount": intent["amount"], "amount_captured": intent["amount"] if good else 0, "amount_refunded": 0,
        "billing_details": nobody, "captured": good, "currency": intent["currency"], "customer": intent["customer"],
        "disputed": False, "fraud_details": {}, "metadata": intent["metadata"], "outcome": None, "paid": good,
        "payment_intent": intent["id"], "payment_method": method, "refunded": False,
        "payment_method_details": {"type": "card", "card": card}, "status": "succeeded" if good else "failed",
    }  # fmt: skip
    return books.add("ch", "charge", dict.fromkeys(CHARGE_NULLS.split()) | fields)


def _declined(books: Books, intent: Doc, charge: Doc, method: str) -> ApiError:
    code, decline_code = BAD_CARDS[method]
    message = "Your card has expired." if code == "expired_card" else "Your card was declined."
    error = {"charge": charge["id"], "code": code, "message": message, "type": "card_error"}
    error |= {"decline_code": decline_code} if decline_code else {}
    books.change(charge, failure_code=code, failure_message=message)
    books.change(intent, status="requires_payment_method", payment_method=None, last_payment_error=error)
    books.happened("charge.failed", charge)
    books.happened("payment_intent.payment_failed", intent)
    extra = {"charge": charge["id"], "decline_code": decline_code, "payment_intent": dict(intent)}
    return ApiError(402, message, kind="card_error", code=code, remembered=True, keeps_changes=True, extra=extra)


def create(books: Books, call: Call) -> Doc:
    """An intent; charged at once if asked to."""
    params = call.params
    currency = known_currency(params["currency"])
    amount = checked_amount(params["amount"], currency, param="amount", lowest=1)
    customer = text(params, "customer")
    if customer:
        books.objects.get("customer", customer, param="customer")
    intent = new_intent(books, amount, currency, customer=customer, metadata=merged({}, params.get("metadata")))
    method = text(params, "payment_method")
    waiting = "requires_confirmation" if method else "requires_payment_method"
    books.change(intent, description=text(params, "description"), payment_method=method, status=waiting)
    return _confirmed(books, intent, method) if params.get("confirm") else intent


def confirm(books: Books, call: Call) -> Doc:
    """Charges the given card, or the one the intent was made with."""
    intent = retrieve(books, call)
    if intent["status"] not in {"requires_confirmation", "requires_payment_method"}:
        message = f"This PaymentIntent is {intent['status']} and cannot be confirmed."
        raise refused(message, code="payment_intent_unexpected_state")
    return _confirmed(books, intent, text(call.params, "payment_method") or intent["payment_method"])


def _confirmed(books: Books, intent: Doc, method: str | None) -> Doc:
    if method is None:
        raise refused("Give a payment_method to confirm with.", param="payment_method", code="parameter_missing")
    tried = attempt(books, intent, method)
    if tried.refusal:
        raise tried.refusal
    return intent


def retrieve(books: Books, call: Call) -> Doc:
    """One intent."""
    return books.objects.get("payment_intent", call.path_params["intent"], param="intent", in_path=True)


def listing(books: Books, call: Call) -> Doc:
    """Intents, by customer."""
    return books.objects.page("payment_intent", call.path, call.params, ["customer"])


def retrieve_charge(books: Books, call: Call) -> Doc:
    """One charge."""
    return books.objects.get("charge", call.path_params["charge"], param="charge", in_path=True)


def list_charges(books: Books, call: Call) -> Doc:
    """Charges, failed ones too, by customer or intent."""
    return books.objects.page("charge", call.path, call.params, ["customer", "payment_intent"])


OPERATIONS = {
    "PostPaymentIntents": operation(create, "amount confirm currency customer description metadata payment_method"),
    "PostPaymentIntentsIntentConfirm": operation(confirm, "payment_method"),
    "GetPaymentIntentsIntent": operation(retrieve),
    "GetPaymentIntents": operation(listing, f"{LISTED} customer"),
    "GetChargesCharge": operation(retrieve_charge),
    "GetCharges": operation(list_charges, f"{LISTED} customer payment_intent"),
}
