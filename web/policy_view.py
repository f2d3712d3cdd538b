"""What pages and API show of policies, drafts and rates, read in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plixo.domain.duties import check_policy_reader, check_publisher
from plixo.domain.people import Person
from plixo.domain.rate_sheet import Rate
from plixo.domain.refusals import Conflict, NotAllowed, NotFound
from plixo.policy.published import PolicyInvalid, PublishedPolicy
from plixo.policy.words import Difference, differences, wordless
from plixo.store import drafts, people, policies
from plixo.store.drafts import Draft
from plixo.store.policies import Version
from starters.drafting import POLICY, policy_of, rates_of
from web.identity import Visit

ELSE: Final = Difference("Something else", "", "The two differ in what has no words here; compare their tables.")
UNREADABLE: Final = Difference("Everything", "", "One of the two cannot be read by this release.")


@dataclass(frozen=True)
class StandingRate:
    """A rate that holds.

    Attributes:
        currency: ISO code.
        rate: What one unit is worth in the base currency.
        as_of: Since when that is known.
        stale: Whether it is too old for an automatic credit.
    """

    currency: str
    rate: str
    as_of: datetime
    stale: bool


@dataclass(frozen=True)
class DraftView:
    """A draft, as its reader sees it.

    Attributes:
        draft: The draft.
        outdated: Whether another version was published since.
        differences: What it would change.
        rates: Its rates, where it is one of rates.
        why_not: Why the reader may not publish it; empty where they may.
        stale: Whether they may after a fresh sign-in.
    """

    draft: Draft
    outdated: bool
    differences: Sequence[Difference]
    rates: Sequence[Rate]
    why_not: str
    stale: bool


async def names(visit: Visit) -> Mapping[str, str]:
    """Everybody's name by id."""
    async with visit.desk.ledger.read() as session:
        return {person.person_id: person.name for person in await people.everybody(session)}


async def versions(visit: Visit) -> Sequence[Version]:
    """Every published version, newest first."""
    async with visit.desk.ledger.read() as session:
        return await policies.versions(session)


async def version_of(visit: Visit, number: int) -> Version:
    """One published version.

    Raises:
        NotFound: There is none of that number.
    """
    async with visit.desk.ledger.read() as session:
        found = await policies.versions(session, version=number)
    if not found:
        raise NotFound.one("version", "version_unknown", f"There is no policy version {number}.")
    return found[0]


async def held_against(visit: Visit, version: Version, against: int | None) -> tuple[int | None, list[Difference]]:
    """What a version says otherwise than another one, the one before it unless named."""
    other = against if against is not None else version.version - 1
    if other < 1:
        return None, []
    before = await version_of(visit, other)
    return other, _between(before.content, version.content)


async def standing_rates(visit: Visit) -> list[StandingRate]:
    """The rates into the base currency."""
    policy = visit.desk.policy
    async with visit.desk.ledger.read() as session:
        found = await policies.rates(session, policy.base_currency)
    oldest = visit.now - timedelta(days=policy.rate_days)
    return [StandingRate(currency, rate, as_of, as_of < oldest) for currency, rate, as_of in found]


async def newest_drafts(visit: Visit) -> Sequence[Draft]:
    """The newest drafts, for whoever may read them.

    Raises:
        NotAllowed: The reader may not.
    """
    check_policy_reader(visit.person)
    async with visit.desk.ledger.read() as session:
        return await drafts.newest(session)


async def draft_of(visit: Visit, draft_id: str) -> Draft:
    """One draft.

    Raises:
        NotAllowed: The reader may read none.
        NotFound: There is none of that id.
    """
    check_policy_reader(visit.person)
    async with visit.desk.ledger.read() as session:
        draft = await drafts.load(session, draft_id)
    if draft is None:
        raise NotFound.one("draft", "draft_unknown", "There is no such draft; `plixo policy drafts` lists them.")
    return draft


async def draft_view(visit: Visit, draft: Draft) -> DraftView:
    """A draft with what it would change, and whether the reader may publish it."""
    found: list[Difference] = []
    if draft.kind == POLICY:
        base = await version_of(visit, draft.base_version)
        found = _between(base.content, draft.content)
    rates = () if draft.kind == POLICY else rates_of(draft)
    late = outdated(visit, draft)
    why_not = _why_not(visit.person, draft, late=late)
    minutes = visit.desk.policy.fresh_sign_in_minutes
    stale = not why_not and visit.now - visit.signed_in_at > timedelta(minutes=minutes)
    return DraftView(draft, late, found, rates, why_not, stale)


def outdated(visit: Visit, draft: Draft) -> bool:
    """Whether another version was published since it was drafted, so that it must be drafted anew."""
    return draft.kind == POLICY and not draft.published_by and draft.base_version != visit.desk.follows


def readable(version: Version) -> PublishedPolicy:
    """What a published version says.

    Raises:
        Conflict: This release cannot read it.
    """
    try:
        return PublishedPolicy.from_content(version.content, version.version)
    except PolicyInvalid as invalid:
        words = f"This release cannot read policy version {version.version}: {invalid}."
        raise Conflict.one("version", "version_unreadable", words) from invalid


def usable(draft: Draft) -> PublishedPolicy:
    """The policy in a draft of one.

    Raises:
        NotFound: It is a draft of rates, or this release cannot use it any more.
    """
    if draft.kind == POLICY:
        try:
            return policy_of(draft)
        except PolicyInvalid:
            pass
    raise NotFound.one("draft", "draft_not_simulated", "There is no policy in this draft that could be tried.")


def _why_not(person: Person, draft: Draft, *, late: bool) -> str:
    if draft.published_by:
        return "It is published."
    if late:
        return "Another version was published since; it must be drafted anew."
    try:
        check_publisher(person, draft.author_id)
    except NotAllowed as refusal:
        return str(refusal)
    return ""


def _between(before: str, after: str) -> list[Difference]:
    try:
        first, second = (PublishedPolicy.from_content(content, 0) for content in (before, after))
    except PolicyInvalid:
        return [UNREADABLE]
    found = differences((first.plain_limits, first.rules()), (second.plain_limits, second.rules()))
    rules = {one: set(policy.rules()) for one, policy in enumerate((first, second))}
    told = {rule.rule for rule in rules[0] ^ rules[1]}
    rest = [wordless(policy.plain_limits, policy.plain_table, told) for policy in (first, second)]
    return found if rest[0] == rest[1] else [*found, ELSE]
