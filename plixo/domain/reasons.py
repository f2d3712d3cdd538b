"""Why money is given back: the codes a requester chooses from, and Stripe's word for each where one fits."""

from enum import StrEnum
from typing import Final, Literal

StripeReason = Literal["duplicate", "fraudulent", "order_change", "product_unsatisfactory"]


class Reason(StrEnum):
    """A reason code; who decides above one's authority depends on it (the table in `policies/`)."""

    BILLING_ERROR = "billing_error"
    DUPLICATE_CHARGE = "duplicate_charge"
    PRICING_ERROR = "pricing_error"
    PLAN_CHANGE = "plan_change"
    CANCELLATION = "cancellation"
    SERVICE_OUTAGE = "service_outage"
    GOODWILL = "goodwill"
    TAX_CORRECTION = "tax_correction"
    UNCOLLECTIBLE = "uncollectible"
    CONTRACT_CONCESSION = "contract_concession"
    DISPUTE = "dispute"
    LEGAL_CLAIM = "legal_claim"
    SETTLEMENT = "settlement"
    INSOLVENCY = "insolvency"
    FRAUD = "fraud"
    OTHER = "other"

    @property
    def label(self) -> str:
        """The code as people read it, such as `Duplicate charge`."""
        return self.value.replace("_", " ").capitalize()


STRIPE_REASONS: Final[dict[Reason, StripeReason]] = {
    Reason.DUPLICATE_CHARGE: "duplicate",
    Reason.FRAUD: "fraudulent",
    Reason.PLAN_CHANGE: "order_change",
    Reason.CANCELLATION: "order_change",
    Reason.SERVICE_OUTAGE: "product_unsatisfactory",
}
"""Stripe's credit-note reason for each code that has one; the others are sent without."""

OTHER_NEEDS_NOTE: Final = 20
"""How many characters the note must have when the reason is `other`."""
