"""Settings > Policy: what holds, its versions, what was drafted, what a change would do, and letting it hold."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path
from starlette.responses import RedirectResponse, Response

from plixo.domain.duties import DRAFTERS, POLICY_READERS
from plixo.domain.rate_sheet import read_rates
from plixo.domain.refusals import NotAllowed, Problem, Refused
from plixo.policy.choices import choice_fields, with_choices
from plixo.policy.fields import number_fields, with_numbers
from plixo.policy.published import PublishedPolicy
from plixo.policy.words import clocks_in_words, limits_in_words, paths_in_words
from plixo.store.drafts import Draft
from starters import drafting
from starters.simulating import DAYS, MOST_DAYS, simulate
from web import policy_view as view
from web.console.navigation import need
from web.failures import status_of
from web.forms import Fields
from web.identity import PageVisit, Visit
from web.rendering import page

router = APIRouter(include_in_schema=False, prefix="/settings/policy")

MOST_SHOWN: Final = 200
"""How many requests the page of a simulation lists; the command lists them all."""

SAID: Final = {
    "drafted": "Drafted. A Controller or the CFO, somebody else than you, publishes it.",
    "published": "Published. It holds from now on, in every process.",
}
Number = Annotated[int, Path(ge=1, le=2**31)]


async def reader(visit: PageVisit) -> Visit:
    """Who may read drafts and simulations.

    Raises:
        NotFound: For everybody else the pages are not there.
    """
    need(allowed=visit.person.belongs_to(*POLICY_READERS))
    return visit


Reader = Annotated[Visit, Depends(reader)]


@router.get("")
async def show(visit: Reader) -> Response:
    """The policy that routes new requests, the drafts, and every version."""
    context = {
        **_said(visit.desk.policy),
        "version": await view.version_of(visit, visit.desk.policy.version),
        "versions": await view.versions(visit),
        "drafts": [(draft, view.outdated(visit, draft)) for draft in await view.newest_drafts(visit)],
        "rates": await view.standing_rates(visit),
    }
    return await _page(visit, "policy", context)


@router.get("/versions/{number}")
async def version(visit: Reader, number: Number) -> Response:
    """One version, and what it says otherwise than another one."""
    found = await view.version_of(visit, number)
    asked = visit.request.query_params.get("against", "")
    against, differs = await view.held_against(visit, found, _number(asked))
    context = {
        **_said(view.readable(found)),
        "version": found,
        "versions": await view.versions(visit),
        "against": against,
        "differences": differs,
    }
    return await _page(visit, "policy_version", context)


@router.get("/new")
async def new(visit: Reader) -> Response:
    """A form with every number of the policy that holds, and its table."""
    need(allowed=visit.person.belongs_to(*DRAFTERS))
    return await _form(visit, {})


@router.post("/drafts")
async def draft(visit: Reader, sent: Fields) -> Response:
    """Draft what was typed, or an earlier version again."""
    try:
        made = await _drafted(visit, sent)
    except NotAllowed:
        raise
    except Refused as refusal:
        return await _form(visit, sent, refusal)
    return _to_draft(made, "drafted")


@router.get("/drafts/{draft_id}")
async def show_draft(visit: Reader, draft_id: str) -> Response:
    """A draft, and what it would change."""
    return await _draft_page(visit, await view.draft_of(visit, draft_id))


@router.get("/drafts/{draft_id}/simulation")
async def simulation(visit: Reader, draft_id: str) -> Response:
    """Which open and recent requests would go another way by a draft."""
    found = await view.draft_of(visit, draft_id)
    typed = visit.request.query_params.get("days", "")
    days = _number(typed) or DAYS
    context: dict[str, Any] = {"draft": found, "days": typed or str(DAYS), "most": MOST_SHOWN, "most_days": MOST_DAYS}
    try:
        result = await simulate(visit.desk, view.usable(found), days)
    except Refused as refusal:
        problems = {"found": None, "problems": refusal.problems}
        return await _page(visit, "policy_simulation", context | problems, status_of(refusal))
    return await _page(visit, "policy_simulation", context | {"found": result, "problems": ()})


@router.get("/drafts/{draft_id}/publish")
async def confirm(visit: Reader, draft_id: str) -> Response:
    """What publishing would do, before it is done."""
    found = await view.draft_of(visit, draft_id)
    shown = await view.draft_view(visit, found)
    if shown.why_not or shown.stale:
        return await _draft_page(visit, found)
    result = await simulate(visit.desk, view.usable(found)) if found.kind == drafting.POLICY else None
    return await _page(visit, "policy_publish", {"shown": shown, "draft": found, "found": result})


@router.post("/drafts/{draft_id}/publish")
async def publish(visit: Reader, draft_id: str) -> Response:
    """Let a draft hold from now on."""
    who = drafting.Publisher(visit.person, visit.signed_in_at)
    try:
        made = await drafting.publish_draft(visit.desk, who, draft_id)
    except Refused as refusal:
        return await _draft_page(visit, await view.draft_of(visit, draft_id), refusal)
    return _to_draft(made, "published")


@router.get("/rates")
async def rates(visit: Reader) -> Response:
    """The exchange rates that hold, and a form for new ones."""
    return await _rates_page(visit, {})


@router.post("/rates")
async def draft_rates(visit: Reader, sent: Fields) -> Response:
    """Draft the rates that were typed."""
    try:
        rows = read_rates(sent.get("rates", ""))
        made = await drafting.draft_rates(visit.desk, visit.person, rows, sent.get("note", ""))
    except NotAllowed:
        raise
    except Refused as refusal:
        return await _rates_page(visit, sent, refusal)
    return _to_draft(made, "drafted")


async def _drafted(visit: Visit, sent: Mapping[str, str]) -> Draft:
    note = sent.get("note", "")
    if sent.get("again"):
        return await drafting.draft_again(visit.desk, visit.person, _number(sent["again"]) or 0, note)
    holds = visit.desk.policy
    limits = with_choices(with_numbers(holds.plain_limits, sent), sent)
    table: Any = holds.plain_table
    if sent.get("table", "").strip():
        try:
            table = json.loads(sent["table"])
        except (ValueError, RecursionError) as broken:
            raise Refused.one(
                "table", "table_not_json", "The table is no JSON; paste what a JDM editor saved."
            ) from broken
    return await drafting.draft_parts(visit.desk, visit.person, limits, table, note)


async def _form(visit: Visit, sent: Mapping[str, str], refusal: Refused | None = None) -> Response:
    fields = [
        field._replace(value=sent.get(field.name, field.value))
        for field in number_fields(visit.desk.policy.plain_limits)
    ]
    choices = [
        choice._replace(value=sent.get(choice.name, choice.value))
        for choice in choice_fields(visit.desk.policy.plain_limits)
    ]
    names = {*(field.name for field in fields), *(choice.name for choice in choices)}
    problems = [_at_a_field(problem, names) for problem in refusal.problems] if refusal else []
    context = {
        "fields": fields,
        "choices": choices,
        "holds": visit.desk.policy,
        "table": sent.get("table", ""),
        "note": sent.get("note", ""),
        "problems": problems,
        "anchors": [*names, "table", "note"],
    }
    return await _page(visit, "policy_new", context, status_of(refusal) if refusal else 200)


def _at_a_field(problem: Problem, names: set[str]) -> Problem:
    """A cell of the table has no field of its own on the page; the table has."""
    known = problem.field in names or not problem.field.startswith("table")
    return problem if known else Problem("table", problem.code, problem.message)


async def _rates_page(visit: Visit, sent: Mapping[str, str], refusal: Refused | None = None) -> Response:
    standing = await view.standing_rates(visit)
    lines = [f"{rate.currency},{rate.rate},{rate.as_of.date().isoformat()}" for rate in standing]
    problems = (
        [Problem("note" if one.field == "note" else "rates", one.code, one.message) for one in refusal.problems]
        if refusal
        else []
    )
    context = {
        "rates": standing,
        "base": visit.desk.policy.base_currency,
        "days": visit.desk.policy.rate_days,
        "typed": sent.get("rates", "\n".join(["currency,rate,as_of", *lines])),
        "note": sent.get("note", ""),
        "problems": problems,
    }
    return await _page(visit, "policy_rates", context, status_of(refusal) if refusal else 200)


async def _draft_page(visit: Visit, found: Draft, refusal: Refused | None = None) -> Response:
    context = {
        "draft": found,
        "shown": await view.draft_view(visit, found),
        "problems": refusal.problems if refusal else (),
    }
    return await _page(visit, "policy_draft", context, status_of(refusal) if refusal else 200)


async def _page(visit: Visit, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    said = SAID.get(visit.request.query_params.get("said", ""), "")
    more = {"names": await view.names(visit), "drafter": visit.person.belongs_to(*DRAFTERS), "said": said}
    return page(visit, f"console/{template}.html", {**more, **context}, status)


def _said(policy: PublishedPolicy) -> dict[str, Any]:
    """A policy in words."""
    plain = policy.plain_limits
    lines = [*limits_in_words(plain), *paths_in_words(plain), *clocks_in_words(plain)]
    return {"policy": policy, "lines": lines, "rules": policy.rules()}


def _to_draft(made: Draft, said: str) -> Response:
    return RedirectResponse(f"/settings/policy/drafts/{made.draft_id}?said={said}", 303)


def _number(text: str) -> int | None:
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) <= 9 else None  # noqa: PLR2004
