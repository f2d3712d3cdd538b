"""Policies and exchange rates: what holds, what was drafted, what a change would do, and letting it hold."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import Path, Query, Response
from starlette.responses import StreamingResponse

from plixo.domain.duties import check_policy_reader
from plixo.domain.refusals import Refused
from plixo.policy.published import PublishedPolicy
from plixo.store.drafts import Draft
from plixo.store.policies import Version
from starters import drafting
from starters.simulating import Changed, Progress, Simulation, simulation
from web import policy_view as view
from web.api.models import Who
from web.api.policy_models import (
    ChangedOut,
    DifferenceOut,
    DraftDetail,
    DraftOut,
    Drafts,
    PolicyIn,
    PolicyOut,
    RateIn,
    RateOut,
    Rates,
    RatesIn,
    RuleOut,
    SimulationIn,
    SimulationOut,
    VersionDetail,
    VersionOut,
    Versions,
)
from web.api.routing import failures, router
from web.api.views import major
from web.failures import describe
from web.identity import ApiCall, Visit

policy_routes = router("policy")

Number = Annotated[int, Path(ge=1, le=2**31)]
LINES = "application/x-ndjson"


@policy_routes.get("/policy")
async def policy(call: ApiCall) -> PolicyOut:
    """The policy that routes new requests."""
    published = call.desk.policy
    version = await view.version_of(call, published.version)
    return PolicyOut(
        version=published.version,
        hash=published.hash,
        reference=published.reference,
        base_currency=published.base_currency,
        limits=published.plain_limits,
        rules=_rules(published),
        published_at=version.published_at,
        published_by=_who(await view.names(call), version.published_by),
    )


@policy_routes.get("/policy/versions")
async def versions(call: ApiCall) -> Versions:
    """Every published version, newest first."""
    known = await view.names(call)
    return Versions(versions=[VersionOut(**_version(one, known)) for one in await view.versions(call)])


@policy_routes.get("/policy/versions/{version}")
async def one_version(
    call: ApiCall, version: Number, against: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> VersionDetail:
    """One version with all that it says, and what it says otherwise than another one, the one before unless named."""
    found = await view.version_of(call, version)
    other, differs = await view.held_against(call, found, against)
    published = view.readable(found)
    return VersionDetail(
        **_version(found, await view.names(call)),
        base_currency=published.base_currency,
        limits=published.plain_limits,
        table=published.plain_table,
        rules=_rules(published),
        against=other,
        differences=[DifferenceOut(**one._asdict()) for one in differs],
    )


@policy_routes.get("/policy/drafts")
async def drafts(call: ApiCall) -> Drafts:
    """The newest drafts of policies and rates, published or not."""
    known = await view.names(call)
    return Drafts(drafts=[DraftOut(**_draft(call, one, known)) for one in await view.newest_drafts(call)])


@policy_routes.post("/policy/drafts", status_code=201, responses=failures(409))
async def draft(call: ApiCall, sent: PolicyIn) -> DraftDetail:
    """Draft a policy; a Controller or the CFO publishes it. Drafted again, it is the same draft."""
    if sent.again is not None and sent.limits is None and sent.table is None:
        made = await drafting.draft_again(call.desk, call.person, sent.again, sent.note)
    elif sent.again is None:
        made = await drafting.draft_parts(call.desk, call.person, sent.limits, sent.table, sent.note)
    else:
        raise Refused.one("again", "again_or_new", "Send limits and table, or the version to draft again, not both.")
    return await _detail(call, made)


@policy_routes.get("/policy/drafts/{draft_id}")
async def one_draft(call: ApiCall, draft_id: str) -> DraftDetail:
    """One draft with what it would change."""
    return await _detail(call, await view.draft_of(call, draft_id))


@policy_routes.post("/policy/drafts/{draft_id}/publication", responses=failures(409))
async def publish(call: ApiCall, draft_id: str) -> DraftDetail:
    """Let a draft hold from now on; somebody else than its author does, a Controller or the CFO."""
    who = drafting.Publisher(call.person, call.signed_in_at)
    return await _detail(call, await drafting.publish_draft(call.desk, who, draft_id))


@policy_routes.get("/policy/rates")
async def rates(call: ApiCall) -> Rates:
    """The exchange rates that hold."""
    found = [RateOut(**vars(rate)) for rate in await view.standing_rates(call)]
    return Rates(base_currency=call.desk.policy.base_currency, days=call.desk.policy.rate_days, rates=found)


@policy_routes.post("/policy/rates", status_code=201, responses=failures(409))
async def draft_rates(call: ApiCall, sent: RatesIn) -> DraftDetail:
    """Draft exchange rates; a Controller or the CFO publishes them."""
    rows = [rate.model_dump() for rate in sent.rates]
    return await _detail(call, await drafting.draft_rates(call.desk, call.person, rows, sent.note))


@policy_routes.post(
    "/policy/simulations",
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}, "model": SimulationOut}},
)
async def simulate(
    call: ApiCall, sent: SimulationIn, *, progress: Annotated[bool, Query(description="Tell how far it is.")] = False
) -> Response:
    """Which open and recent requests would go another way by a policy; nothing is written.

    With `progress` it answers line by line: how far it is, and at last the result.
    """
    check_policy_reader(call.person)
    tried = await _tried(call, sent)
    found = simulation(call.desk, tried, sent.days)
    first = await anext(found)  # so that a refusal is answered as one
    if progress:
        return StreamingResponse(_lines(first, found), media_type=LINES)
    result = [first, *[one async for one in found]][-1]
    assert isinstance(result, Simulation)
    return Response(_simulated(result).model_dump_json(), media_type="application/json")


async def _tried(call: Visit, sent: SimulationIn) -> PublishedPolicy:
    if not sent.draft:
        return await drafting.tried_policy(sent.limits, sent.table)
    if sent.limits is not None or sent.table is not None:
        raise Refused.one("draft", "draft_or_policy", "Send limits and table, or a draft, not both.")
    found = await view.draft_of(call, sent.draft)
    return view.usable(found)


async def _lines(first: Progress | Simulation, rest: AsyncIterator[Progress | Simulation]) -> AsyncIterator[str]:
    """The result's own line ends it; a failure in the middle has a line of its own, since the answer has begun."""
    try:
        yield _line(first)
        async for found in rest:
            yield _line(found)
    except Exception as failed:  # noqa: BLE001 - whatever it is, the reader is told and the rest is logged
        told = describe(failed)
        yield json.dumps({"error": {"code": told.code, "message": told.message, "fields": [], "request_id": ""}}) + "\n"


def _line(found: Progress | Simulation) -> str:
    if isinstance(found, Progress):
        return json.dumps({"done": found.done, "total": found.total}) + "\n"
    return '{"result": ' + _simulated(found).model_dump_json() + "}\n"


def _simulated(found: Simulation) -> SimulationOut:
    return SimulationOut(
        days=found.days,
        looked=found.looked,
        open=found.open,
        open_changed=found.open_changed,
        counts={kind.value: number for kind, number in found.counts.items()},
        changed=[_changed(one) for one in found.changed],
    )


def _changed(one: Changed) -> ChangedOut:
    told: dict[str, Any] = {**vars(one), "kind": one.kind.value, "kind_text": one.kind.label}
    amount = one.amount
    return ChangedOut(
        **{**told, "amount": major(amount), "amount_minor": amount.minor, "currency": amount.currency},
    )


async def _detail(call: Visit, made: Draft) -> DraftDetail:
    shown = await view.draft_view(call, made)
    return DraftDetail(
        **_draft(call, made, await view.names(call)),
        differences=[DifferenceOut(**one._asdict()) for one in shown.differences],
        rates=[RateIn(**rate.to_claims()) for rate in shown.rates],
        may_publish=not shown.why_not and not shown.stale,
        why_not=shown.why_not or ("Sign in again first: it needs a fresh sign-in." if shown.stale else ""),
    )


def _draft(call: Visit, one: Draft, known: Mapping[str, str]) -> dict[str, Any]:
    plain = {name: value for name, value in vars(one).items() if name not in {"content", "author_id", "published_by"}}
    author = Who(person_id=one.author_id, name=known.get(one.author_id, one.author_id))
    outdated = view.outdated(call, one)
    return {**plain, "author": author, "published_by": _who(known, one.published_by), "outdated": outdated}


def _version(one: Version, known: Mapping[str, str]) -> dict[str, Any]:
    plain = one._asdict()
    del plain["content"]
    reference = f"{one.version}@{one.hash[:12]}"
    return {**plain, "reference": reference, "published_by": _who(known, one.published_by)}


def _who(known: Mapping[str, str], person_id: str | None) -> Who | None:
    return Who(person_id=person_id, name=known.get(person_id, person_id)) if person_id else None


def _rules(published: PublishedPolicy) -> list[RuleOut]:
    return [RuleOut(**rule._asdict()) for rule in published.rules()]
