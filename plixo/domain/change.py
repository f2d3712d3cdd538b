"""The proposed change: the exact thing that is asked for, and the fingerprint that binds decisions to it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from plixo.domain.canonical import sha256_hex
from plixo.domain.money import Money
from plixo.domain.reasons import Reason


class TargetKind(StrEnum):
    """What in Stripe a credit lands on."""

    INVOICE = "invoice"
    CUSTOMER_BALANCE = "customer_balance"

    @property
    def label(self) -> str:
        """In words, such as `customer balance`."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Target:
    """What in Stripe is changed, as it stood when it was read.

    Attributes:
        kind: Invoice or customer balance.
        target_id: Stripe's id: `in_…`, or the customer's `cus_…`.
        status: The invoice's status; `open` for a customer balance, which has none.
        currency: ISO code in capitals.
        number: The invoice's number as people know it; not part of the fingerprint.
    """

    kind: TargetKind
    target_id: str
    status: str
    currency: str
    number: str = ""


@dataclass(frozen=True)
class ProposedChange:
    """The exact thing to be done.

    Attributes:
        kind: `credit`; later kinds use the same engine.
        customer_id: Stripe's `cus_…`.
        amount: What is asked for, gross; a ceiling for every decision and for the effect.
        target: What it lands on.
        reason: Why.
        note: Internal words; they never reach the customer.
        memo: What Stripe prints on the credit note for the customer.
    """

    kind: str
    customer_id: str
    amount: Money
    target: Target
    reason: Reason
    note: str = ""
    memo: str = ""

    @property
    def digest(self) -> str:
        """The fingerprint: SHA-256 over what matters, except the amount, which is signed beside it."""
        return sha256_hex(
            {
                "kind": self.kind,
                "customer": self.customer_id,
                "reason": self.reason.value,
                "note": self.note,
                "memo": self.memo,
                "target": {
                    "kind": self.target.kind.value,
                    "id": self.target.target_id,
                    "status": self.target.status,
                    "currency": self.target.currency,
                },
            },
        )

    def to_claims(self) -> dict[str, Any]:
        """As plain data, to be signed or stored."""
        plain = asdict(self)
        plain["reason"] = self.reason.value
        plain["target"]["kind"] = self.target.kind.value
        return plain

    @classmethod
    def from_claims(cls, plain: dict[str, Any]) -> "ProposedChange":
        """The change that `to_claims` wrote."""
        target = dict(plain["target"])
        target["kind"] = TargetKind(target["kind"])
        return cls(
            kind=plain["kind"],
            customer_id=plain["customer_id"],
            amount=Money(**plain["amount"]),
            target=Target(**target),
            reason=Reason(plain["reason"]),
            note=plain["note"],
            memo=plain["memo"],
        )


def differences(signed: Target, now: Target) -> tuple[str, ...]:
    """What changed in Stripe since the request was signed, in words; empty when the fingerprint still holds."""
    found = []
    if now.target_id != signed.target_id or now.kind != signed.kind:
        found.append(f"the target was {signed.target_id} and is now {now.target_id}")
    if now.status != signed.status:
        found.append(f"the {signed.kind.label} was {signed.status} and is now {now.status}")
    if now.currency != signed.currency:
        found.append(f"its currency was {signed.currency} and is now {now.currency}")
    return tuple(found)
