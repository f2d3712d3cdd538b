"""Stripe's objects as the product's own; a missing or misshapen field raises, and the line sorts that too."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from plixo.domain.effects import Amounts, Effect, EffectKind
from plixo.domain.money import Money
from plixo.domain.reconciling import Holding
from plixo.ports import Customer, Invoice, StripeObject

Doc = Mapping[str, Any]
"""A Stripe object as it appears in JSON."""

_ID = re.compile(r"[a-z]+_\w{1,250}", re.ASCII)


def is_id(prefix: str, text: str) -> bool:
    """Whether the text can be an id of that kind: others would turn the address into another one (`search`, `..`)."""
    return text.startswith(prefix) and _ID.fullmatch(text) is not None


def customer(doc: Doc) -> Customer | None:
    """A customer, or None where Stripe only remembers that there was one."""
    _expect(doc, "customer")
    if doc.get("deleted"):
        return None
    currency = doc.get("currency")
    return Customer(
        customer_id=doc["id"],
        name=doc.get("name") or "",
        email=doc.get("email") or "",
        currency=currency.upper() if currency else None,
    )


def invoice(doc: Doc) -> Invoice:
    """An invoice; what was credited before and after payment is both gone from what can still be credited."""
    _expect(doc, "invoice")
    credited = doc["pre_payment_credit_notes_amount"] + doc["post_payment_credit_notes_amount"]
    return Invoice(
        invoice_id=doc["id"],
        number=doc.get("number") or "",
        customer_id=_id_of(doc["customer"]),
        status=doc["status"] or "",
        currency=doc["currency"].upper(),
        total_minor=doc["total"],
        tax_minor=doc["total"] - _net(doc),
        remaining_minor=doc["amount_remaining"],
        creditable_minor=max(0, doc["total"] - credited),
        created=datetime.fromtimestamp(doc["created"], UTC),
    )


def billed(doc: Doc) -> tuple[Invoice, Customer | None]:
    """An invoice whose customer came with it; None for one that Stripe only remembers."""
    return invoice(doc), customer(doc["customer"])


def credit_amounts(doc: Doc) -> Amounts:
    """A credit note's net, tax and gross; the tax is their difference, so that the three always tie."""
    _expect(doc, "credit_note")
    net, gross = _net(doc), doc["total"]
    return Amounts(net, gross - net, gross, doc["currency"].upper())


def made(effect: Effect, doc: Doc) -> StripeObject:
    """What the effect made."""
    _expect(doc, effect.kind.value)
    if effect.kind is EffectKind.CREDIT_NOTE:
        return StripeObject(doc["id"], effect.kind, credit_amounts(doc))
    credit = -doc["amount"]
    return StripeObject(doc["id"], effect.kind, Amounts(credit, 0, credit, doc["currency"].upper()))


def made_if_ours(effect: Effect, doc: Doc) -> StripeObject | None:
    """What the effect made, where the object carries the effect's id."""
    if (doc.get("metadata") or {}).get("plixo_effect") != effect.effect_id:
        return None
    return made(effect, doc)


def holding(doc: Doc) -> Holding | None:
    """A credit note or an entry of a customer's balance, where it carries an effect's id."""
    effect_id = (doc.get("metadata") or {}).get("plixo_effect")
    if not effect_id:
        return None
    kind = EffectKind(doc["object"])
    gross = doc["total"] if kind is EffectKind.CREDIT_NOTE else -doc["amount"]
    return Holding(
        effect_id=effect_id,
        object_id=doc["id"],
        kind=kind,
        customer_id=_id_of(doc["customer"]),
        amount=Money(gross, doc["currency"].upper()),
        stands=doc.get("status") != "void",
        made_at=datetime.fromtimestamp(doc["created"], UTC),
    )


def _expect(doc: Doc, kind: str) -> None:
    """Refuse to read one kind of object as another, such as the approval that Stripe may ask for before a write."""
    if doc["object"] != kind:
        raise ValueError(f"expected {kind}")


def _net(doc: Doc) -> int:
    """The total without tax; Stripe may leave it out, never the taxes it is the difference to."""
    net: int | None = doc.get("total_excluding_tax")
    if net is None:
        net = doc["total"] - sum(tax["amount"] for tax in doc.get("total_taxes") or ())
    return net


def _id_of(reference: Any) -> str:  # noqa: ANN401 - an id, the object itself, or null
    if isinstance(reference, Mapping):
        return str(reference["id"])
    return reference or ""
