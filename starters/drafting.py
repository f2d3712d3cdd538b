"""Drafting and publishing policies and exchange rates: one person writes, another one lets it hold."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from plixo.domain import ids
from plixo.domain.canonical import can_be_hashed, canonical_json, sha256_hex
from plixo.domain.duties import check_drafter, check_publisher
from plixo.domain.people import Person
from plixo.domain.rate_sheet import Rate, check_steps, parse_rates
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.domain.texts import parse_text
from plixo.policy.limits import LIMITS_FILE
from plixo.policy.published import PolicyInvalid, PublishedPolicy
from plixo.ports import AuditEntry
from plixo.store import drafts, policies, sums
from plixo.store.drafts import Draft
from plixo.store.ledger import SqlTransaction
from plixo.store.policies import StandingRate
from starters.desk import Desk
from starters.trust import POLICY_KIND, RATE_KIND, policy_body, rate_body

POLICY: Final = "policy"
RATES: Final = "rates"
LONGEST_NOTE: Final = 2000
MOST_BYTES: Final = 512 * 1024
"""How long a policy may be, as canonical JSON."""

_PREFIX: Final = "PD"


@dataclass(frozen=True)
class Publisher:
    """Who wants a draft to hold.

    Attributes:
        person: Who.
        signed_in_at: When they proved who they are.
    """

    person: Person
    signed_in_at: datetime


def typed_policy(limits: object, table: object) -> PublishedPolicy:
    """A policy that somebody sent, tried on every reason.

    Raises:
        Refused: It cannot be used; the field is `limits.…` or `table.…`.
    """
    if can_be_hashed([limits, table]) and len(canonical_json([limits, table])) > MOST_BYTES:
        raise Refused.one("table", "policy_too_long", f"A policy has at most {MOST_BYTES // 1024} KiB.")
    try:
        return PublishedPolicy.from_parts(limits, table)
    except PolicyInvalid as invalid:
        raise unusable(invalid) from invalid


async def tried_policy(limits: object, table: object) -> PublishedPolicy:
    """The same in a thread of its own: a trial asks the engine hundreds of times, and everybody else goes on.

    For whoever may have one tried: who they are is looked at before it is called.

    Raises:
        Refused: As for `typed_policy`.
    """
    return await asyncio.to_thread(typed_policy, limits, table)


def unusable(invalid: PolicyInvalid) -> Refused:
    """The same as a refusal that names the field."""
    part = "limits" if invalid.file == LIMITS_FILE else "table"
    field = f"{part}.{invalid.field}" if invalid.field else part
    return Refused.one(field, "policy_invalid", f"This policy cannot be used: {invalid}.")


async def draft_parts(desk: Desk, person: Person, limits: object, table: object, note: str) -> Draft:
    """Keep what somebody sent as a draft: who they are is looked at first, what they sent is tried after that.

    Raises:
        NotAllowed: As for `draft_policy`.
        Refused: As for `draft_policy`; or it cannot be used.
    """
    await _checked(desk, person, "policy_draft_refused", lambda: check_drafter(person))
    return await draft_policy(desk, person, await tried_policy(limits, table), note)


async def draft_policy(desk: Desk, person: Person, policy: PublishedPolicy, note: str) -> Draft:
    """Keep a policy as a draft. Drafted again by the same person, it is the same one.

    Args:
        desk: What the staff side works with, with the policy that holds now.
        person: Who drafts it.
        policy: What `typed_policy` gave.
        note: Why, for who publishes it.

    Raises:
        NotAllowed: They are no administrator; it is written down.
        Refused: It says what holds already, or counts in another currency.
    """
    await _checked(desk, person, "policy_draft_refused", lambda: check_drafter(person))
    words = parse_text(note, "note", LONGEST_NOTE)
    now_holds = desk.policy
    if policy.hash == now_holds.hash and not desk.unusable:
        raise Refused.one("limits", "policy_unchanged", f"Policy version {now_holds.version} says just that already.")
    if policy.base_currency != now_holds.base_currency:
        raise Refused.one(
            "limits.base_currency",
            "base_currency_fixed",
            f"Sums and people's limits are counted in {now_holds.base_currency}; no policy can follow in another one.",
        )
    return await _keep(desk, person, POLICY, policy.content, words)


async def draft_again(desk: Desk, person: Person, version: int, note: str) -> Draft:
    """Keep what was published before as a draft, to be published once more: that is how one goes back.

    Raises:
        NotFound: There is no such version.
        NotAllowed: As for `draft_policy`.
        Refused: As for `draft_policy`; or this release could not use it any more.
    """
    await _checked(desk, person, "policy_draft_refused", lambda: check_drafter(person))
    async with desk.ledger.read() as session:
        content = await policies.content_of(session, version)
    if content is None:
        raise NotFound.one("version", "version_unknown", f"There is no policy version {version}.")
    plain = json.loads(content)
    return await draft_parts(desk, person, plain["limits"], plain["table"], note)


async def draft_rates(desk: Desk, person: Person, rows: list[dict[str, str]], note: str) -> Draft:
    """Keep exchange rates as a draft.

    Args:
        desk: What the staff side works with.
        person: Who drafts them.
        rows: Currency, rate and as_of of each, as text.
        note: Where they come from.

    Raises:
        NotAllowed: They are no administrator; it is written down.
        Refused: Some are wrong: each is named.
    """
    await _checked(desk, person, "rates_draft_refused", lambda: check_drafter(person))
    words = parse_text(note, "note", LONGEST_NOTE)
    base = desk.policy.base_currency
    found = parse_rates(rows, base, desk.clock())
    async with desk.ledger.read() as session:
        check_steps(found, {currency: rate for currency, rate, _ in await policies.rates(session, base)})
    rates = [rate.to_claims() for rate in found]
    return await _keep(desk, person, RATES, canonical_json({"base": base, "rates": rates}).decode(), words)


async def publish_draft(desk: Desk, publisher: Publisher, draft_id: str) -> Draft:
    """Let a draft hold from now on, for every process; requests that were routed keep their version.

    Raises:
        NotFound: There is no such draft.
        NotAllowed: They may not publish it, or signed in too long ago; it is written down.
        Conflict: Somebody has published it, or something newer, in the meantime.
        Refused: This release could not use it any more.
    """
    async with desk.ledger.read() as session:
        draft = await drafts.load(session, draft_id)
    if draft is None:
        raise NotFound.one("draft", "draft_unknown", "There is no such draft; `plixo policy drafts` lists them.")
    author = draft.author_id
    await _checked(
        desk, publisher.person, f"{draft.kind}_publish_refused", lambda: _check(desk, publisher, author), draft_id
    )
    async with desk.ledger.begin() as tx:
        await sums.lock(tx.session, ids.POLICY_CHAIN)
        draft = await drafts.load(tx.session, draft_id) or draft
        if draft.published_by == publisher.person.person_id:
            return draft
        if draft.published_by:
            raise Conflict.one("draft", "draft_published", "Somebody else has published this draft already.")
        version, told = await (_publish_policy if draft.kind == POLICY else _publish_rates)(
            desk, tx, draft, publisher.person.person_id
        )
        await drafts.publish(tx.session, draft_id, version, publisher.person.person_id, desk.clock())
        detail = {"draft_id": draft_id, "author": author, "hash": draft.hash, **told}
        entry = AuditEntry(ids.POLICY_CHAIN, f"{draft.kind}_published", publisher.person.person_id, detail)
        await tx.audit(entry, desk.clock())
        return await drafts.load(tx.session, draft_id) or draft


def rates_of(draft: Draft) -> tuple[Rate, ...]:
    """The rates in a draft of rates."""
    return tuple(Rate.from_claims(plain) for plain in json.loads(draft.content)["rates"])


def policy_of(draft: Draft) -> PublishedPolicy:
    """The policy in a draft of one; 0 stands for no version yet."""
    return PublishedPolicy.from_content(draft.content, draft.version or 0)


async def _keep(desk: Desk, person: Person, kind: str, content: str, note: str) -> Draft:
    digest, base = sha256_hex(json.loads(content)), desk.follows
    draft_id = ids.approval_id(_PREFIX, person.person_id, f"{kind}:{base}:{digest}")
    async with desk.ledger.begin() as tx:
        await sums.lock(tx.session, ids.POLICY_CHAIN)
        known = await drafts.load(tx.session, draft_id)
        if known:
            return known
        draft = Draft(draft_id, kind, person.person_id, desk.clock(), digest, content, base, note)
        await drafts.insert(tx.session, draft)
        detail = {"draft_id": draft_id, "hash": digest, "base_version": base, "note": note}
        await tx.audit(AuditEntry(ids.POLICY_CHAIN, f"{kind}_drafted", person.person_id, detail), draft.created_at)
    return draft


async def _publish_policy(
    desk: Desk, tx: SqlTransaction, draft: Draft, publisher: str
) -> tuple[int | None, dict[str, Any]]:
    newest = await policies.newest_version(tx.session)
    if newest != draft.base_version:
        words = f"Version {newest} was published since this was drafted from {draft.base_version}; draft it anew."
        raise Conflict.one("draft", "draft_outdated", words)
    policy = policy_of(draft)
    await tried_policy(policy.plain_limits, policy.plain_table)
    if policy.hash != draft.hash:
        raise Conflict.one("draft", "draft_altered", "This draft is not what its author kept; draft it anew.")
    now = desk.clock()

    def sign(version: int) -> str:
        body = policy_body(version, policy.hash, draft.author_id, publisher, now)
        return desk.signer.sign(POLICY_KIND, body, now=now)

    version = await policies.publish(tx.session, draft.hash, draft.content, now, sign)
    return version, {"version": version, "base_version": draft.base_version}


async def _publish_rates(
    desk: Desk, tx: SqlTransaction, draft: Draft, publisher: str
) -> tuple[int | None, dict[str, Any]]:
    base, found = str(json.loads(draft.content)["base"]), rates_of(draft)
    if base != (await desk.up_to_date(tx.session)).policy.base_currency:
        raise Conflict.one("draft", "draft_outdated", f"These rates are into {base}, which is no longer the base.")
    rows = await policies.rates(tx.session, base)
    check_steps(found, {currency: rate for currency, rate, _ in rows})
    last = await drafts.last_rates(tx.session)
    # Of the same moment, the one that was drafted knowing the other corrects it.
    late = last is not None and last >= draft.created_at
    standing = {currency: as_of for currency, _, as_of in rows}
    older = [
        rate.currency
        for rate in found
        if rate.currency in standing
        and (standing[rate.currency] > rate.as_of or (late and standing[rate.currency] == rate.as_of))
    ]
    if older:
        words = f"A newer rate holds already for {', '.join(older)}; draft them anew without it."
        raise Conflict.one("draft", "draft_outdated", words)
    now = desk.clock()
    for rate in found:
        body = rate_body(rate.to_claims(), base, draft.author_id, publisher, now)
        signed = desk.signer.sign(RATE_KIND, body, now=now)
        await policies.set_rate(tx.session, rate.currency, base, StandingRate(rate.rate, rate.as_of, signed))
    return None, {"base": base, "rates": [rate.to_claims() for rate in found]}


def _check(desk: Desk, publisher: Publisher, author_id: str) -> None:
    check_publisher(publisher.person, author_id)
    minutes = desk.policy.fresh_sign_in_minutes
    if desk.clock() - publisher.signed_in_at > timedelta(minutes=minutes):
        wanted = f"Publishing needs a sign-in of the last {minutes} minutes: sign in again, then publish."
        raise NotAllowed.one("session", "fresh_sign_in_needed", wanted)


async def _checked(desk: Desk, person: Person, event: str, check: Callable[[], None], draft_id: str = "") -> None:
    """Run a check of who may; a refusal is written down before it is given."""
    try:
        check()
    except NotAllowed as refusal:
        detail = {"code": refusal.code, "why": str(refusal), **({"draft_id": draft_id} if draft_id else {})}
        async with desk.ledger.begin() as tx:
            await sums.lock(tx.session, ids.POLICY_CHAIN)
            await tx.audit(AuditEntry(ids.POLICY_CHAIN, event, person.person_id, detail), desk.clock())
        raise
