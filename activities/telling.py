"""Who is written to once a decision was recorded."""

from collections.abc import Sequence
from datetime import datetime

from activities.amendments import tell_who_is_asked
from activities.letters import ask_approvers, ask_instead, ask_requester, nudge, tell_requester, tell_who_asked
from plixo.domain.approval import State
from plixo.domain.decision import Decision, Verdict
from plixo.ports import Letter, Record, Transaction


async def letters_after(
    tx: Transaction, before: Record, after: Record, decision: Decision, now: datetime
) -> Sequence[Letter]:
    """Whoever must know what a decision, recorded just now, made of a request."""
    waits, was = after.approval, before.approval
    if waits.round != was.round:
        return await tell_who_is_asked(tx, before, after, now)
    if waits.state in {State.REJECTED, State.RETURNED}:
        return await tell_requester(tx, after, waits.state.value)
    if waits.state is State.NEEDS_INFORMATION:
        return await ask_requester(tx, after)
    if was.question:
        return await tell_who_asked(tx, after, was.question)
    return await _letters_of_waiting(tx, before, after, decision, now)


async def _letters_of_waiting(
    tx: Transaction, before: Record, after: Record, decision: Decision, now: datetime
) -> list[Letter]:
    waits, was = after.approval, before.approval
    if decision.verdict.hands_on:
        return await ask_instead(tx, after, decision, now)
    if decision.verdict is Verdict.NUDGE:
        return await nudge(tx, after, decision, now)
    if waits.state is State.WAITING and (waits.stage, waits.agreed_minor) != (was.stage, was.agreed_minor):
        return await ask_approvers(tx, after, "asked", now)
    return []
