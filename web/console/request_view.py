"""Everything the page of one request shows, read in one go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from activities.instead import with_stand_ins
from activities.standing import standing
from plixo.domain.approval import OPEN, State
from plixo.domain.change import TargetKind
from plixo.domain.clocks import Happening
from plixo.domain.decision import Decision
from plixo.domain.documents import Document
from plixo.domain.duties import basis_for, check_independent, may_see, may_see_all
from plixo.domain.effects import TargetFacts, credit_params, still_holds
from plixo.domain.ids import is_approval_id
from plixo.domain.money import Money
from plixo.domain.path import Seat
from plixo.domain.payments import PaymentsError
from plixo.domain.people import Person
from plixo.domain.reasons import STRIPE_REASONS
from plixo.domain.refusals import NotAllowed, NotFound
from plixo.messages.approvals import Standing
from plixo.ports import Record, StoredDecision
from plixo.store import approvals, audit, decisions, documents, inbox, people
from plixo.store.ledger import SqlTransaction
from web.console import timeline, year
from web.console.deciding import Deciding, deciding
from web.console.documents_view import Documents, documents_of
from web.console.handing import HandingOn, handing_on
from web.console.seats import deciding_does, seat_remark
from web.console.words import WITH_REQUESTER, exact, target
from web.identity import Visit


@dataclass(frozen=True)
class SeatLine:
    """One seat of the path, and who fills it.

    Attributes:
        who: The group, in words.
        stage: Counted from 1.
        waiting: Whether it is asked now.
        decisions: What its people said.
        able: Names of the people who could still say it.
        remark: In whose place who decides, or how a rejection counts; empty where nothing is unusual.
    """

    who: str
    stage: int
    waiting: bool
    decisions: tuple[Decision, ...]
    able: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True)
class Sending:
    """What Stripe is sent once it is approved.

    Attributes:
        what: The object it makes, in words.
        amount: How much, gross: what was asked for, or the least that anybody approved.
        off_invoice: How much the customer owes less by it; None where that is not known now.
        to_balance: How much goes to their balance, for later invoices.
        reason: Stripe's own reason, in words; empty where none fits.
        params: The exact parameters; empty where Stripe cannot be asked about the invoice now.
        against: What speaks against it right now.
        unreachable: Stripe could not be asked.
    """

    what: str
    amount: Money
    off_invoice: Money | None
    to_balance: Money | None
    reason: str
    params: Mapping[str, object]
    against: tuple[str, ...]
    unreachable: bool


@dataclass(frozen=True)
class RequestView:
    """The page of one request.

    Attributes:
        record: The request.
        names: Everybody's name by id.
        deciding: What the reader can do.
        seats: Who is asked.
        sending: What Stripe will be sent.
        year: The customer's credits of twelve months; None for readers who see their own requests only.
        pending: What else is asked for this customer.
        steps: The history.
        nothing: What happens if nobody does anything.
        documents: What was added to it.
        deciding_does: What the reader's approval and rejection would do, in words.
        held_since: Since when whoever holds it has; None where nobody does.
        changed: What its requester made another last, in words; empty where they did not.
        handing: What the reader can do about who decides.
    """

    record: Record
    names: Mapping[str, str]
    deciding: Deciding
    seats: Sequence[SeatLine]
    sending: Sending
    year: year.Year | None
    pending: Sequence[Record]
    steps: Sequence[timeline.Step]
    nothing: str
    documents: Documents
    deciding_does: str
    held_since: datetime | None
    changed: str
    handing: HandingOn


@dataclass(frozen=True)
class _Rows:
    record: Record
    stored: Sequence[StoredDecision]
    lines: Sequence[audit.AuditLine]
    everybody: Mapping[str, Person]
    applied: Sequence[Record]
    pending: Sequence[Record]
    added: Sequence[Document]


async def visible(visit: Visit, approval_id: str) -> Record:
    """The request, for somebody who may see it.

    Raises:
        NotFound: There is none, or they may not know of it; both read the same.
    """
    record = None
    if is_approval_id(approval_id):
        async with visit.desk.ledger.read() as session:
            record = await approvals.load(session, approval_id, lock=False)
            if record:
                record = await with_stand_ins(SqlTransaction(session), record, visit.now, visit.desk.trust.verifier)
    if record is None or not may_see(visit.person, record.approval.requester_id):
        raise NotFound.one("approval_id", "approval_unknown", "There is no such request; look for it in your inbox.")
    return record


async def view(visit: Visit, record: Record) -> RequestView:
    """Read and work out what the page shows."""
    rows = await _read(visit, record)
    now, zone = visit.now, visit.person.time_zone
    charted = may_see_all(visit.person)
    sending = await _sending(visit, rows.record)
    return RequestView(
        record=rows.record,
        names={person_id: person.name for person_id, person in rows.everybody.items()},
        deciding=deciding(visit, rows.record, list(rows.stored)),
        seats=_seats(rows),
        sending=sending,
        year=year.year(rows.applied, record.change.amount.currency, now) if charted else None,
        pending=[other for other in rows.pending if other.approval.approval_id != record.approval.approval_id],
        steps=timeline.timeline(rows.lines, rows.everybody),
        nothing=_nothing(rows.record, rows.everybody, zone, now),
        documents=documents_of(visit, rows.record, rows.added),
        deciding_does=deciding_does(rows.record.approval, sending.what),
        held_since=_held_since(rows),
        changed=timeline.last_change(rows.lines),
        handing=handing_on(visit, rows.record, rows.everybody.values()),
    )


def _held_since(rows: _Rows) -> datetime | None:
    """When it came to whoever holds it now."""
    state, moments = rows.record.approval.state, rows.record.moments
    if state is State.NEEDS_INFORMATION and moments and moments.pause:
        return datetime.fromtimestamp(moments.pause.since, UTC)
    if state is State.RETURNED:
        came = [timeline.moment(line) for line in rows.lines if line.event in _CAME_BACK]
        return came[-1] if came else None
    return rows.record.stage_since if state is State.WAITING else None


_CAME_BACK: Final = frozenset({"decision_recorded", "expired", "returned", "opened"})


async def _read(visit: Visit, record: Record) -> _Rows:
    approval_id, customer = record.approval.approval_id, record.change.customer_id
    async with visit.desk.ledger.read() as session:
        return _Rows(
            record=record,
            stored=await decisions.of_approval(session, approval_id),
            lines=await audit.lines(session, approval_id),
            everybody={person.person_id: person for person in await people.everybody(session)},
            applied=await inbox.applied_since(session, customer, year.since(visit.now)),
            pending=await inbox.pending_for(session, visit.person, customer),
            added=await documents.of_approval(session, approval_id),
        )


def _seats(rows: _Rows) -> list[SeatLine]:
    approval = rows.record.approval
    found = []
    for index, stage in enumerate(approval.path.stages):
        for seat in stage.seats:
            said = tuple(
                one
                for one in approval.decisions
                if one.verdict.settles and approval.counts(one) and (one.stage, one.group) == (index, seat.group)
            )
            waiting = approval.state is State.WAITING and index == approval.stage
            asked = waiting and seat.group in approval.waiting_groups()
            able = _able(rows.record, seat, rows.everybody.values()) if asked else ()
            names = tuple(person.name for person in able)
            remark = seat_remark(approval, stage, seat) if asked else ""
            found.append(SeatLine(seat.describe(), index + 1, asked, said, names, remark))
    return found


def _able(record: Record, seat: Seat, everybody: Iterable[Person]) -> tuple[Person, ...]:
    """Who could fill the seat today, in the place of others too."""
    decided = record.approval.has_decided
    return tuple(
        person
        for person in everybody
        if (person.belongs_to(seat.group) or basis_for(record.approval, person, seat))
        and not decided(person.person_id)
        and _independent(record, person)
    )


def _independent(record: Record, person: Person) -> bool:
    try:
        check_independent(record.approval.requester_id, person, record.change.customer_id)
    except NotAllowed:
        return False
    return True


async def _sending(visit: Visit, record: Record) -> Sending:
    """Asks Stripe only while the answer can still matter."""
    if record.approval.state not in OPEN | {State.ROUTING, State.APPROVED}:
        return _described(record, None)
    try:
        facts = await visit.desk.payments.facts(record.change)
    except PaymentsError:
        return _described(record, None, unreachable=True)
    against = still_holds(record.change, facts) if facts else ("it is no longer to be found in Stripe",)
    return _described(record, facts, against=against)


def _described(
    record: Record,
    facts: TargetFacts | None,
    *,
    against: tuple[str, ...] = (),
    unreachable: bool = False,
) -> Sending:
    change, amount = record.change, Money(record.approval.agreed_minor, record.change.amount.currency)
    balance = change.target.kind is TargetKind.CUSTOMER_BALANCE
    what = "A credit to the customer's balance" if balance else f"A credit note on invoice {target(change)}"
    params = credit_params(change, amount.minor, facts)[1] if facts else {}
    off_invoice, to_balance = None, None
    if facts and not balance:
        owed = Money(min(amount.minor, facts.remaining_minor), amount.currency)
        off_invoice, to_balance = owed, Money(amount.minor - owed.minor, owed.currency)
    reason = "" if balance else STRIPE_REASONS.get(change.reason, "").replace("_", " ")
    return Sending(what, amount, off_invoice, to_balance, reason, params, against, unreachable)


def _nothing(record: Record, everybody: Mapping[str, Person], zone: str, now: datetime) -> str:
    approval, where = record.approval, standing(record)
    if approval.state in WITH_REQUESTER and where.expire_at:
        return _nothing_of(approval.state, everybody[approval.requester_id].name, where.expire_at, zone)
    if approval.current_stage is None or not where.since:
        return ""
    groups = " and ".join(group.label for group in approval.waiting_groups())
    said = [_reminder(where, groups, zone, now), *_escalations(record, zone)]
    requester = everybody[approval.requester_id].name
    if where.expire_at:
        expire = exact(datetime.fromtimestamp(where.expire_at, UTC), zone)
        said.append(f"If nobody decides by {expire}, it goes back to {requester} and nothing is credited:")
    else:
        said.append("It waits for as long as nobody decides, and nothing is credited:")
    return " ".join([part for part in said if part] + ["silence is never consent."])


def _nothing_of(state: State, requester: str, at: int, zone: str) -> str:
    """What becomes of it while it lies with who asked for it."""
    moment = exact(datetime.fromtimestamp(at, UTC), zone)
    if state is State.RETURNED:
        return f"If {requester} does nothing by {moment}, it is withdrawn; nothing is credited."
    return f"If {requester} does not answer by {moment}, it is returned to them; nothing is credited."


def _reminder(where: Standing, groups: str, zone: str, now: datetime) -> str:
    remind = datetime.fromtimestamp(where.remind_at, UTC)
    return f"A reminder goes to {groups} on {exact(remind, zone)}." if remind > now else ""


def _escalations(record: Record, zone: str) -> list[str]:
    """Who may decide as well, by now and later on."""
    approval = record.approval
    stage, groups = approval.current_stage, approval.waiting_groups()
    everybody = (*approval.standing_in, *(one for one in approval.escalated if not one.fallback))
    now = list(dict.fromkeys(f"In place of {one.seat.label}, {one.label} may decide as well." for one in everybody))
    if stage is None or record.moments is None:
        return now
    clocks = {seat.group: clock for seat, clock in stage.clocked()}
    later = [
        f"From {exact(datetime.fromtimestamp(event.at, UTC), zone)} on, "
        f"{clocks[event.group].escalations[event.nth].label} may decide in place of {event.group.label}."
        for event in record.moments.upcoming(groups)
        if event.what is Happening.ESCALATE
    ]
    return now + later
