"""Reading requests and deciding on them."""

import json
from typing import Annotated

from fastapi import Query

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.refusals import Conflict, NotAllowed
from plixo.ports import Record
from plixo.store import audit, audit_export, decisions, inbox
from plixo.store.audit_file import to_document
from plixo.store.inbox import PAGE_SIZE, Search, Sort, Tab
from starters.amending import AmendForm, amend, preview_amendment
from starters.decisions import Answer, Saying, decide
from web.api.amending_models import AmendmentIn, AmendmentPreviewOut
from web.api.credits import shower
from web.api.models import (
    AnswerOut,
    ApprovalDetail,
    Approvals,
    AuditFile,
    DecisionIn,
    EventOut,
    WithdrawalIn,
)
from web.api.routing import failures, router
from web.console.deciding import deciding
from web.console.inbox_view import LAST_PAGE, LONGEST_TEXT, plain_text
from web.console.navigation import AUDITORS
from web.console.request_view import visible
from web.console.timeline import moment, tell
from web.identity import ApiCall, Visit

approval_routes = router("approvals")


@approval_routes.get("/approvals")
async def find(
    call: ApiCall,
    *,
    tab: Tab = Tab.ALL,
    state: State | None = None,
    q: Annotated[str, Query(max_length=LONGEST_TEXT)] = "",
    customer: Annotated[str, Query(max_length=LONGEST_TEXT)] = "",
    sort: Sort = Sort.NEWEST,
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
) -> Approvals:
    """Requests you may see, a page at a time."""
    search = Search(tab, plain_text(q), state, plain_text(customer), "", sort, page)
    async with call.desk.ledger.read() as session:
        found, total = await inbox.find(session, call.person, search, call.now)
    shown = await shower(call)
    pages = max(-(-total // PAGE_SIZE), 1)
    return Approvals(approvals=[shown.approval(record) for record in found], total=total, page=page, pages=pages)


@approval_routes.get("/approvals/{approval_id}")
async def show(call: ApiCall, approval_id: str) -> ApprovalDetail:
    """One request with all that is known of it."""
    return await _detail(call, await visible(call, approval_id))


@approval_routes.post("/approvals/{approval_id}/decisions", responses=failures(409))
async def decide_on(call: ApiCall, approval_id: str, decision: DecisionIn) -> AnswerOut:
    """Approve, reject, ask, return or answer; the same said again is the same decision."""
    said = Verdict(decision.verdict), decision.comment
    return await _say(
        call, approval_id, Saying(call.person, *said, call.signed_in_at, decision.amount, round=decision.round)
    )


@approval_routes.post("/approvals/{approval_id}/amendment/preview", responses=failures(409))
async def preview_amending(call: ApiCall, approval_id: str, wanted: AmendmentIn) -> AmendmentPreviewOut:
    """Who would have to approve your request if you changed it, and why; nothing is kept."""
    await visible(call, approval_id)
    seen = await preview_amendment(call.desk, approval_id, *_amending(call, wanted))
    return (await shower(call)).amendment(seen)


@approval_routes.post("/approvals/{approval_id}/amendment", responses=failures(409))
async def amend_it(call: ApiCall, approval_id: str, wanted: AmendmentIn) -> AnswerOut:
    """Change your own request; less keeps what was approved where nobody else is needed, all else is asked anew."""
    return await _told(call, await amend(call.desk, approval_id, *_amending(call, wanted)))


@approval_routes.post("/approvals/{approval_id}/withdrawal", responses=failures(409))
async def withdraw(call: ApiCall, approval_id: str, withdrawal: WithdrawalIn) -> AnswerOut:
    """Take your own request back."""
    saying = Saying(call.person, Verdict.WITHDRAW, withdrawal.comment, call.signed_in_at)
    return await _say(call, approval_id, saying)


@approval_routes.get("/approvals/{approval_id}/audit")
async def export(call: ApiCall, approval_id: str) -> AuditFile:
    """The request's audit log as a sealed file: its hash chain, what was signed, and the public keys."""
    await visible(call, approval_id)
    if not call.person.belongs_to(*AUDITORS):
        raise NotAllowed.one("person", "not_auditor", f"Finance and controllers export it; you are {call.person.role}.")
    async with call.desk.ledger.read() as session:
        blocks = [block async for block in audit_export.blocks(session, [approval_id])]
    public = json.loads(call.staff.settings.public_keys.read_text(encoding="utf-8"))
    return AuditFile(**to_document(blocks, public, call.desk.signer, call.now))


async def _say(call: Visit, approval_id: str, saying: Saying) -> AnswerOut:
    return await _told(call, await decide(call.desk, approval_id, saying))


def _amending(call: Visit, wanted: AmendmentIn) -> tuple[Saying, AmendForm]:
    form = AmendForm(wanted.amount, wanted.reason, wanted.note, wanted.memo, wanted.round, wanted.previewed)
    return Saying(call.person, Verdict.AMEND, wanted.comment, call.signed_in_at), form


async def _told(call: Visit, answer: Answer) -> AnswerOut:
    if answer.answer in {"conflict", "refused"}:
        raise Conflict.one("decision", f"decision_{answer.answer}", answer.why)
    return AnswerOut(
        decision_id=answer.decision_id,
        answer=answer.answer,  # type: ignore[arg-type] # pydantic checks that it is one of the three
        why=answer.why,
        approval=(await shower(call)).approval(answer.record),
    )


def _event(line: audit.AuditLine) -> EventOut:
    return EventOut(at=moment(line), event=line.event, actor=line.actor, text=tell(line))


async def _detail(call: Visit, record: Record) -> ApprovalDetail:
    approval_id = record.approval.approval_id
    async with call.desk.ledger.read() as session:
        stored = await decisions.of_approval(session, approval_id)
        lines = await audit.lines(session, approval_id)
    shown, can = await shower(call), deciding(call, record, list(stored))
    return ApprovalDetail(
        **shown.approval(record).model_dump(),
        decisions=[shown.decision(decision) for decision in record.approval.decisions],
        timeline=[_event(line) for line in lines],
        may_decide=can.open,
        why_not=can.why_not,
    )
