"""Separation of duties: who may decide on what. Every way in goes through here.

What is handed on goes through `plixo.domain.handing_on` besides, which asks here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from plixo.domain.approval import OPEN, Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.escalation import acting_for, basis_of_delegate, basis_of_reassigned
from plixo.domain.path import Seat
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Conflict, NotAllowed

DRAFTERS: Final = frozenset({Group.ADMINISTRATOR})
"""Groups that draft policies and exchange rates."""

PUBLISHERS: Final = frozenset({Group.CONTROLLER, Group.CFO})
"""Groups that publish what somebody else has drafted."""

POLICY_READERS: Final = DRAFTERS | PUBLISHERS | {Group.LEGAL, Group.FINANCE}
"""Groups that read drafts and simulations."""

TAKES_DOCUMENTS: Final = OPEN | {State.ROUTING}
"""States in which a request can still be decided, and so takes documents."""


@dataclass(frozen=True)
class Chair:
    """The seat that somebody may fill, and how far they may go.

    Attributes:
        seat: Theirs in the waiting stage.
        most_minor: The most that they may approve, in minor units of the request's currency.
    """

    seat: Seat
    most_minor: int


def chair_for(approval: Approval, person: Person, customer_id: str, base_minor: int) -> Chair:
    """The seat in the waiting stage that this person may fill, and the most they may approve there.

    They are asked for it, or by now in place of who is.

    Args:
        approval: What is asked.
        person: Who wants to decide.
        customer_id: Who would get the money.
        base_minor: What was asked for, in minor units of the policy's base currency.

    Raises:
        NotAllowed: They asked for it, are related to the customer, are in none of the groups that are asked, or may
            approve nothing of it.
    """
    check_independent(approval.requester_id, person, customer_id)
    stage = approval.current_stage
    open_groups = approval.waiting_groups()
    seats = stage.seats if stage else ()
    mine = [seat for seat in seats if person.belongs_to(seat.group)]
    mine += [seat for seat in seats if seat not in mine and basis_for(approval, person, seat)]
    if not mine:
        asked = " and ".join(group.label for group in (stage.groups if stage else ())) or "nobody"
        raise NotAllowed.one("person", "not_asked", f"This request waits for {asked}; you are {person.role}.")
    seat = next((seat for seat in mine if seat.group in open_groups), mine[0])
    return Chair(seat, _most(approval, seat, person, base_minor))


def _most(approval: Approval, seat: Seat, person: Person, base_minor: int) -> int:
    limit = limit_of(seat, person, approval.kind)
    most = min(approval.agreed_minor, _handed_minor(approval, person, seat))
    if limit is None or base_of(base_minor, most, approval.amount_minor) <= limit:
        return most
    most = limit * approval.amount_minor // base_minor
    if most < 1:
        raise NotAllowed.one("amount", "above_limit", "You may approve nothing of this kind.")
    return most


def _handed_minor(approval: Approval, person: Person, seat: Seat) -> int:
    """The most that whoever handed it to this person might approve themselves."""
    basis = basis_for(approval, person, seat)
    handed = [one for one in approval.handed_on(seat.group) if basis and _basis_of(one) == basis]
    return min((one.amount_minor for one in handed), default=approval.agreed_minor)


def base_of(base_minor: int, part_minor: int, whole_minor: int) -> int:
    """A part of what was asked for, in minor units of the base currency, rounded up.

    Args:
        base_minor: All of it, in minor units of the base currency.
        part_minor: The part, in minor units of the request's currency.
        whole_minor: All of it, in the same.
    """
    return -(-base_minor * part_minor // whole_minor)


def check_decision(
    approval: Approval,
    decision: Decision,
    person: Person,
    customer_id: str,
    base_minor: int,
) -> None:
    """Check a decision that is about to be recorded against the directory as it stands now.

    Args:
        approval: What waits.
        decision: Verified, and fitting the waiting stage.
        person: Who made it.
        customer_id: Who would get the money.
        base_minor: What was asked for, in minor units of the policy's base currency.

    Raises:
        NotAllowed: They may not decide on it, not for that group, or not on so much.
    """
    check_comment(decision.verdict, decision.comment)
    if decision.verdict.by_requester:
        check_requester(approval, person)
        return
    check_independent(approval.requester_id, person, customer_id)
    stage = approval.current_stage
    seat = next((seat for seat in stage.seats if seat.group is decision.group), None) if stage else None
    basis = basis_for(approval, person, seat) if seat else ""
    if seat is None or not (person.belongs_to(seat.group) or (basis and basis == decision.basis)):
        raise NotAllowed.one("person", "not_asked", f"This request does not wait for {person.role}.")
    if decision.verdict is Verdict.APPROVE:
        check_limit(seat, person, base_of(base_minor, decision.amount_minor, approval.amount_minor), approval.kind)
        if decision.amount_minor > _handed_minor(approval, person, seat):
            raise NotAllowed.one("amount", "above_limit", "The amount is above what they might approve themselves.")


def able(approval: Approval, seat: Seat, person: Person, customer_id: str, base_minor: int) -> bool:
    """Whether nothing but their group could speak against the person's approval of all that is asked."""
    if has_said(approval, person):
        return False
    try:
        check_independent(approval.requester_id, person, customer_id)
        check_limit(seat, person, base_minor, approval.kind)
    except NotAllowed:
        return False
    return True


def has_said(approval: Approval, person: Person) -> bool:
    """Whether the person has settled something of this round themselves."""
    return any(
        known.verdict.settles and known.round == approval.round and known.person_id == person.person_id
        for known in approval.decisions
    )


def basis_for(approval: Approval, person: Person, seat: Seat) -> str:
    """On what a decision of the person for an open seat would rest; empty where they are asked, or not by now.

    Nobody stands in who is asked for another seat of the path that is still open: where two people are asked, two
    different people decide.
    """
    if (
        person.belongs_to(seat.group)
        or seat.group not in approval.waiting_groups()
        or asked_elsewhere(approval, person)
    ):
        return ""
    found = _bases(approval, person.person_id, seat.group)
    return next((basis for basis in found if basis and not approval.has_decided(acting_for(basis))), "")


def _bases(approval: Approval, person_id: str, group: Group) -> Iterator[str]:
    """What was signed for this request comes first, then who is away, then what the clock said."""
    yield from (_basis_of(one) for one in approval.handed_on(group) if one.subject == person_id)
    for one in (*approval.standing_in, *approval.escalated):
        if one.seat is group:
            yield one.basis_of(person_id)


def _basis_of(handed: Decision) -> str:
    """On what decisions rest of whom something was handed to."""
    reassigned = handed.verdict is Verdict.REASSIGN
    return basis_of_reassigned(handed.person_id) if reassigned else basis_of_delegate(handed.person_id)


def asked_elsewhere(approval: Approval, person: Person) -> bool:
    """Whether the path asks a group of theirs that has yet to decide."""
    later = approval.path.stages[approval.stage + 1 :]
    return person.belongs_to(*approval.waiting_groups(), *(group for stage in later for group in stage.groups))


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
    limit = limit_of(seat, person, kind)
    if limit is not None and base_minor > limit:
        raise NotAllowed.one("amount", "above_limit", "The amount is above what you may approve alone.")


def limit_of(seat: Seat, person: Person, kind: str) -> int | None:
    """The most that this person may approve in that seat, in minor units of the base currency; None without a limit."""
    if seat.limit_minor is None:
        return None
    return min(seat.limit_minor, person.limits.get(kind, seat.limit_minor))


def check_requester(approval: Approval, person: Person) -> None:
    """Refuse whoever did not ask for it what only the requester may say: an answer, or to take it back.

    Raises:
        NotAllowed: They did not ask for it.
    """
    if person.person_id != approval.requester_id:
        raise NotAllowed.one("person", "not_requester", "Only who asked for it can answer, nudge or withdraw.")


def check_comment(verdict: Verdict, comment: str) -> None:
    """Whoever rejects, returns, asks or answers says it in words.

    Raises:
        NotAllowed: There are none.
    """
    wanted = _WORDS_WANTED.get(verdict)
    if wanted and not comment.strip():
        raise NotAllowed.one("comment", "comment_missing", wanted)


_WORDS_WANTED: Final = {
    Verdict.REJECT: "Say why you reject it; the requester will read it.",
    Verdict.RETURN: "Say what should be changed; the requester will read it.",
    Verdict.ASK: "Say what you want to know; the requester will read it.",
    Verdict.REASSIGN: "Say why those who are asked cannot; whoever is given it will read it.",
    Verdict.ANSWER: "Write the answer; whoever asked will read it.",
}


def check_may_add_document(approval: Approval, person: Person, customer_id: str) -> None:
    """Refuse who may not add a document: who asked for it may, and who is asked now or may decide by now.

    While a question waits for its answer, those are still asked who were; what is returned lies with its requester.

    Args:
        approval: What the document is for.
        person: Who wants to add it.
        customer_id: Who would get the money.

    Raises:
        Conflict: It can no longer be decided, so nobody adds anything.
        NotAllowed: They neither asked for it nor are asked.
    """
    if approval.state not in TAKES_DOCUMENTS:
        stands = approval.state.label[:1].lower() + approval.state.label[1:]
        words = f"The request is {stands} already; documents are added while it is decided."
        raise Conflict.one("document", f"already_{approval.state}", words)
    if person.person_id == approval.requester_id and person.active:
        return
    check_independent(approval.requester_id, person, customer_id)
    asked = replace(approval, state=State.WAITING) if approval.state is State.NEEDS_INFORMATION else approval
    seats = asked.current_stage.seats if asked.current_stage else ()
    if not any(person.belongs_to(seat.group) or basis_for(asked, person, seat) for seat in seats):
        words = f"Who asked for it adds documents, and who is asked to decide; you are {person.role}."
        raise NotAllowed.one("person", "not_asked", words)


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


def check_drafter(person: Person) -> None:
    """Refuse who may not draft a policy or exchange rates.

    Raises:
        NotAllowed: They are no administrator.
    """
    if not person.belongs_to(*DRAFTERS):
        raise NotAllowed.one("person", "not_drafter", f"Administrators draft this; you are {person.role}.")


def check_publisher(person: Person, author_id: str) -> None:
    """Refuse who may not publish this author's draft: two people stand behind every change of the rules.

    Raises:
        NotAllowed: They are neither Controller nor CFO, or drafted it themselves.
    """
    if not person.belongs_to(*PUBLISHERS):
        raise NotAllowed.one("person", "not_publisher", f"A Controller or the CFO publishes; you are {person.role}.")
    if person.person_id == author_id:
        raise NotAllowed.one("person", "own_draft", "Nobody publishes their own draft; somebody else of them does.")


def check_policy_reader(person: Person) -> None:
    """Refuse who has no business with drafts and simulations.

    Raises:
        NotAllowed: They are in none of the groups that read them.
    """
    if not person.belongs_to(*POLICY_READERS):
        words = f"Drafts and simulations are for those who write, publish or check the rules; you are {person.role}."
        raise NotAllowed.one("person", "not_policy_reader", words)
