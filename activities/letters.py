"""Who is written to, about what. The outbox sends each letter once for its key."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from activities.instead import Reader, readers, with_stand_ins
from plixo.domain.clocks import Event
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import basis_for, chair_for
from plixo.domain.escalation import Escalated
from plixo.domain.money import Money
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed
from plixo.domain.weeks import after_quiet_hours
from plixo.ports import Letter, Record, Transaction


async def ask_approvers(tx: Transaction, record: Record, template: str, now: datetime) -> list[Letter]:
    """A letter to everybody who may approve all of it in the waiting stage and has not yet, or to who stands in.

    Args:
        tx: Reads the directory.
        record: What waits.
        template: `asked`, which leaves at once, or `reminder`, which keeps quiet hours.
        now: What time it is.
    """
    approval = record.approval
    step = f"{template}/{approval.round}.{approval.stage}"
    if approval.agreed_minor != approval.amount_minor:
        step = f"{step}/{approval.agreed_minor}"  # whoever approved more before is asked once more
    letters = await _to_deciders(tx, record, step, template, now)
    return [_quietly(letter, one.person, now) if template == "reminder" else letter for letter, one in letters]


async def ask_instead(tx: Transaction, record: Record, handed: Decision, now: datetime) -> list[Letter]:
    """A letter to whom somebody's part was handed, or to who stands in for that one."""
    asked = handed.subject if handed.verdict is Verdict.REASSIGN else handed.person_id
    letters = await _to_deciders(tx, record, f"instead/{handed.decision_id}", "asked", now)
    return [letter for letter, reader in letters if asked in reader.instead_of | {reader.person.person_id}]


async def nudge(tx: Transaction, record: Record, nudged: Decision, now: datetime) -> list[Letter]:
    """A letter to everybody who still has to decide, or to who stands in: who asked for it would like to know."""
    letters = await _to_deciders(tx, record, f"nudge/{nudged.decision_id}", "nudge", now)
    return [_quietly(letter, reader.person, now) for letter, reader in letters]


async def _to_deciders(
    tx: Transaction, record: Record, step: str, template: str, now: datetime
) -> list[tuple[Letter, Reader]]:
    """To each reader who may decide; those who were not asked from the start learn why they are.

    Args:
        tx: Reads the directory.
        record: What waits.
        step: What the letters' keys say of it.
        template: For those who were asked from the start.
        now: What time it is.
    """
    record = await with_stand_ins(tx, record, now)
    requester = await _requester(tx, record)
    found = []
    for reader in await readers(tx, record, now):
        if _may_decide(record, reader.person):
            used = "instead" if reader.why and template == "asked" else template
            letter = _letter(record, step, reader.person, used, requester)
            found.append((replace(letter, context={**letter.context, "why_you": reader.why}), reader))
    return found


async def remind_people(tx: Transaction, record: Record, reminders: Sequence[Event], now: datetime) -> list[Letter]:
    """A letter to each person whom a reminder is for and who may still decide; one, where several are due at once."""
    if not reminders:
        return []
    record = await with_stand_ins(tx, record, now)
    requester = await _requester(tx, record)
    letters = []
    for reader in await readers(tx, record, now):
        nths = [event.nth for event in reminders if _is_for(record, event, reader)]
        if nths and _may_decide(record, reader.person):
            nth = f".{max(nths)}" if max(nths) else ""
            step = f"reminder/{record.approval.round}.{record.approval.stage}{nth}"
            letter = _letter(record, step, reader.person, "reminder", requester)
            letters.append(_quietly(letter, reader.person, now))
    return letters


async def ask_stand_ins(
    tx: Transaction, record: Record, escalated: Escalated, people: Sequence[Person], now: datetime
) -> list[Letter]:
    """A letter to everybody who may decide in the place of whoever was asked."""
    requester = await _requester(tx, record)
    step = f"escalated/{record.approval.round}.{record.approval.stage}/{escalated.seat.value}.{escalated.to}"
    letters = [_quietly(_letter(record, step, person, "escalated", requester), person, now) for person in people]
    return [replace(one, context={**one.context, "in_place_of": escalated.seat.label}) for one in letters]


async def tell_requester(tx: Transaction, record: Record, template: str) -> list[Letter]:
    """A letter to who asked: it was rejected, returned, withdrawn for them, applied, or needs attention."""
    requester = await _requester(tx, record)
    if requester is None or not requester.active:
        return []
    return [_letter(record, f"{template}/{record.approval.round}", requester, template, requester)]


async def ask_requester(tx: Transaction, record: Record) -> list[Letter]:
    """A letter to who asked for it: somebody wants to know something before they decide."""
    requester, question = await _requester(tx, record), record.approval.question
    if requester is None or not requester.active or question is None:
        return []
    asker = (await tx.people([question.person_id])).get(question.person_id)
    letter = _letter(record, f"question/{question.decision_id}", requester, "question", requester)
    return [replace(letter, context={**letter.context, "asker": asker.name if asker else "Somebody"})]


async def tell_who_asked(tx: Transaction, record: Record, question: Decision) -> list[Letter]:
    """A letter to who wanted to know something: it was answered, and waits for them again."""
    asker = (await tx.people([question.person_id])).get(question.person_id)
    if asker is None or not asker.active:
        return []
    letter = _letter(record, f"answered/{question.decision_id}", asker, "answered", await _requester(tx, record))
    return [replace(letter, context={**letter.context, "question": question.comment})]


async def raise_alarm(tx: Transaction, record: Record) -> list[Letter]:
    """Letters to the requester and the Controllers: a person must look."""
    requester = await _requester(tx, record)
    readers = {person.person_id: person for person in await tx.members({Group.CONTROLLER})}
    if requester and requester.active:
        readers[requester.person_id] = requester
    step = f"needs_attention/{record.approval.round}"
    return [_letter(record, step, person, "needs_attention", requester) for person in readers.values()]


async def _requester(tx: Transaction, record: Record) -> Person | None:
    requester_id = record.approval.requester_id
    return (await tx.people([requester_id])).get(requester_id)


def _is_for(record: Record, event: Event, reader: Reader) -> bool:
    """Whether it is for them, for whom they decide in the place of, or for whoever is asked by then."""
    if event.person_id:
        return event.person_id in reader.instead_of | {reader.person.person_id}
    seats = record.approval.path.stages[record.approval.stage].seats
    seat = next(seat for seat in seats if seat.group is event.group)
    return reader.person.belongs_to(event.group) or bool(basis_for(record.approval, reader.person, seat))


def _quietly(letter: Letter, reader: Person, now: datetime) -> Letter:
    """The letter, kept until the morning where it would come in the reader's quiet hours."""
    moment = after_quiet_hours(now, reader.time_zone)
    return letter if moment == now else replace(letter, not_before=moment)


def _may_decide(record: Record, person: Person) -> bool:
    approval = record.approval
    if approval.has_decided(person.person_id):
        return False
    try:
        chair = chair_for(approval, person, record.change.customer_id, record.base_minor)
    except NotAllowed:
        return False
    return chair.most_minor == approval.agreed_minor


def _letter(record: Record, step: str, person: Person, template: str, requester: Person | None) -> Letter:
    context: dict[str, Any] = {
        "approval_id": record.approval.approval_id,
        "kind": record.change.kind,
        "reader": person.name,
        "requester": requester.name if requester else "somebody who left",
        "customer": record.customer_name,
        "amount": str(Money(record.approval.agreed_minor, record.change.amount.currency)),
        "asked_amount": str(record.change.amount),
        "reason": record.change.reason.label,
        "target": record.change.target.number or record.change.target.kind.label,
        "target_kind": record.change.target.kind.value,
        "why_asked": _why_asked(record, person),
        "note": record.change.note,
        "due": record.due_at.isoformat() if record.due_at else "",
        "time_zone": person.time_zone,
        "comment": record.approval.decisions[-1].comment if record.approval.decisions else "",
        "why": record.why,
        "stripe_object": record.stripe_object,
    }
    key = f"{record.approval.approval_id}/{step}/{person.person_id}"
    return Letter(key, person.email, template, context, record.bulk)


def _why_asked(record: Record, person: Person) -> str:
    """The rule in words, and in whose place somebody is asked."""
    fallen = [one for one in record.approval.escalated if one.fallback and one.basis_of(person.person_id)]
    said = (f"Nobody of {one.seat.label} could decide, so {one.label} decides in its place." for one in fallen)
    return " ".join([record.approval.path.why, *said])
