"""A credit as somebody types it, checked field by field before anything else happens."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from plixo.domain.ids import parse_request_id
from plixo.domain.money import Money, parse_amount, parse_currency
from plixo.domain.reasons import OTHER_NEEDS_NOTE, Reason
from plixo.domain.refusals import Problem, Refused
from plixo.domain.texts import MAX_NOTE, parse_text

MAX_MEMO: Final = 300
_STRIPE_ID: Final = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True)
class CreditForm:
    """What was typed, as text; the same fields on page, command line and API.

    Attributes:
        customer: Stripe's `cus_…`.
        amount: In major units, gross.
        currency: Three letters.
        reason: A reason code.
        invoice: Stripe's `in_…`; empty for the customer's balance.
        note: For colleagues.
        memo: For the customer: Stripe prints it on the credit note.
        request_id: The caller's own id; asked again with it, it is the same request.
    """

    customer: str
    amount: str
    currency: str
    reason: str
    request_id: str
    invoice: str = ""
    note: str = ""
    memo: str = ""


@dataclass(frozen=True)
class TypedCredit:
    """A form whose every field makes sense by itself; nothing was looked up yet."""

    customer_id: str
    amount: Money
    reason: Reason
    request_id: str
    invoice_id: str
    note: str
    memo: str


def parse_credit(form: CreditForm) -> TypedCredit:
    """Check every field and name everything that is wrong at once.

    Raises:
        Refused: With one problem for each wrong field, in the order of the form.
    """
    checks = _Checks()
    customer = checks.run(lambda: parse_stripe_id(form.customer, "customer", "cus_"), "")
    invoice = checks.run(lambda: parse_stripe_id(form.invoice, "invoice", "in_") if form.invoice.strip() else "", "")
    currency = checks.run(lambda: parse_currency(form.currency), "")
    amount = checks.run(lambda: parse_amount(form.amount, currency or "USD"), Money(1, "USD"))
    reason = checks.run(lambda: parse_reason(form.reason), Reason.OTHER)
    note = checks.run(lambda: parse_text(form.note, "note", MAX_NOTE), "")
    checks.run(lambda: _check_other(reason, note, form), None)
    memo = checks.run(lambda: parse_text(form.memo, "memo", MAX_MEMO), "")
    request_id = checks.run(lambda: parse_request_id(form.request_id), "")
    checks.done()
    return TypedCredit(customer, amount, reason, request_id, invoice, note, memo)


def parse_stripe_id(text: str, field: str, prefix: str) -> str:
    """An id as Stripe writes them.

    Raises:
        Refused: It is missing or has another shape.
    """
    plain = text.strip()
    if not plain:
        raise Refused.one(field, f"{field}_missing", f"Choose the {field}; Stripe's ids start with {prefix}.")
    if not plain.startswith(prefix) or not _STRIPE_ID.fullmatch(plain):
        raise Refused.one(field, f"{field}_invalid", f"That is no {field} id; Stripe's start with {prefix}.")
    return plain


def parse_reason(text: str) -> Reason:
    """A reason code.

    Raises:
        Refused: It is missing or unknown.
    """
    plain = text.strip().lower()
    if not plain:
        raise Refused.one("reason", "reason_missing", "Choose a reason; who decides depends on it.")
    if plain not in set(Reason):
        known = ", ".join(Reason)
        raise Refused.one("reason", "reason_unknown", f"That is no reason code; choose one of {known}.")
    return Reason(plain)


def _check_other(reason: Reason, note: str, form: CreditForm) -> None:
    if reason is Reason.OTHER and form.reason.strip().lower() == Reason.OTHER and len(note) < OTHER_NEEDS_NOTE:
        wanted = f"The reason 'other' needs a note of {OTHER_NEEDS_NOTE} characters or more that says why."
        raise Refused.one("note", "note_too_short", wanted)


class _Checks:
    """Collects what is wrong, so that a person reads all of it at once."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def run(self, check: Callable[[], T], otherwise: T) -> T:
        try:
            return check()
        except Refused as refusal:
            self._problems += [found for found in refusal.problems if found.field not in self._fields()]
            return otherwise

    def done(self) -> None:
        if self._problems:
            raise Refused(*self._problems)

    def _fields(self) -> set[str]:
        return {problem.field for problem in self._problems}
