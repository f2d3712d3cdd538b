"""Whether the reader may decide on a request right now, and if not, why in words."""

from dataclasses import dataclass
from datetime import timedelta

from plixo.domain.approval import OPEN, Approval, State
from plixo.domain.decision import Decision
from plixo.domain.duties import Chair, chair_for
from plixo.domain.money import Money
from plixo.domain.people import Person
from plixo.domain.refusals import NotAllowed
from plixo.ports import Record, StoredDecision
from web.console.words import SAID, waiting_on
from web.identity import Visit


@dataclass(frozen=True)
class Deciding:
    """What the decision form's place shows.

    Attributes:
        open: The form can be filled in.
        agreed: What it is about: the least that anybody approved so far, or all that was asked.
        most: The most that the reader may approve.
        stale: It could be, after a fresh sign-in.
        why_not: Why it cannot.
        withdrawable: The reader asked for it and can change it, or take it back.
        question: What the reader has to answer before it goes on; empty where nobody asked them.
    """

    open: bool
    agreed: Money
    most: Money
    stale: bool
    why_not: str
    withdrawable: bool
    question: Decision | None = None


def deciding(visit: Visit, record: Record, stored: list[StoredDecision]) -> Deciding:
    """What this reader can do about the request."""
    currency = record.change.amount.currency
    agreed = most = Money(record.approval.agreed_minor, currency)
    why_not = _why_not(visit, record, stored)
    if not why_not:
        most = Money(_chair(visit, record).most_minor, currency)
    stale = not why_not and needs_fresh_sign_in(visit, record)
    mine = record.approval.requester_id == visit.person.person_id
    return Deciding(
        not why_not and not stale,
        agreed,
        most,
        stale,
        why_not,
        mine and record.approval.state in OPEN,
        record.approval.question if mine else None,
    )


def tickable(person: Person, record: Record) -> bool:
    """Whether the inbox offers the request among several to decide on; the page that checks them looks closer."""
    approval = record.approval
    if approval.state is not State.WAITING or approval.has_decided(person.person_id):
        return False
    try:
        chair = chair_for(approval, person, record.change.customer_id, record.base_minor)
    except NotAllowed:
        return False
    return chair.seat.group in approval.waiting_groups()


def needs_fresh_sign_in(visit: Visit, record: Record) -> bool:
    """Whether the amount asks for a fresher sign-in than this one."""
    policy = visit.desk.policy
    old = visit.now - visit.signed_in_at > timedelta(minutes=policy.fresh_sign_in_minutes)
    return old and record.base_minor > policy.fresh_sign_in_above


def _why_not(visit: Visit, record: Record, stored: list[StoredDecision]) -> str:
    approval, person = record.approval, visit.person
    if approval.state is not State.WAITING:
        return _CLOSED[approval.state]
    mine = [one for one in stored if one.decision.person_id == person.person_id and _stands(one, approval)]
    if mine:
        pending = " It is taken up as soon as possible." if mine[-1].status == "submitted" else ""
        return f"You {SAID[mine[-1].decision.verdict]}. Now it waits on {waiting_on(record)}.{pending}"
    try:
        seat = _chair(visit, record).seat
    except NotAllowed as refusal:
        return str(refusal)
    if seat.group not in approval.waiting_groups():
        return f"{seat.group.label} has decided already. Now it waits on {waiting_on(record)}."
    return ""


def _chair(visit: Visit, record: Record) -> Chair:
    return chair_for(record.approval, visit.person, record.change.customer_id, record.base_minor)


def _stands(one: StoredDecision, approval: Approval) -> bool:
    """What was taken up may stand no longer: whoever approved more than is left is asked again."""
    if not approval.counts(one.decision):
        return False
    return one.status == "submitted" or (one.status == "recorded" and approval.has_decided(one.decision.person_id))


_CLOSED = {
    State.ROUTING: "It is being checked and set on its path; that takes a moment.",
    State.NEEDS_INFORMATION: "Who asked for it has a question to answer first; the clock stands still until then.",
    State.RETURNED: "It went back to who asked; nothing was credited.",
    State.WITHDRAWN: "It was withdrawn; nothing was credited.",
    State.REJECTED: "It was rejected; nothing was credited.",
    State.APPROVED: "Everybody who was asked agreed. Stripe is told next.",
    State.EXECUTING: "Stripe is being told right now.",
    State.EXECUTED: "It is done: Stripe has it.",
    State.NEEDS_ATTENTION: "It was approved, but Stripe does not have it. Nothing more happens by itself.",
}
