"""The customer balance: an append-only account per currency, negative when the customer has credit."""

from standin.books import Books
from standin.call import Call, Doc
from standin.errors import bad_param, missing
from standin.handlers.customers import living, retrieve
from standin.handlers.operation import LISTED, changed, operation, text
from standin.metadata import merged
from standin.money import checked_amount, known_currency

KIND = "customer_balance_transaction"


def enter(books: Books, customer: Doc, amount: int, currency: str, kind: str, **fields: object) -> Doc:
    """Adds one entry and moves the balance.

    Args:
        books: Where to write.
        customer: The customer, changed in place.
        amount: Minor units; negative is credit to the customer.
        currency: In lower case.
        kind: The entry's `type`.
        fields: `credit_note`, `invoice`, `description` and `metadata`, where they apply.
    """
    balances = {**customer["invoice_credit_balance"]}
    balances[currency] = balances.get(currency, 0) + amount
    about: Doc = {"checkout_session": None, "credit_note": None, "description": None, "invoice": None, "metadata": {}}
    entry = {"amount": amount, "currency": currency, "customer": customer["id"], "type": kind}
    entry["ending_balance"] = balances[currency]
    transaction = books.add("cbtxn", KIND, about | entry | fields)
    settle_currency(customer, currency)
    after = {"balance": balances.get(customer["currency"], 0), "invoice_credit_balance": balances}
    previous = changed(customer, after)
    books.change(customer, **after)
    books.happened("customer.updated", customer, previous)
    return transaction


def settle_currency(customer: Doc, currency: str) -> None:
    """The first money fixes the customer's currency."""
    customer["currency"] = customer["currency"] or currency


def create(books: Books, call: Call) -> Doc:
    """An adjustment by hand."""
    customer = living(books, call)
    currency = known_currency(call.params["currency"])
    amount = checked_amount(call.params["amount"], currency, param="amount")
    if amount == 0:
        raise bad_param("amount", "The amount of a balance transaction must not be 0.", "parameter_invalid_integer")
    about = {"description": text(call.params, "description"), "metadata": merged({}, call.params.get("metadata"))}
    return enter(books, customer, amount, currency, "adjustment", **about)


def retrieve_one(books: Books, call: Call) -> Doc:
    """One entry, by its own customer's path only."""
    customer, wanted = call.path_params["customer"], call.path_params["transaction"]
    transaction = books.objects.get(KIND, wanted, param="transaction", in_path=True)
    if transaction["customer"] != customer:
        raise missing(KIND, wanted, param="transaction", in_path=True)
    return transaction


def listing(books: Books, call: Call) -> Doc:
    """The customer's entries, newest first."""
    customer = retrieve(books, call)
    params = {**call.params, "customer": customer["id"]}
    return books.objects.page(KIND, call.path, params, ["customer", "invoice"])


OPERATIONS = {
    "PostCustomersCustomerBalanceTransactions": operation(create, "amount currency description metadata"),
    "GetCustomersCustomerBalanceTransactions": operation(listing, f"{LISTED} invoice"),
    "GetCustomersCustomerBalanceTransactionsTransaction": operation(retrieve_one),
}
