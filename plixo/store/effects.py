"""Reading and writing effects: what was intended in Stripe, and what became of it."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.domain.effects import Effect, EffectKind, EffectState
from plixo.domain.money import Money
from plixo.ports import StripeObject
from plixo.store.models import EffectRow
from plixo.store.statements import Statement, everything_of, insert_into

_OF_APPROVAL: Final = Statement(
    everything_of(EffectRow).where(EffectRow.approval_id == bindparam("approval_id")),
)
_NEW: Final = Statement(insert_into(EffectRow))
_SETTLED: Final = Statement(
    update(EffectRow)
    .where(EffectRow.effect_id == bindparam("settled_id"))
    .values({name: bindparam(name) for name in ("state", "stripe_object", "why", "settled_at")}),
)


async def load(session: AsyncSession, approval_id: str) -> tuple[Effect, datetime] | None:
    """The request's effect and when it was intended."""
    row = await _OF_APPROVAL.first(session, approval_id=approval_id)
    return (_effect(row), row.intended_at) if row else None


async def insert(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """Keep the effect before it is tried; the database refuses a second one for the same request."""
    await _NEW.change(
        session,
        effect_id=effect.effect_id,
        approval_id=effect.approval_id,
        kind=effect.kind.value,
        params=effect.params,
        key=effect.key,
        customer_id=effect.customer_id,
        amount_minor=effect.amount.minor,
        currency=effect.amount.currency,
        state=EffectState.INTENDED.value,
        stripe_object="",
        why="",
        intended_at=now,
        settled_at=None,
    )


async def settle(session: AsyncSession, effect: Effect, made: StripeObject | None, why: str, now: datetime) -> None:
    """Say what became of the effect: done with its object, or refused with the reason."""
    await _SETTLED.change_one(
        session,
        settled_id=effect.effect_id,
        state=EffectState.DONE.value if made else EffectState.REFUSED.value,
        stripe_object=made.object_id if made else "",
        why=why,
        settled_at=now,
    )


def _effect(row: EffectRow) -> Effect:
    return Effect(
        effect_id=row.effect_id,
        approval_id=row.approval_id,
        kind=EffectKind(row.kind),
        params=row.params,
        key=row.key,
        amount=Money(row.amount_minor, row.currency),
        customer_id=row.customer_id,
        state=EffectState(row.state),
    )
