"""Separation of duties where a part of a request is handed on: who may hand it to whom, and for whom somebody acts."""

from collections.abc import Mapping
from dataclasses import dataclass

from plixo.domain.approval import Approval
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import (
    asked_elsewhere,
    base_of,
    check_comment,
    check_independent,
    check_limit,
    has_said,
    may_see_all,
)
from plixo.domain.escalation import acting_for
from plixo.domain.path import Seat
from plixo.domain.people import APPROVERS, Group, Person
from plixo.domain.refusals import NotAllowed


@dataclass(frozen=True)
class Handing:
    """Somebody wants to hand a part of a seat to somebody else.

    Attributes:
        verdict: `delegate` by who is asked, `reassign` by an administrator.
        seat: Whose part.
        giver: Who hands it on.
        subject: To whom; None where there is no such person.
    """

    verdict: Verdict
    seat: Seat
    giver: Person
    subject: Person | None


def check_hands_on(approval: Approval, handing: Handing, customer_id: str) -> None:
    """Check that somebody may hand a part of a seat to somebody else.

    Args:
        approval: What waits.
        handing: Who wants to hand what to whom.
        customer_id: Who would get the money.

    Raises:
        NotAllowed: The one may not hand it on, or the other not take it.
    """
    verdict, seat, giver, subject = handing.verdict, handing.seat, handing.giver, handing.subject
    check_independent(approval.requester_id, giver, customer_id)
    _check_giver(approval, verdict, seat, giver)
    if subject is None or not subject.active:
        raise NotAllowed.one("to", "colleague_unknown", "Nobody of that name works here; choose a colleague.")
    if subject.person_id == giver.person_id:
        raise NotAllowed.one("to", "colleague_self", "That is you; choose a colleague.")
    if subject.person_id == approval.requester_id:
        raise NotAllowed.one("to", "own_request", f"{subject.name} asked for it; nobody decides on their own request.")
    if customer_id in subject.related_customers:
        raise NotAllowed.one("to", "related_customer", f"{subject.name} is related to this customer; choose another.")
    if not may_see_all(subject):
        raise NotAllowed.one("to", "may_not_see", f"{subject.name} may not see requests of others; choose another.")
    if has_said(approval, subject):
        raise NotAllowed.one("to", "already_decided", f"{subject.name} has decided on it already; choose another.")
    again = verdict is Verdict.REASSIGN and subject.belongs_to(seat.group)
    if not again and asked_elsewhere(approval, subject):
        raise NotAllowed.one("to", "already_asked", f"{subject.name} is asked for it already; choose another.")
    if verdict is Verdict.REASSIGN and not subject.belongs_to(*APPROVERS):
        wanted = f"Only a Controller, Legal or the CFO is given it; {subject.name} is {subject.role}."
        raise NotAllowed.one("to", "not_approver", wanted)


def check_handing(approval: Approval, decision: Decision, people: Mapping[str, Person], customer_id: str) -> None:
    """Check what hands a part on and is about to be recorded, as `check_hands_on`.

    Args:
        approval: What waits.
        decision: Verified, and fitting the waiting stage.
        people: Whom it names, by id.
        customer_id: Who would get the money.

    Raises:
        NotAllowed: The one may not hand it on, or the other not take it; or it does not say why it should.
    """
    check_comment(decision.verdict, decision.comment)
    stage = approval.current_stage
    seat = next((seat for seat in stage.seats if seat.group is decision.group), None) if stage else None
    if seat is None:
        raise NotAllowed.one("person", "not_asked", "This request does not wait for that group.")
    giver, subject = people[decision.person_id], people.get(decision.subject)
    check_hands_on(approval, Handing(decision.verdict, seat, giver, subject), customer_id)


def _check_giver(approval: Approval, verdict: Verdict, seat: Seat, giver: Person) -> None:
    if verdict is Verdict.REASSIGN:
        if not giver.belongs_to(Group.ADMINISTRATOR):
            raise NotAllowed.one("person", "not_administrator", f"Administrators re-assign; you are {giver.role}.")
        return
    given = [one.subject for one in approval.handed_on(seat.group) if one.verdict is Verdict.REASSIGN]
    if not giver.belongs_to(seat.group) and giver.person_id not in given:
        wanted = f"Only who is asked hands it on; this request does not wait for {giver.role}."
        raise NotAllowed.one("person", "not_asked", wanted)


def check_in_place_of(approval: Approval, seat: Seat, asked: Person | None, customer_id: str, base_minor: int) -> None:
    """Check for whom somebody acts: nobody hands on, or leaves behind, what they might not do themselves.

    Args:
        approval: What waits.
        seat: Whose part.
        asked: Whom the decision's basis names; None where there is no such person.
        customer_id: Who would get the money.
        base_minor: What is approved, in minor units of the base currency.

    Raises:
        NotAllowed: They might not decide on it.
    """
    given = [one.subject for one in approval.handed_on(seat.group) if one.verdict is Verdict.REASSIGN]
    if asked is None or not (asked.belongs_to(seat.group) or (asked.active and asked.person_id in given)):
        raise NotAllowed.one("person", "not_asked", f"Who was asked is not {seat.group.label} any more.")
    check_independent(approval.requester_id, asked, customer_id)
    check_limit(seat, asked, base_minor, approval.kind)


def check_acts_for(
    approval: Approval, decision: Decision, people: Mapping[str, Person], customer_id: str, base_minor: int
) -> None:
    """Check for whom a decision acts, where it does for somebody: as `check_in_place_of`.

    Args:
        approval: What waits.
        decision: Fitting the waiting stage.
        people: Whom it names, by id.
        customer_id: Who would get the money.
        base_minor: All of what was asked for, in minor units of the base currency.

    Raises:
        NotAllowed: They might not decide so themselves.
    """
    stage = approval.current_stage
    seat = next((seat for seat in stage.seats if seat.group is decision.group), None) if stage else None
    if seat and acting_for(decision.basis):
        approved = decision.amount_minor if decision.verdict is Verdict.APPROVE else 0
        allowed = base_of(base_minor, approved, approval.amount_minor)
        check_in_place_of(approval, seat, people.get(acting_for(decision.basis)), customer_id, allowed)
