"""Opening a request, recording decisions, reminding, expiring: everything that needs the database alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.amendments import amended, carried_on, changed_in
from activities.clocks import (
    EARLY_SECONDS,
    check_due,
    escalate,
    remind_again,
    strike,
    tell_of_empty_groups,
    with_clocks,
)
from activities.instead import check_nobody_there, check_nudge, with_stand_ins
from activities.letters import (
    ask_approvers,
    ask_stand_ins,
    remind_people,
    tell_requester,
)
from activities.standing import moved, standing
from activities.telling import letters_after
from activities.verification import verified_decision, verified_request
from plixo.domain.approval import OPEN, State
from plixo.domain.clocks import Happening
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import check_decision
from plixo.domain.handing_on import check_acts_for, check_handing
from plixo.domain.mandate import concerned
from plixo.domain.money import Money
from plixo.domain.refusals import Conflict, NotAllowed, Refused
from plixo.messages.approvals import Decide, Recorded, Standing, Step
from plixo.ports import AuditEntry, Calendars, Clock, Ledger, Letter, Record, StoredDecision, Transaction, Verifier

OLD_NEWS: Final = timedelta(days=3)
"""Nobody is written to of a request that should have ended so long ago."""


@dataclass(frozen=True)
class ApprovalActivities:
    """What the approval workflows ask of the database.

    Attributes:
        ledger: The database.
        verifier: Holds the staff side's public keys.
        clock: What time it is.
        calendars: When people work.
    """

    ledger: Ledger
    verifier: Verifier
    clock: Clock
    calendars: Calendars

    @activity.defn(name="open_approval")
    async def open(self, step: Step) -> Standing:
        """Check the signed request and set it on its path; asked again, it says where the request stands.

        What the staff side did not sign is withdrawn, however far its row says it has come: it counts in no sum, and
        nothing more comes of it. What is being applied already is left to `execute_approval`, which checks for itself.

        Raises:
            ApplicationError: Final, when there is no such request; tried again when the signer's clock runs ahead of
                ours.
        """
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await tx.approval(step.approval_id)
            if record is None:
                await _trace(tx, step.approval_id, "open_refused", _UNKNOWN, now)
            elif record.approval.state is State.ROUTING:
                record = await self._open(tx, record, now)
            elif record.approval.state in OPEN | {State.APPROVED}:
                record = await self._checked_again(tx, record, now)
        if record is None:
            raise ApplicationError(str(_UNKNOWN), type=_UNKNOWN.code, non_retryable=True)
        return standing(record)

    @activity.defn(name="record_decision")
    async def record(self, ask: Decide) -> Recorded:
        """Take up a stored decision, once: it stands newly, stood already, came too late, or is refused."""
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await tx.approval(ask.approval_id)
            stored = await tx.decision(ask.decision_id)
            if record is None or stored is None or stored.decision.approval_id != ask.approval_id:
                await _trace(tx, ask.approval_id, "decision_refused", _FORGED, now, decision_id=ask.decision_id)
                return Recorded(ask.decision_id, "refused", str(_FORGED), standing(record) if record else Standing(""))
            if stored.status != "submitted":
                return Recorded(ask.decision_id, _ANSWERS[stored.status], stored.why, standing(record))
            return await self._record(tx, record, stored, now)

    @activity.defn(name="remind_approvers")
    async def remind(self, step: Step) -> Standing:
        """Write to whoever has not decided yet; a new run of the workflow reminds nobody again.

        Raises:
            ApplicationError: Try again later: nobody is to be reminded yet by our clock.
        """
        now = self.clock()
        check_due(step, now)
        async with self.ledger.begin() as tx:
            record = await _existing(tx, step)
            if _still_waits(record, step):
                record = await self._remind(tx, record, now)
        return standing(record)

    @activity.defn(name="escalate_approval")
    async def escalate(self, step: Step) -> Standing:
        """Let others decide as well, where whoever was asked has had their time, and write to them.

        Raises:
            ApplicationError: Try again later: there is time left by our clock.
        """
        now = self.clock()
        check_due(step, now)
        async with self.ledger.begin() as tx:
            record = await _existing(tx, step)
            if _still_waits(record, step) and record.moments:
                record = await _escalate(tx, record, now)
        return standing(record)

    @activity.defn(name="expire_approval")
    async def expire(self, step: Step) -> Standing:
        """Return a request that nobody decided on or answered for in time, or withdraw one that stayed returned.

        Silence is never consent.

        Raises:
            ApplicationError: Try again later: there is time left by our clock.
        """
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await _existing(tx, step)
            if _still_waits(record, step) and _ever_expires(record):
                _check_time_is_up(record, now)
                record = await self._expire(tx, record, now)
        return standing(record)

    async def _expire(self, tx: Transaction, record: Record, now: datetime) -> Record:
        """Where a state leads when its time is up."""
        was = record.approval.state
        late = now - datetime.fromtimestamp(standing(record).expire_at, UTC)
        after = record.approval.withdrawn() if was is State.RETURNED else record.approval.returned()
        record = moved(record, after, now, why=_TIME_IS_UP[was])
        record = await with_clocks(tx, self.calendars, record, now)
        await tx.save(record)
        await tx.audit(_entry(record, "lapsed" if after.state is State.WITHDRAWN else "expired", "system"), now)
        if after.state is not State.WITHDRAWN or late < OLD_NEWS:
            await _post(tx, await tell_requester(tx, record, after.state.value), now)
        return record

    async def _remind(self, tx: Transaction, record: Record, now: datetime) -> Record:
        groups = record.approval.waiting_groups()
        if record.moments is None:  # its stage began before moments were kept: everybody is reminded at once
            letters = await ask_approvers(tx, record, "reminder", now)
        else:
            moments, struck = strike(record.moments, Happening.REMIND, now)
            concerned = [event for event in struck if event.group in groups]
            record = await remind_again(tx, self.calendars, replace(record, moments=moments), concerned, now)
            if struck:
                await tx.save(record)
            letters = await remind_people(tx, record, concerned, now)
            groups = tuple(group for group in groups if any(event.group is group for event in concerned))
        if await _post(tx, letters, now) or (groups and not letters):
            await tx.audit(_entry(record, "reminded", "system", {"groups": [group.value for group in groups]}), now)
        return record

    async def _open(self, tx: Transaction, record: Record, now: datetime) -> Record:
        try:
            verified_request(self.verifier, record, now=now)
            opened = await with_clocks(tx, self.calendars, moved(record, record.approval.opened(), now), now)
        except NotAllowed as refusal:
            if refusal.code == "signature_from_future":
                raise ApplicationError(str(refusal), type=refusal.code) from refusal
            if refusal.code != "signature_expired":
                return await _refuse(tx, record, refusal, now)
            opened = moved(record, record.approval.returned(), now, why="It was signed too long ago; ask again.")
            opened = await with_clocks(tx, self.calendars, opened, now)
        await tx.save(opened)
        detail = {"state": opened.approval.state.value, "path": list(opened.approval.path.describe())}
        await tx.audit(_entry(opened, "opened", "system", {**detail, "rule": opened.approval.path.rule}), now)
        await tell_of_empty_groups(tx, record, opened, now)
        await _post(tx, await _letters_after_opening(tx, opened, now), now)
        return opened

    async def _checked_again(self, tx: Transaction, record: Record, now: datetime) -> Record:
        try:
            verified_request(self.verifier, record, now=None)
        except NotAllowed as refusal:
            return await _refuse(tx, record, refusal, now)
        if record.approval.state in {State.RETURNED, State.NEEDS_INFORMATION} and record.moments is None:
            # Returned right before its effect, or by a version that left it at that: its requester has time from then.
            since = record.ended_at or now
            record = await with_clocks(tx, self.calendars, replace(record, ended_at=None), since)
            await tx.save(record)
        return record

    async def _record(self, tx: Transaction, record: Record, stored: StoredDecision, now: datetime) -> Recorded:
        try:
            verified_request(self.verifier, record, now=None)
            decision = verified_decision(self.verifier, stored, now=now)
            moved_on = await self._after(tx, record, decision, now)
            await self._check_person(tx, record, stored, decision, now)
        except Refused as refusal:
            status = "conflict" if isinstance(refusal, Conflict) else "refused"
            await tx.settle_decision(stored.decision.decision_id, status, str(refusal), now)
            await _trace(tx, record.approval.approval_id, f"decision_{status}", refusal, now, **_who(stored))
            return Recorded(stored.decision.decision_id, status, str(refusal), standing(record))
        await tx.settle_decision(decision.decision_id, "recorded", "", now)
        await tx.save(moved_on)
        detail = _decision_detail(record, decision, moved_on)
        await tx.audit(_entry(moved_on, "decision_recorded", decision.person_id, detail), now)
        await tell_of_empty_groups(tx, record, moved_on, now)
        await _post(tx, await letters_after(tx, record, moved_on, decision, now), now)
        return Recorded(decision.decision_id, "accepted", "", standing(moved_on))

    async def _after(self, tx: Transaction, record: Record, decision: Decision, now: datetime) -> Record:
        """The request as the decision leaves it.

        Raises:
            NotAllowed: It is an amendment that nobody signed like this.
            Conflict: The request no longer takes it.
        """
        if decision.verdict is Verdict.AMEND:
            changed = await amended(tx, self.verifier, record, decision)
            return await carried_on(tx, self.calendars, record, changed, now)
        moved_on = moved(record, record.approval.decided(decision), now, why=_why(decision))
        return await with_clocks(tx, self.calendars, moved_on, now)

    async def _check_person(
        self, tx: Transaction, record: Record, stored: StoredDecision, decision: Decision, now: datetime
    ) -> None:
        """Hold the decision against the directory of now, and against who was away when it was signed."""
        people = await tx.people(concerned([decision]))
        if decision.person_id not in people:
            raise NotAllowed.one("person", "not_active", "This person no longer works here.")
        if decision.verdict is Verdict.NUDGE:
            await check_nudge(tx, self.calendars, record, stored.submitted_at)
        if decision.basis:
            record = await with_stand_ins(tx, record, self.verifier.signed_at(stored.signed), self.verifier)
        person, approval, customer_id = people[decision.person_id], record.approval, record.change.customer_id
        if decision.verdict.hands_on:
            check_handing(approval, decision, people, customer_id)
        else:
            check_decision(approval, decision, person, customer_id, record.base_minor)
        check_acts_for(approval, decision, people, customer_id, record.base_minor)
        if decision.verdict is Verdict.REASSIGN and decision.group:
            await check_nobody_there(tx, record, decision.group, people[decision.subject], now)


_UNKNOWN = Refused.one("approval_id", "approval_unknown", "There is no such request; nothing was started.")
_FORGED = Refused.one("decision_id", "decision_unknown", "Nobody signed such a decision on this request.")
_ANSWERS = {"recorded": "already_received", "conflict": "conflict", "refused": "refused"}


async def _escalate(tx: Transaction, record: Record, now: datetime) -> Record:
    assert record.moments is not None
    moments, struck = strike(record.moments, Happening.ESCALATE, now)
    record = replace(record, moments=moments)
    for event in struck:
        if event.group in record.approval.waiting_groups():
            record, escalated, people = await escalate(tx, record, event)
            ids = [person.person_id for person in people]
            detail = {"group": escalated.seat.value, "to": escalated.to, "people": ids}
            await tx.audit(_entry(record, "escalated", "system", detail), now)
            await _post(tx, await ask_stand_ins(tx, record, escalated, people, now), now)
    if struck:
        await tx.save(record)
    return record


async def _refuse(tx: Transaction, record: Record, refusal: NotAllowed, now: datetime) -> Record:
    """Nobody on the staff side asked for this: it ends here, and whoever is said to have asked learns of it."""
    why = f"It is refused: {refusal} If you asked for it, ask again, and tell the operators."
    refused = moved(record, record.approval.withdrawn(), now, why=why)
    await tx.save(refused)
    await _trace(tx, record.approval.approval_id, "open_refused", refusal, now, state=refused.approval.state.value)
    await _post(tx, await tell_requester(tx, refused, "withdrawn"), now)
    return refused


async def _letters_after_opening(tx: Transaction, opened: Record, now: datetime) -> list[Letter]:
    if opened.approval.state is State.RETURNED:
        return await tell_requester(tx, opened, "returned")
    return await ask_approvers(tx, opened, "asked", now)


async def _existing(tx: Transaction, step: Step) -> Record:
    record = await tx.approval(step.approval_id)
    if record is None:
        raise ApplicationError(str(_UNKNOWN), type=_UNKNOWN.code, non_retryable=True)
    return record


def _ever_expires(record: Record) -> bool:
    """Whether its time is ever up; that of a question is, also where a stage may wait for ever."""
    moments = record.moments
    return moments is None or moments.pause is not None or moments.expire > 0


def _check_time_is_up(record: Record, now: datetime) -> None:
    """Whoever asks proves nothing: a request is not returned while there is time to decide on it.

    Raises:
        ApplicationError: Come back then; our clock may also be behind the workflow's.
    """
    left = standing(record).expire_at - now.timestamp() - EARLY_SECONDS
    if left > 0:
        raise ApplicationError("There is time left.", type="not_due")


def _still_waits(record: Record, step: Step) -> bool:
    approval, state = record.approval, State(step.state or State.WAITING)
    meant = (state, step.stage, step.round)
    return state in OPEN and (approval.state, approval.stage, approval.round) == meant


_TIME_IS_UP = {
    State.WAITING: "Nobody decided in time.",
    State.NEEDS_INFORMATION: "The question was not answered in time.",
    State.RETURNED: "It stayed returned for too long.",
}


def _why(decision: Decision) -> str:
    return f'Returned for changes: "{decision.comment}"' if decision.verdict is Verdict.RETURN else ""


async def _post(tx: Transaction, letters: Sequence[Letter], now: datetime) -> bool:
    """Whether any of the letters was not posted before."""
    return any([await tx.post(letter, now) for letter in letters])


def _entry(record: Record, event: str, actor: str, detail: dict[str, Any] | None = None) -> AuditEntry:
    return AuditEntry(record.approval.approval_id, event, actor, detail or {})


def _decision_detail(record: Record, decision: Decision, after: Record) -> dict[str, Any]:
    amount = Money(decision.amount_minor, record.change.amount.currency)
    less = {"less": str(amount)} if decision.amount_minor < record.approval.agreed_minor else {}
    return {
        **less,
        "decision_id": decision.decision_id,
        "verdict": decision.verdict.value,
        "group": decision.group.value if decision.group else "requester",
        "amount_minor": decision.amount_minor,
        "comment": decision.comment,
        "state": after.approval.state.value,
        **changed_in(record, after),
    } | {name: said for name, said in (("basis", decision.basis), ("subject", decision.subject)) if said}


def _who(stored: StoredDecision) -> dict[str, str]:
    decision = stored.decision
    return {
        "decision_id": decision.decision_id,
        "person_id": decision.person_id,
        "verdict": decision.verdict.value,
    }


async def _trace(
    tx: Transaction,
    approval_id: str,
    event: str,
    refusal: Refused,
    now: datetime,
    **detail: str,
) -> None:
    """Leave a trace of what was refused: in the audit log, where an auditor looks."""
    entry = AuditEntry(approval_id, event, "system", {"code": refusal.code, "why": str(refusal), **detail})
    await tx.audit(entry, now)
