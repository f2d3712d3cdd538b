"""The effect: the one write to Stripe that an approval ends in, planned without calling anybody."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plixo.domain.change import ProposedChange, Target, TargetKind, differences
from plixo.domain.ids import effect_id, idempotency_key
from plixo.domain.money import Money
from plixo.domain.reasons import STRIPE_REASONS
from plixo.domain.refusals import Problem, Refused

CREDITABLE = frozenset({"open", "paid", "uncollectible"})
"""Invoice statuses that Stripe takes a credit note for."""


class EffectKind(StrEnum):
    """Which of Stripe's objects the effect makes."""

    CREDIT_NOTE = "credit_note"
    BALANCE_TRANSACTION = "customer_balance_transaction"


class EffectState(StrEnum):
    """What is known of the write."""

    INTENDED = "intended"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True)
class TargetFacts:
    """What Stripe says of the target right now.

    Attributes:
        target: Its identity, status and currency.
        creditable_minor: How much can still be credited, in minor units; None where Stripe sets no bound.
        remaining_minor: What the customer still owes on it.
    """

    target: Target
    creditable_minor: int | None
    remaining_minor: int


@dataclass(frozen=True)
class Amounts:
    """A credit as an accountant reads it, in minor units of one currency."""

    net_minor: int
    tax_minor: int
    gross_minor: int
    currency: str

    @property
    def net(self) -> Money:
        """Without tax."""
        return Money(self.net_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The tax in it."""
        return Money(self.tax_minor, self.currency)

    @property
    def gross(self) -> Money:
        """With tax."""
        return Money(self.gross_minor, self.currency)


@dataclass(frozen=True)
class Effect:
    """The exact write, kept before it is tried, so that every try is the same one.

    Attributes:
        effect_id: Also in Stripe's metadata, to find it again.
        approval_id: Whose effect it is; one each.
        kind: What is made.
        params: Exactly what Stripe is sent.
        key: Stripe's idempotency key.
        amount: Gross.
        customer_id: Who gets it.
        state: What is known of it.
    """

    effect_id: str
    approval_id: str
    kind: EffectKind
    params: dict[str, Any]
    key: str
    amount: Money
    customer_id: str
    state: EffectState = EffectState.INTENDED


def still_holds(change: ProposedChange, facts: TargetFacts) -> tuple[str, ...]:
    """What speaks against doing it now, in words; empty when nothing does."""
    found = list(differences(change.target, facts.target))
    if facts.creditable_minor is not None and facts.creditable_minor < change.amount.minor:
        left = Money(facts.creditable_minor, change.amount.currency)
        found.append(f"only {left} can still be credited on it")
    return tuple(found)


def check_target(change: ProposedChange, facts: TargetFacts) -> None:
    """Refuse a credit that Stripe could not take, before anybody is asked about it.

    Raises:
        Refused: The invoice's status or currency does not allow it, or less is left than asked for.
    """
    problems = []
    if change.target.kind is TargetKind.INVOICE and facts.target.status not in CREDITABLE:
        problems.append(_wrong_status(facts.target))
    if facts.target.currency != change.amount.currency:
        wanted = f"The {change.target.kind.label} is in {facts.target.currency}; ask for the credit in that currency."
        problems.append(Problem("currency", "currency_differs", wanted))
    elif facts.creditable_minor is not None and change.amount.minor > facts.creditable_minor:
        left = Money(facts.creditable_minor, change.amount.currency)
        problems.append(Problem("amount", "amount_above_creditable", f"At most {left} can still be credited on it."))
    if problems:
        raise Refused(*problems)


def plan(approval_id: str, round_: int, change: ProposedChange, amount_minor: int, facts: TargetFacts) -> Effect:
    """The write that carries out an approved change.

    Args:
        approval_id: Whose effect it is.
        round_: The round that was approved.
        change: What was signed.
        amount_minor: What the mandate allows.
        facts: What Stripe says of the target now.
    """
    amount = Money(amount_minor, change.amount.currency)
    kind, params = credit_params(change, amount_minor, facts)
    params["metadata"] = {"plixo_effect": effect_id(approval_id), "plixo_approval": approval_id}
    return Effect(
        effect_id=effect_id(approval_id),
        approval_id=approval_id,
        kind=kind,
        params=params,
        key=idempotency_key(approval_id, round_),
        amount=amount,
        customer_id=change.customer_id,
    )


def planned_against(effect: Effect, target: Target) -> TargetFacts:
    """What Stripe said of the target when a write was planned, as far as the write tells.

    Everything about the write follows from what was signed, but how much of a credit goes beyond what the invoice
    still owed then.
    """
    beyond = effect.params.get("credit_amount", 0)
    owed = effect.amount.minor - beyond if isinstance(beyond, int) else effect.amount.minor
    return TargetFacts(target, None, max(owed, 0))


def credit_params(
    change: ProposedChange,
    amount_minor: int,
    facts: TargetFacts,
) -> tuple[EffectKind, dict[str, Any]]:
    """What Stripe is sent for a credit; what the invoice cannot absorb goes to the customer balance, never to cash."""
    if change.target.kind is TargetKind.CUSTOMER_BALANCE:
        words = change.memo or f"Credit: {change.reason.label.lower()}"
        currency = change.amount.currency.lower()
        return EffectKind.BALANCE_TRANSACTION, {
            "amount": -amount_minor,
            "currency": currency,
            "description": words,
        }
    params: dict[str, Any] = {"invoice": change.target.target_id, "amount": amount_minor}
    beyond = amount_minor - min(amount_minor, facts.remaining_minor)
    if beyond:
        params["credit_amount"] = beyond
    if change.reason in STRIPE_REASONS:
        params["reason"] = STRIPE_REASONS[change.reason]
    if change.memo:
        params["memo"] = change.memo
    return EffectKind.CREDIT_NOTE, params


def _wrong_status(target: Target) -> Problem:
    name = target.number or target.target_id
    advice = {
        "draft": "finalise it first, or change it instead of crediting it",
        "void": "it owes nothing any more; choose another invoice or credit the customer balance",
    }.get(target.status, "choose one that is open or paid")
    return Problem("invoice", f"invoice_{target.status}", f"Invoice {name} is {target.status}: {advice}.")
