"""Where a request stands: as its workflow needs to know it, and as it moves on in its row."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from plixo.domain.approval import ENDED, Approval, State
from plixo.domain.clocks import Happening, Moments
from plixo.domain.path import Stage
from plixo.messages.approvals import Standing
from plixo.ports import Record

REQUESTER: Final = "requester"
"""Whom a question or a return leaves it with."""


def standing(record: Record) -> Standing:
    """Where a request stands, as its workflow needs to know it."""
    approval, moments = record.approval, record.moments
    recorded = tuple(decision.decision_id for decision in approval.decisions)
    known = Standing(approval.state.value, approval.stage, approval.round, recorded=recorded)
    if approval.state in {State.NEEDS_INFORMATION, State.RETURNED}:
        return _lies_with_requester(known, moments) if moments else known
    stage, since = approval.current_stage, record.stage_since
    if stage is None or since is None:
        return known
    known = _waits(known, record, stage, int(since.timestamp()))
    return _by_its_clock(known, record, moments) if moments else known


def moved(record: Record, approval: Approval, now: datetime, *, why: str = "") -> Record:
    """The record with its approval's new standing, its clock to be set where another stage begins."""
    if approval.state in ENDED:
        return replace(record, approval=approval, ended_at=now, due_at=None, stage_since=None, moments=None, why=why)
    if approval.state is State.NEEDS_INFORMATION:
        return replace(record, approval=approval)
    stage = approval.current_stage
    if stage is None:
        return replace(record, approval=approval, due_at=None, stage_since=None, moments=None, why=why)
    if record.stage_since and record.approval.stage == approval.stage:
        return replace(record, approval=approval)
    return replace(record, approval=approval, stage_since=now, due_at=None, moments=None)


def _lies_with_requester(known: Standing, moments: Moments) -> Standing:
    following, at = moments.following(())
    return replace(
        known,
        waits_for=f"the {REQUESTER}",
        groups=(REQUESTER,),
        due=at,
        expire_at=at,
        next_event=following,
        next_at=at,
    )


def _waits(known: Standing, record: Record, stage: Stage, began: int) -> Standing:
    groups = record.approval.waiting_groups()
    return replace(
        known,
        waits_for=" and ".join(group.label for group in groups),
        groups=tuple(group.value for group in groups),
        since=began,
        due=began + stage.clock.due_hours * 3600,
        remind_at=began + stage.clock.remind_hours[0] * 3600,
        expire_at=began + stage.clock.expire_hours * 3600,
    )


def _by_its_clock(known: Standing, record: Record, moments: Moments) -> Standing:
    groups = record.approval.waiting_groups()
    following, at = moments.following(groups)
    reminders = [event.at for event in moments.upcoming(groups) if event.what is Happening.REMIND]
    stand_ins = [one.label for one in record.approval.escalated if one.seat in groups]
    return replace(
        known,
        due=moments.due,
        remind_at=min(reminders, default=0),
        expire_at=moments.expire,
        next_event=following,
        next_at=at,
        stand_ins=" and ".join(dict.fromkeys(stand_ins)),
    )
