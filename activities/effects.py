"""Applying an approved change in Stripe, exactly once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import signs_of_life
from activities.letters import raise_alarm, tell_requester
from activities.stripe_calls import QUICK_TRIES, ask, hold_for_the_key
from activities.verification import passed_over, unmandated, verified_mandate, verified_request
from plixo.domain.amending import Amendment
from plixo.domain.approval import OPEN, Approval, State
from plixo.domain.change import ProposedChange
from plixo.domain.effects import Effect, EffectState, TargetFacts, plan, still_holds
from plixo.domain.payments import CallRefused
from plixo.domain.refusals import NotAllowed
from plixo.messages.approvals import Executed, Step
from plixo.ports import AuditEntry, Clock, Ledger, Payments, Record, StripeObject, Transaction, Verifier

_TO_BE_DONE: Final = frozenset({State.APPROVED, State.EXECUTING})

KEY_LIFE: Final = timedelta(hours=20)
"""How long Stripe surely remembers an idempotency key, with room for clocks that differ; it promises 24 hours."""

TRY_LIFE: Final = timedelta(seconds=60)
"""After so long Temporal has given a try up, and another one may be under way: it sends nothing more."""

NOT_ALLOWED: Final = "not_allowed"
"""The code of our own refusal to try a write again; Stripe has none of this name."""


class Intended(NamedTuple):
    """A write that was kept before it is tried.

    Attributes:
        effect: The exact write.
        since: When it may have been tried first. The rows may have been restored and forget a try, so that is when the
            request was made; by the worker's own clock where that says earlier, since the console's may run ahead.
        against: Why the signed rows no longer allow it; empty while they do.
    """

    effect: Effect
    since: datetime
    against: str = ""


@dataclass(frozen=True)
class EffectActivities:
    """The only activities that move money.

    Attributes:
        ledger: The database.
        payments: Stripe, with a key that may write.
        verifier: Holds the staff side's public keys.
        clock: What time it is.
    """

    ledger: Ledger
    payments: Payments
    verifier: Verifier
    clock: Clock

    @activity.defn(name="execute_approval")
    async def execute(self, step: Step) -> Executed:
        """Apply an approved request in Stripe.

        Everything is checked again here: the signatures, who decided, what Stripe says now. The write is kept before
        it is tried, and every try is the same one.

        Raises:
            ApplicationError: Try again later; final only when there is no such request.
        """
        async with signs_of_life():
            return await self._execute(step)

    async def _execute(self, step: Step) -> Executed:
        began = self.clock()
        record, known = await self._read(step.approval_id)
        if record.approval.state not in _TO_BE_DONE:
            return _executed(record)
        facts = None if known else await self._reading(record)
        intended = await self._intend(step.approval_id, facts)
        if isinstance(intended, Executed):
            return intended
        effect, since, against = intended
        made = await (self._look_up(effect, against) if against else self._carry_out(effect, since, began))
        return await self._settle(effect, made)

    async def _read(self, approval_id: str) -> tuple[Record, bool]:
        """The request, and whether its effect was intended before."""
        async with self.ledger.begin() as tx:
            record = await tx.approval(approval_id)
            known = await tx.effect(approval_id)
        if record is None:
            raise ApplicationError("There is no such request.", type="approval_unknown", non_retryable=True)
        return record, known is not None

    async def _reading(self, record: Record) -> TargetFacts | CallRefused | None:
        """What Stripe says of the target that was signed; the row's copy is checked before it is used."""
        try:
            request = verified_request(self.verifier, record, now=None)
            return await ask(self.payments.facts, request.change)
        except NotAllowed:
            return None
        except CallRefused as refusal:
            hold_for_the_key(refusal)
            return refusal

    async def _intend(self, approval_id: str, facts: TargetFacts | CallRefused | None) -> Intended | Executed:
        """In one transaction: check the mandate and the facts, and keep the exact write before it is tried."""
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await _locked(tx, approval_id)
            if record.approval.state not in _TO_BE_DONE:
                return _executed(record)
            known = await tx.effect(approval_id)
            if known:
                against = await unmandated(tx, self.verifier, record, known[0])
                return Intended(known[0], min(record.created_at, known[1]), against)
            try:
                request, allowed = await verified_mandate(tx, self.verifier, record)
                target = _shown(facts)
            except (NotAllowed, CallRefused) as refusal:
                if changed := await passed_over(tx, record):
                    return await _wait_for(tx, record, changed, now)
                return await _stop(tx, record, "effect_refused", str(refusal), now)
            against = _changes(request.change, target)
            if against or target is None:
                return await _return(tx, record, against, now)
            effect = plan(approval_id, request.round, request.change, allowed.amount_minor, target)
            await tx.intend(effect, now)
            await tx.save(replace(record, approval=record.approval.executing()))
            await tx.audit(_entry(record, "effect_intended", effect, decided_by=list(allowed.decided_by)), now)
            return Intended(effect, min(record.created_at, now))

    async def _look_up(self, effect: Effect, against: str) -> StripeObject | CallRefused:
        """The rows no longer allow a write that was intended: it is not tried again, only looked for."""
        try:
            return await ask(self.payments.find, effect) or CallRefused(against, NOT_ALLOWED)
        except CallRefused as refusal:
            hold_for_the_key(refusal)
            return CallRefused(f"{against} Whether it was carried out before cannot be told: {refusal}", NOT_ALLOWED)

    async def _carry_out(self, effect: Effect, since: datetime, began: datetime) -> StripeObject | CallRefused:
        """Try the write, under the same key each time.

        Once Stripe may have forgotten the key, or has answered with nothing but errors for a minute (it repeats a
        stored error for as long as it knows the key), the effect is looked up first.
        """
        forgotten = self.clock() - since > KEY_LIFE
        try:
            if forgotten or activity.info().attempt > QUICK_TRIES:
                made = await ask(self.payments.find, effect)
                if made:
                    return made
            self._check_not_stalled(began)
            return await ask(self.payments.apply, effect)
        except CallRefused as refusal:
            return await self._despite(refusal, effect)

    def _check_not_stalled(self, began: datetime) -> None:
        """No timeout sees that the process was suspended, and by now Stripe may have forgotten the key.

        Raises:
            ApplicationError: Try again: the next try looks at the clock, and at Stripe, anew.
        """
        if not timedelta() <= self.clock() - began <= TRY_LIFE:
            raise ApplicationError("This try was stalled; nothing was sent.", type="Stalled")

    async def _despite(self, refusal: CallRefused, effect: Effect) -> StripeObject | CallRefused:
        """A refusal is final, unless an earlier try was carried out all the same, or our key is what is wrong."""
        hold_for_the_key(refusal)
        try:
            return await ask(self.payments.find, effect) or refusal
        except CallRefused as blind:
            hold_for_the_key(blind)
            unknown = f"{refusal} Whether an earlier try was carried out cannot be told: {blind}"
            return CallRefused(unknown, refusal.code)

    async def _settle(self, effect: Effect, made: StripeObject | CallRefused) -> Executed:
        """In one transaction: the outcome, the request's state, the audit entry, the outgoing mail."""
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await _locked(tx, effect.approval_id)
            known = await tx.effect(effect.approval_id)
            if known is None or known[0].state is not EffectState.INTENDED:
                if known and known[0].state is EffectState.REFUSED and isinstance(made, StripeObject):
                    late = _entry(record, "effect_done_after_refusal", effect, stripe_object=made.object_id)
                    await tx.audit(late, now)
                return _executed(record)
            if isinstance(made, CallRefused):
                await tx.settle_effect(effect, None, str(made), now)
                if made.code == NOT_ALLOWED:
                    return await _stop(tx, record, "effect_refused", str(made), now)
                return await _stop(tx, record, "effect_failed", f"Stripe refused it: {made}", now)
            await tx.settle_effect(effect, made, "", now)
            record = _ended(record, record.approval.executed(), now, stripe_object=made.object_id)
            record = replace(record, amounts=made.amounts)
            await tx.save(record)
            await tx.audit(_entry(record, "effect_done", effect, stripe_object=made.object_id), now)
            if not record.approval.path.automatic:
                await _post(tx, record, "executed", now)
            return _executed(record)


def _shown(facts: TargetFacts | CallRefused | None) -> TargetFacts | None:
    if isinstance(facts, CallRefused):
        raise CallRefused(f"Stripe would not show what it is for: {facts}", facts.code)
    return facts


def _changes(change: ProposedChange, facts: TargetFacts | None) -> str:
    """What has changed in Stripe since it was signed, in words; empty when nothing has."""
    if facts is None:
        return "It is no longer to be found in Stripe."
    found = still_holds(change, facts)
    return f"Since it was asked for, {'; '.join(found)}." if found else ""


async def _locked(tx: Transaction, approval_id: str) -> Record:
    record = await tx.approval(approval_id)
    assert record is not None, "requests are never removed"
    return record


async def _wait_for(tx: Transaction, record: Record, changed: Amendment, now: datetime) -> Executed:
    """Its requester has changed it meanwhile: that is taken up first, or, where it cannot be, they decide what to do.

    Raises:
        ApplicationError: Try again: it is about to be taken up.
    """
    stored = await tx.decision(changed.request.amended_by)
    if stored and stored.status == "submitted":
        raise ApplicationError("Its requester has changed it; that is taken up first.", type="amended_since")
    why = f"It was changed since, and that could not be taken up: {stored.why if stored else 'nobody signed it'}"
    return await _return(tx, record, why, now)


async def _return(tx: Transaction, record: Record, why: str, now: datetime) -> Executed:
    """The facts no longer hold: nothing is written in Stripe, and the requester decides what to do."""
    record = replace(record, approval=record.approval.returned(), why=why)
    await tx.save(record)
    await tx.audit(AuditEntry(record.approval.approval_id, "returned", "system", {"why": why}), now)
    await _post(tx, record, "returned", now)
    return _executed(record)


async def _stop(tx: Transaction, record: Record, event: str, why: str, now: datetime) -> Executed:
    """A person must look: say everything that is known."""
    if record.approval.state is State.APPROVED:
        record = replace(record, approval=record.approval.executing())
        await tx.save(record)
    record = _ended(record, record.approval.needs_attention(), now, why=why)
    await tx.save(record)
    await tx.audit(AuditEntry(record.approval.approval_id, event, "system", {"why": why}), now)
    for letter in await raise_alarm(tx, record):
        await tx.post(letter, now)
    return _executed(record)


async def _post(tx: Transaction, record: Record, template: str, now: datetime) -> None:
    for letter in await tell_requester(tx, record, template):
        await tx.post(letter, now)


def _ended(record: Record, approval: Approval, now: datetime, *, why: str = "", stripe_object: str = "") -> Record:
    return replace(record, approval=approval, ended_at=now, why=why, stripe_object=stripe_object)


def _executed(record: Record) -> Executed:
    state = record.approval.state
    return Executed(state.value, record.stripe_object, record.why, reopens=state in OPEN)


def _entry(record: Record, event: str, effect: Effect, **detail: Any) -> AuditEntry:  # noqa: ANN401 - plain data
    about = {
        "effect_id": effect.effect_id,
        "kind": effect.kind.value,
        "key": effect.key,
        "amount_minor": effect.amount.minor,
        "currency": effect.amount.currency,
    }
    return AuditEntry(record.approval.approval_id, event, "system", {**about, **detail})
