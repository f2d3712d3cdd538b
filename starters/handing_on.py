"""Handing a part of a request to somebody else: by who is asked, or by an administrator where nobody of them can."""

from dataclasses import dataclass
from datetime import datetime

from activities.instead import check_nobody_there, check_nudge, with_stand_ins
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import chair_for, check_requester
from plixo.domain.escalation import acting_for
from plixo.domain.handing_on import Handing, check_acts_for, check_hands_on
from plixo.domain.path import Seat
from plixo.domain.people import Person
from plixo.domain.refusals import Conflict, Refused
from plixo.ports import Record
from plixo.store import people
from plixo.store.ledger import SqlTransaction
from starters.desk import Desk


async def colleague(tx: SqlTransaction, named: str, field: str) -> Person:
    """Somebody by their id or address.

    Raises:
        Refused: Nobody is called that.
    """
    named = named.strip()
    found = (await tx.people([named])).get(named) or (await people.by_email(tx.session, named) if named else None)
    if found is None:
        raise Refused.one(field, "colleague_unknown", "Nobody of that name works here; choose a colleague.")
    return found


async def prepared(desk: Desk, tx: SqlTransaction, record: Record, person: Person, verdict: Verdict) -> Record:
    """The record, saying who stands in for somebody who is away.

    Raises:
        NotAllowed: It is a nudge by somebody who did not ask for it, or who has nudged that day.
    """
    if verdict is Verdict.NUDGE:
        check_requester(record.approval, person)
        await check_nudge(tx, desk.calendars, record, desk.clock())
    return await with_stand_ins(tx, record, desk.clock(), desk.trust.verifier)


@dataclass(frozen=True)
class Wish:
    """Somebody wants to hand a part of a request on.

    Attributes:
        verdict: `delegate` or `reassign`.
        giver: Who hands it on.
        to: To whom.
        group: Whose part, for `reassign`; may be empty where one group alone is waited for.
    """

    verdict: Verdict
    giver: Person
    to: Person
    group: str = ""


async def check(tx: SqlTransaction, record: Record, wish: Wish, now: datetime) -> tuple[Seat, int]:
    """The seat of which a part is handed on, and the most that whoever hands it on might approve there, in minor units.

    Raises:
        NotAllowed: They may not hand it on, or not to that person.
        Refused: It is not said which group's part it is.
        Conflict: That group is not waited for.
    """
    approval, customer_id = record.approval, record.change.customer_id
    if wish.verdict is Verdict.DELEGATE:
        chair = chair_for(approval, wish.giver, customer_id, record.base_minor)
        check_hands_on(approval, Handing(wish.verdict, chair.seat, wish.giver, wish.to), customer_id)
        return chair.seat, chair.most_minor
    seat = _seat(record, wish.group)
    check_hands_on(approval, Handing(wish.verdict, seat, wish.giver, wish.to), customer_id)
    await check_nobody_there(tx, record, seat.group, wish.to, now)
    return seat, approval.agreed_minor


async def check_acted_for(tx: SqlTransaction, record: Record, decision: Decision) -> None:
    """Check for whom a decision acts, where it does for somebody.

    Raises:
        NotAllowed: They might not decide so themselves.
    """
    if acting_for(decision.basis):
        people = await tx.people({acting_for(decision.basis)})
        check_acts_for(record.approval, decision, people, record.change.customer_id, record.base_minor)


def _seat(record: Record, group: str) -> Seat:
    stage, open_groups = record.approval.current_stage, record.approval.waiting_groups()
    seats = [seat for seat in (stage.seats if stage else ()) if seat.group in open_groups]
    if not group and len(seats) > 1:
        named = " or ".join(seat.group.value for seat in seats)
        raise Refused.one("group", "group_missing", f"Say whose part: {named}.")
    found = next((seat for seat in seats if not group or seat.group.value == group), None)
    if found is None:
        raise Conflict.one("group", "group_not_asked", "This request does not wait for that group.")
    return found
