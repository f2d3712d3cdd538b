"""Deciding on several requests at once."""

from plixo.domain.decision import Verdict
from plixo.domain.money import Money
from plixo.domain.several import Shown
from starters.decisions import Saying
from starters.several import Outcome, decide_several
from web.api.credits import shower
from web.api.routing import router
from web.api.several_models import (
    CheckedSeveralOut,
    CheckSeveralIn,
    DecidableOut,
    DecidedSeveralOut,
    DecideSeveralIn,
    LeftOutOut,
    OutcomeOut,
    ShownIn,
    SumOut,
)
from web.api.views import Shower, major
from web.console.several_view import LeftOut, Line, check
from web.identity import ApiCall

several_routes = router("approvals")


@several_routes.post("/decisions/check")
async def look(call: ApiCall, asked: CheckSeveralIn) -> CheckedSeveralOut:
    """What a verdict on several requests would do, and which of them you cannot decide on; nothing is kept."""
    checked = await check(call, Verdict(asked.verdict), asked.approval_ids)
    shown = await shower(call)
    return CheckedSeveralOut(
        verdict=asked.verdict,
        decidable=[_decidable(shown, line) for line in checked.lines],
        left_out=[_left_out(shown, one) for one in checked.left_out],
        sums=[_sum(one) for one in checked.sums],
    )


@several_routes.post("/decisions")
async def decide_on(call: ApiCall, sent: DecideSeveralIn) -> DecidedSeveralOut:
    """Say the same about several requests; each is signed and checked by itself, and a bad one stops only itself."""
    saying = Saying(call.person, Verdict(sent.verdict), sent.comment, call.signed_in_at)
    outcomes = await decide_several(call.desk, saying, [Shown(**row.model_dump()) for row in sent.rows])
    shown = await shower(call)
    return DecidedSeveralOut(
        outcomes=[_outcome(shown, one) for one in outcomes],
        all_decided=all(one.through for one in outcomes),
    )


def _decidable(shown: Shower, line: Line) -> DecidableOut:
    as_shown = line.shown
    return DecidableOut(
        approval=shown.approval(line.record),
        then=line.then,
        shown=ShownIn(
            approval_id=as_shown.approval_id,
            round=as_shown.round,
            digest=as_shown.digest,
            amount_minor=as_shown.amount_minor,
        ),
    )


def _left_out(shown: Shower, one: LeftOut) -> LeftOutOut:
    approval = shown.approval(one.record) if one.record else None
    return LeftOutOut(approval_id=one.approval_id, approval=approval, why=one.why, fresh_sign_in_needed=one.stale)


def _sum(money: Money) -> SumOut:
    return SumOut(amount=major(money), amount_minor=money.minor, currency=money.currency)


def _outcome(shown: Shower, one: Outcome) -> OutcomeOut:
    return OutcomeOut(
        approval_id=one.approval_id,
        answer=one.answer,  # type: ignore[arg-type] # pydantic checks that it is one of the six
        code=one.code,
        why=one.why,
        approval=shown.approval(one.record) if one.record else None,
    )
