"""Handing on, re-assigning, nudging; being away and coming back."""

from plixo.domain.absence import Absence
from plixo.domain.decision import Verdict
from plixo.domain.refusals import Conflict
from plixo.store import people
from starters.absences import TypedAbsence, come_back, go_away, lasting
from starters.decisions import Saying, decide
from web.api.absence_models import (
    AbsenceIn,
    AbsenceOut,
    Absences,
    DelegationIn,
    NudgeIn,
    ReassignmentIn,
    ReturnIn,
)
from web.api.credits import shower
from web.api.models import AnswerOut
from web.api.routing import failures, router
from web.identity import ApiCall, Visit

absence_routes = router("absences")


@absence_routes.post("/approvals/{approval_id}/delegation", responses=failures(409))
async def delegate(call: ApiCall, approval_id: str, given: DelegationIn) -> AnswerOut:
    """Hand your part to a colleague, who may decide in your place from then on; so may you, until they have."""
    return await _say(call, approval_id, Verdict.DELEGATE, given.comment, to=given.to)


@absence_routes.post("/approvals/{approval_id}/reassignment", responses=failures(409))
async def reassign(call: ApiCall, approval_id: str, given: ReassignmentIn) -> AnswerOut:
    """Give a group's part to somebody, as an administrator, where those who are asked cannot decide."""
    return await _say(call, approval_id, Verdict.REASSIGN, given.comment, to=given.to, group=given.group)


@absence_routes.post("/approvals/{approval_id}/nudge", responses=failures(409))
async def nudge(call: ApiCall, approval_id: str, given: NudgeIn) -> AnswerOut:
    """Write to whoever still has to decide on your request, once a business day."""
    return await _say(call, approval_id, Verdict.NUDGE, given.comment)


@absence_routes.get("/absences")
async def absences(call: ApiCall) -> Absences:
    """Who is away or will be, the first to go first."""
    async with call.desk.ledger.read() as session:
        found = await lasting(session, call.now)
    return Absences(absences=[await _shown(call, one) for one in found])


@absence_routes.post("/absences", responses=failures(409))
async def away(call: ApiCall, given: AbsenceIn) -> AbsenceOut:
    """Say that you are away, or as an administrator that somebody is."""
    typed = TypedAbsence(given.first, given.last, given.delegate, given.person)
    return await _shown(call, await go_away(call.desk, call.person, typed))


@absence_routes.post("/absences/return", responses=failures(409))
async def back(call: ApiCall, given: ReturnIn) -> AbsenceOut:
    """Say that you are back, or as an administrator that somebody is."""
    return await _shown(call, await come_back(call.desk, call.person, given.person))


async def _say(
    call: Visit, approval_id: str, verdict: Verdict, comment: str, *, to: str = "", group: str = ""
) -> AnswerOut:
    saying = Saying(call.person, verdict, comment, call.signed_in_at, to=to, group=group)
    answer = await decide(call.desk, approval_id, saying)
    if answer.answer in {"conflict", "refused"}:
        raise Conflict.one("decision", f"decision_{answer.answer}", answer.why)
    return AnswerOut(
        decision_id=answer.decision_id,
        answer=answer.answer,  # type: ignore[arg-type] # pydantic checks that it is one of the three
        why=answer.why,
        approval=(await shower(call)).approval(answer.record),
    )


async def _shown(call: Visit, one: Absence) -> AbsenceOut:
    async with call.desk.ledger.read() as session:
        known = await people.by_ids(session, {one.person_id, one.delegate_id})
    shown = await shower(call)
    zone = known[one.person_id].time_zone
    return AbsenceOut(
        absence_id=one.absence_id,
        person=shown.who(one.person_id),
        delegate=shown.who(one.delegate_id),
        since=one.since,
        until=one.over,
        time_zone=zone,
        away=one.covers(call.now),
    )
