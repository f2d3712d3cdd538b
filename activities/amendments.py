"""Taking up what a requester made of their request: verified against what was signed, then carried on from there."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from activities.clocks import with_clocks
from activities.letters import ask_approvers
from activities.standing import moved
from activities.verification import verified_amendment
from plixo.domain.amending import changes
from plixo.domain.approval import State
from plixo.domain.decision import Decision
from plixo.domain.refusals import NotAllowed
from plixo.ports import Calendars, Letter, Record, Transaction, Verifier


async def amended(tx: Transaction, verifier: Verifier, record: Record, decision: Decision) -> Record:
    """The request as a verified decision changes it, its clock not set yet.

    Raises:
        NotAllowed: Nobody signed such a change, or it is none of this request in this round.
        Conflict: The request has come too far.
    """
    record.approval.check_amendment(decision)
    known = await tx.amendments(record.approval.approval_id)
    amendment = next((one for one in known if one.request.amended_by == decision.decision_id), None)
    if amendment is None:
        raise NotAllowed.one("amendment", "amendment_unknown", "Nobody signed what the request is changed to.")
    after = verified_amendment(verifier, amendment, record)
    approval = record.approval.amended(
        decision,
        after.path,
        after.change.digest,
        after.change.amount.minor,
        keeps=after.since_round != after.round,
    )
    return replace(
        record,
        approval=approval,
        change=after.change,
        base_minor=after.base_minor,
        base_currency=amendment.base_currency,
        rate=amendment.rate,
        rate_as_of=amendment.rate_as_of,
        policy=after.policy,
        signed=amendment.signed,
        amounts=amendment.amounts,
        amended_by=after.amended_by,
        ended_at=None,
        why="",
    )


async def carried_on(tx: Transaction, calendars: Calendars, before: Record, changed: Record, now: datetime) -> Record:
    """The changed request with its clock: as it was where what was decided is kept, or set anew."""
    approval = changed.approval
    anew = approval.since_round == approval.round or before.approval.state is State.APPROVED
    was = replace(before, stage_since=None) if anew else before
    record = moved(replace(changed, approval=was.approval, stage_since=was.stage_since), approval, now)
    return await with_clocks(tx, calendars, record, now)


async def tell_who_is_asked(tx: Transaction, before: Record, after: Record, now: datetime) -> list[Letter]:
    """Letters to whoever has to decide on it now, with what is another; who agreed to more is asked nothing."""
    if after.approval.state is not State.WAITING:
        return []
    words = "; ".join(changes(before.change, after.change))
    letters: Sequence[Letter] = await ask_approvers(tx, after, "asked", now)
    return [replace(one, context={**one.context, "changed": words}) for one in letters]


def changed_in(before: Record, after: Record) -> dict[str, Any]:
    """What the request's history keeps of an amendment that was taken up; nothing where there was none."""
    approval = after.approval
    if approval.round == before.approval.round:
        return {}
    return {
        "round": approval.round,
        "changes": list(changes(before.change, after.change)),
        "keeps": approval.since_round != approval.round,
        "path": list(approval.path.describe()),
        "rule": approval.path.rule,
    }
