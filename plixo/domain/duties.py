"""Separation of duties: who may decide on what. Every way in goes through here."""

from plixo.domain.approval import Approval, Decision, Verdict
from plixo.domain.path import Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import NotAllowed


def seat_for(approval: Approval, person: Person, customer_id: str, base_minor: int) -> Seat:
    """The seat in the waiting stage that this person may fill.

    Args:
        approval: What is asked.
        person: Who wants to decide.
        customer_id: Who would get the money.
        base_minor: The amount in minor units of the policy's base currency.

    Raises:
        NotAllowed: They asked for it, are related to the customer, are in none of the groups that are asked, or the
            amount is above their limit.
    """
    check_independent(approval.requester_id, person, customer_id)
    stage = approval.current_stage
    open_groups = approval.waiting_groups()
    mine = [seat for seat in (stage.seats if stage else ()) if person.belongs_to(seat.group)]
    if not mine:
        asked = " and ".join(group.label for group in (stage.groups if stage else ())) or "nobody"
        raise NotAllowed.one("person", "not_asked", f"This request waits for {asked}; you are {person.role}.")
    seat = next((seat for seat in mine if seat.group in open_groups), mine[0])
    check_limit(seat, person, base_minor, approval.kind)
    return seat


def check_decision(approval: Approval, decision: Decision, person: Person, customer_id: str, base_minor: int) -> None:
    """Check a decision that is about to be recorded against the directory as it stands now.

    Args:
        approval: What waits.
        decision: Verified, and fitting the waiting stage.
        person: Who made it.
        customer_id: Who would get the money.
        base_minor: The amount in minor units of the policy's base currency.

    Raises:
        NotAllowed: They may not decide on it, not for that group, or not on so much.
    """
    if decision.verdict is Verdict.WITHDRAW:
        check_withdrawal(approval, person)
        return
    check_comment(decision.verdict, decision.comment)
    check_independent(approval.requester_id, person, customer_id)
    stage = approval.current_stage
    seat = next((seat for seat in stage.seats if seat.group is decision.group), None) if stage else None
    if seat is None or not person.belongs_to(seat.group):
        raise NotAllowed.one("person", "not_asked", f"This request does not wait for {person.role}.")
    check_limit(seat, person, base_minor, approval.kind)


def check_independent(requester_id: str, person: Person, customer_id: str) -> None:
    """Refuse who may never decide on this request, whatever their groups.

    Raises:
        NotAllowed: They no longer work here, asked for it themselves, or are related to the customer.
    """
    if not person.active:
        raise NotAllowed.one("person", "not_active", "This person no longer works here.")
    if person.person_id == requester_id:
        raise NotAllowed.one("person", "own_request", "Nobody decides on their own request; ask somebody of the path.")
    if customer_id in person.related_customers:
        raise NotAllowed.one("person", "related_customer", "You are related to this customer; somebody else decides.")


def check_limit(seat: Seat, person: Person, base_minor: int, kind: str) -> None:
    """Refuse an amount above what the seat or the person may approve.

    Raises:
        NotAllowed: The amount, in minor units of the base currency, is above the limit.
    """
    own = person.limits.get(kind) if seat.limit_minor is not None else None
    limits = [limit for limit in (seat.limit_minor, own) if limit is not None]
    if limits and base_minor > min(limits):
        raise NotAllowed.one("amount", "above_limit", "The amount is above what you may approve alone.")


def check_withdrawal(approval: Approval, person: Person) -> None:
    """Only the requester takes a request back.

    Raises:
        NotAllowed: Somebody else tries.
    """
    if person.person_id != approval.requester_id:
        raise NotAllowed.one("person", "not_requester", "Only who asked for it can withdraw it.")


def check_comment(verdict: Verdict, comment: str) -> None:
    """A rejection says why.

    Raises:
        NotAllowed: It has no comment.
    """
    if verdict is Verdict.REJECT and not comment.strip():
        raise NotAllowed.one("comment", "comment_missing", "Say why you reject it; the requester will read it.")


def may_see(person: Person, requester_id: str) -> bool:
    """Whether the person, still here, may open a request: who asked for it, and every group but support."""
    return may_see_all(person) or (person.active and person.person_id == requester_id)


def may_see_all(person: Person) -> bool:
    """Whether the person, still here, may open whatever anybody asked for: every group but support."""
    return person.active and bool(person.groups - {Group.SUPPORT})


def may_see_books(person: Person) -> bool:
    """Whether the person may read the finance sheet: those who answer for the books. Legal decides, and reads none."""
    return person.belongs_to(Group.FINANCE, Group.CONTROLLER, Group.CFO)


def may_operate(person: Person) -> bool:
    """Whether the person may change something in Temporal by hand."""
    return person.belongs_to(Group.OPERATOR)
