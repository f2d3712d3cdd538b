"""Opening a request, recording decisions, reminding, expiring: everything that needs the database alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clocks import EARLY_SECONDS, check_due, escalate, remind_again, strike, with_clocks
from activities.letters import ask_approvers, ask_stand_ins, remind_people, tell_requester
from activities.verification import verified_decision, verified_request
from plixo.domain.approval import ENDED, Approval, Decision, State
from plixo.domain.clocks import Happening
from plixo.domain.duties import check_decision
from plixo.domain.money import Money
from plixo.domain.refusals import Conflict, NotAllowed, Refused
from plixo.messages.approvals import Decide, Recorded, Standing, Step
from plixo.ports import AuditEntry, Calendars, Clock, Ledger, Letter, Record, StoredDecision, Transaction, Verifier


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

        What the staff side did not sign is returned, however far its row says it has come: it counts in no sum, and
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
            elif record.approval.state in {State.WAITING, State.APPROVED}:
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
        """Return a request that nobody decided on in time; silence is never consent.

        Raises:
            ApplicationError: Try again later: there is time left by our clock.
        """
        now = self.clock()
        async with self.ledger.begin() as tx:
            record = await _existing(tx, step)
            if _still_waits(record, step) and _ever_expires(record):
                _check_time_is_up(record, now)
                record = _moved(record, record.approval.returned(), now, why="Nobody decided in time.")
                await tx.save(record)
                await tx.audit(_entry(record, "expired", "system"), now)
                await _post(tx, await tell_requester(tx, record, "returned"), now)
        return standing(record)

    async def _remind(self, tx: Transaction, record: Record, now: datetime) -> Record:
        groups = record.approval.waiting_groups()
        if record.moments is None:  # its stage began before moments were kept: everybody is reminded at once
            letters = await ask_approvers(tx, record, "reminder")
        else:
            moments, struck = strike(record.moments, Happening.REMIND, now)
            concerned = [event for event in struck if event.group in groups]
            record = await remind_again(tx, self.calendars, replace(record, moments=moments), concerned, now)
            if struck:
                await tx.save(record)
            letters = await remind_people(tx, record, concerned)
            groups = tuple(group for group in groups if any(event.group is group for event in concerned))
        if await _post(tx, letters, now) or (groups and not letters):
            await tx.audit(_entry(record, "reminded", "system", {"groups": [group.value for group in groups]}), now)
        return record

    async def _open(self, tx: Transaction, record: Record, now: datetime) -> Record:
        try:
            verified_request(self.verifier, record, now=now)
            opened = await with_clocks(tx, self.calendars, _moved(record, record.approval.opened(), now), now)
        except NotAllowed as refusal:
            if refusal.code == "signature_from_future":
                raise ApplicationError(str(refusal), type=refusal.code) from refusal
            if refusal.code != "signature_expired":
                return await _refuse(tx, record, refusal, now)
            opened = _moved(record, record.approval.returned(), now, why="It was signed too long ago; ask again.")
        await tx.save(opened)
        detail = {"state": opened.approval.state.value, "path": list(opened.approval.path.describe())}
        await tx.audit(_entry(opened, "opened", "system", {**detail, "rule": opened.approval.path.rule}), now)
        await _post(tx, await _letters_after_opening(tx, opened), now)
        return opened

    async def _checked_again(self, tx: Transaction, record: Record, now: datetime) -> Record:
        try:
            verified_request(self.verifier, record, now=None)
        except NotAllowed as refusal:
            return await _refuse(tx, record, refusal, now)
        return record

    async def _record(self, tx: Transaction, record: Record, stored: StoredDecision, now: datetime) -> Recorded:
        try:
            verified_request(self.verifier, record, now=None)
            decision = verified_decision(self.verifier, stored, now=now)
            after = record.approval.decided(decision)
            await _check_person(tx, record, decision)
        except Refused as refusal:
            status = "conflict" if isinstance(refusal, Conflict) else "refused"
            await tx.settle_decision(stored.decision.decision_id, status, str(refusal), now)
            await _trace(tx, record.approval.approval_id, f"decision_{status}", refusal, now, **_who(stored))
            return Recorded(stored.decision.decision_id, status, str(refusal), standing(record))
        moved = await with_clocks(tx, self.calendars, _moved(record, after, now), now)
        await tx.settle_decision(decision.decision_id, "recorded", "", now)
        await tx.save(moved)
        await tx.audit(
            _entry(moved, "decision_recorded", decision.person_id, _decision_detail(record, decision, after)), now
        )
        await _post(tx, await _letters_after(tx, record, moved), now)
        return Recorded(decision.decision_id, "accepted", "", standing(moved))


def standing(record: Record) -> Standing:
    """Where a request stands, as its workflow needs to know it."""
    approval = record.approval
    stage, since = approval.current_stage, record.stage_since
    recorded = tuple(decision.decision_id for decision in approval.decisions)
    if stage is None or since is None:
        return Standing(approval.state.value, approval.stage, approval.round, recorded=recorded)
    began = int(since.timestamp())
    groups = approval.waiting_groups()
    moments = record.moments
    known = Standing(
        state=approval.state.value,
        stage=approval.stage,
        round=approval.round,
        waits_for=" and ".join(group.label for group in groups),
        groups=tuple(group.value for group in groups),
        since=began,
        due=began + stage.clock.due_hours * 3600,
        remind_at=began + stage.clock.remind_hours[0] * 3600,
        expire_at=began + stage.clock.expire_hours * 3600,
        recorded=recorded,
    )
    if moments is None:
        return known
    following, at = moments.following(groups)
    reminders = [event.at for event in moments.upcoming(groups) if event.what is Happening.REMIND]
    return replace(
        known,
        due=moments.due,
        remind_at=min(reminders, default=0),
        expire_at=moments.expire,
        next_event=following,
        next_at=at,
        stand_ins=" and ".join(dict.fromkeys(one.label for one in approval.escalated if one.seat in groups)),
    )


_UNKNOWN = Refused.one("approval_id", "approval_unknown", "There is no such request; nothing was started.")
_FORGED = Refused.one("decision_id", "decision_unknown", "Nobody signed such a decision on this request.")
_ANSWERS = {"recorded": "already_received", "conflict": "conflict", "refused": "refused"}


def _moved(record: Record, approval: Approval, now: datetime, *, why: str = "") -> Record:
    """The record with its approval's new standing, its clock started anew where another stage begins."""
    if approval.state in ENDED:
        return replace(record, approval=approval, ended_at=now, due_at=None, stage_since=None, moments=None, why=why)
    stage = approval.current_stage
    if stage is None:
        return replace(record, approval=approval, due_at=None, stage_since=None, moments=None, why=why)
    if record.stage_since and record.approval.stage == approval.stage:
        return replace(record, approval=approval)
    return replace(record, approval=approval, stage_since=now, due_at=None, moments=None)


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
            await _post(tx, await ask_stand_ins(tx, record, escalated, people), now)
    if struck:
        await tx.save(record)
    return record


async def _refuse(tx: Transaction, record: Record, refusal: NotAllowed, now: datetime) -> Record:
    """Nobody on the staff side asked for this: it ends here, and whoever is said to have asked learns of it."""
    why = f"It is refused: {refusal} If you asked for it, ask again, and tell the operators."
    refused = _moved(record, record.approval.returned(), now, why=why)
    await tx.save(refused)
    await _trace(tx, record.approval.approval_id, "open_refused", refusal, now, state=refused.approval.state.value)
    await _post(tx, await tell_requester(tx, refused, "returned"), now)
    return refused


async def _check_person(tx: Transaction, record: Record, decision: Decision) -> None:
    person = (await tx.people([decision.person_id])).get(decision.person_id)
    if person is None:
        raise NotAllowed.one("person", "not_active", "This person no longer works here.")
    check_decision(record.approval, decision, person, record.change.customer_id, record.base_minor)


async def _letters_after_opening(tx: Transaction, opened: Record) -> list[Letter]:
    if opened.approval.state is State.RETURNED:
        return await tell_requester(tx, opened, "returned")
    return await ask_approvers(tx, opened, "asked")


async def _letters_after(tx: Transaction, before: Record, after: Record) -> list[Letter]:
    if after.approval.state is State.REJECTED:
        return await tell_requester(tx, after, "rejected")
    waits, was = after.approval, before.approval
    if waits.state is State.WAITING and (waits.stage, waits.agreed_minor) != (was.stage, was.agreed_minor):
        return await ask_approvers(tx, after, "asked")
    return []


async def _existing(tx: Transaction, step: Step) -> Record:
    record = await tx.approval(step.approval_id)
    if record is None:
        raise ApplicationError(str(_UNKNOWN), type=_UNKNOWN.code, non_retryable=True)
    return record


def _ever_expires(record: Record) -> bool:
    return record.moments is None or record.moments.expire > 0


def _check_time_is_up(record: Record, now: datetime) -> None:
    """Whoever asks proves nothing: a request is not returned while there is time to decide on it.

    Raises:
        ApplicationError: Come back then; our clock may also be behind the workflow's.
    """
    left = standing(record).expire_at - now.timestamp() - EARLY_SECONDS
    if left > 0:
        raise ApplicationError("There is time left to decide on it.", type="not_due")


def _still_waits(record: Record, step: Step) -> bool:
    approval = record.approval
    return approval.state is State.WAITING and (approval.stage, approval.round) == (step.stage, step.round)


async def _post(tx: Transaction, letters: Sequence[Letter], now: datetime) -> bool:
    """Whether any of the letters was not posted before."""
    return any([await tx.post(letter, now) for letter in letters])


def _entry(record: Record, event: str, actor: str, detail: dict[str, Any] | None = None) -> AuditEntry:
    return AuditEntry(record.approval.approval_id, event, actor, detail or {})


def _decision_detail(record: Record, decision: Decision, after: Approval) -> dict[str, Any]:
    amount = Money(decision.amount_minor, record.change.amount.currency)
    less = {"less": str(amount)} if decision.amount_minor < record.approval.agreed_minor else {}
    return {
        **less,
        "decision_id": decision.decision_id,
        "verdict": decision.verdict.value,
        "group": decision.group.value if decision.group else "requester",
        "amount_minor": decision.amount_minor,
        "comment": decision.comment,
        "state": after.state.value,
    } | ({"basis": decision.basis} if decision.basis else {})


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
