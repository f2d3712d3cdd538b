"""How things read: one wording for a request, a state, a moment, wherever it is shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from plixo.domain.approval import State
from plixo.domain.change import ProposedChange, TargetKind
from plixo.domain.decision import Verdict
from plixo.domain.money import Money
from plixo.ports import Record

WITH_REQUESTER: Final = frozenset({State.NEEDS_INFORMATION, State.RETURNED})
"""States in which it lies with who asked for it."""

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """A state as it is shown: a word first, a shape second, a colour third.

    Attributes:
        label: The word.
        shape: A character that says the same to who sees no colour.
        tone: Names the colour: `wait`, `busy`, `good`, `bad` or `quiet`.
    """

    label: str
    shape: str
    tone: str


_LOOKS: Final = {
    State.ROUTING: ("◌", "busy"),
    State.WAITING: ("◔", "wait"),
    State.NEEDS_INFORMATION: ("?", "wait"),
    State.RETURNED: ("↩", "quiet"),
    State.WITHDRAWN: ("↩", "quiet"),
    State.REJECTED: ("✕", "bad"),
    State.APPROVED: ("✓", "busy"),
    State.EXECUTING: ("→", "busy"),
    State.EXECUTED: ("●", "good"),
    State.NEEDS_ATTENTION: ("▲", "bad"),
}


SAID: Final = {
    Verdict.APPROVE: "approved it",
    Verdict.REJECT: "rejected it",
    Verdict.ASK: "asked for information",
    Verdict.RETURN: "returned it for changes",
    Verdict.ANSWER: "answered",
    Verdict.AMEND: "changed it",
    Verdict.WITHDRAW: "took it back",
    Verdict.DELEGATE: "handed it to a colleague",
    Verdict.REASSIGN: "gave it to somebody else",
    Verdict.NUDGE: "nudged whoever decides",
}
"""What somebody did, in words."""


def standing(record: Record) -> Standing:
    """Where a request stands, such as `Waiting on Controller`."""
    state = record.approval.state
    return look(state, f"Waiting on {waiting_on(record)}" if state is State.WAITING else "")


def look(state: State, label: str = "") -> Standing:
    """How a state is shown, by its own label unless another is given."""
    shape, tone = _LOOKS[state]
    return Standing(label or state.label, shape, tone)


def waiting_on(record: Record) -> str:
    """Who holds it now, in words: whoever is asked, or decides in an empty group's place, or who asked for it."""
    approval = record.approval
    if approval.state in WITH_REQUESTER:
        return "the requester"
    instead = {one.seat: f" ({one.label} in its place)" for one in approval.escalated if one.fallback}
    return " and ".join(group.label + instead.get(group, "") for group in approval.waiting_groups()) or "nobody"


def sentence(record: Record) -> str:
    """What is asked and how much, in one sentence without its full stop."""
    change = record.change
    return f"Credit {record.customer_name} {change.amount} {on_target(change)}"


def on_target(change: ProposedChange) -> str:
    """What a credit lands on, such as `on invoice INV-0042`."""
    if change.target.kind is TargetKind.CUSTOMER_BALANCE:
        return "to their balance"
    return f"on invoice {target(change)}"


def target(change: ProposedChange) -> str:
    """The invoice by its number, or the balance."""
    balance = change.target.kind is TargetKind.CUSTOMER_BALANCE
    return "Customer balance" if balance else change.target.number or change.target.target_id


def figure(money: Money) -> str:
    """An amount without its currency, such as `4,200.00`."""
    return f"{money.major:,}"


def of_minor(minor: int, currency: str) -> str:
    """Minor units as an amount without its currency."""
    return figure(Money(minor, currency))


def exact(moment: datetime, zone: str) -> str:
    """A moment to the minute with its zone, such as `Mon 3 Aug 2026, 14:00 CEST`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %-d %b %Y, %H:%M %Z}"


def stamp(moment: datetime) -> str:
    """A moment for programs."""
    return moment.isoformat(timespec="seconds")


def relative(moment: datetime, now: datetime) -> str:
    """A moment as seen from now, such as `in 3 h` or `2 days ago`."""
    distance = abs(moment - now)
    if distance < MINUTE:
        return "now"
    return f"in {_span(distance)}" if moment > now else f"{_span(distance)} ago"


def _span(distance: timedelta) -> str:
    if distance < HOUR:
        return f"{distance // MINUTE} min"
    if distance < 2 * DAY:
        return f"{distance // HOUR} h"
    return f"{distance // DAY} days"
