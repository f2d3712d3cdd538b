"""Finding requests: what a person may see of them, what waits on them, and what is known of a customer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import permutations
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, func, nulls_last, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from plixo.domain.absence import in_place_of
from plixo.domain.approval import COUNTED, ENDED, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import may_see_all
from plixo.domain.people import APPROVERS, Person
from plixo.ports import Record
from plixo.store import absences, people, readable
from plixo.store.approvals import stand_in, to_record
from plixo.store.decisions import recorded_of
from plixo.store.models import ApprovalRow, DecisionRow


class Tab(StrEnum):
    """A part of the inbox."""

    MINE = "mine"
    GROUPS = "groups"
    OVERDUE = "overdue"
    DONE = "done"
    ALL = "all"

    @property
    def label(self) -> str:
        """As it stands on the page."""
        return {"mine": "For me", "groups": "My groups"}.get(self.value, self.value.capitalize())


class Sort(StrEnum):
    """An order of the inbox."""

    DUE = "due"
    NEWEST = "newest"
    AMOUNT = "amount"

    @property
    def label(self) -> str:
        """As it stands on the page."""
        return {"due": "Due first", "newest": "Newest first", "amount": "Largest first"}[self.value]


PAGE_SIZE: Final = 25

_SETTLING: Final = tuple(verdict.value for verdict in Verdict if verdict.settles)
_WITH_REQUESTER: Final = (State.NEEDS_INFORMATION.value, State.RETURNED.value)
_UNENDED: Final = tuple(state.value for state in State if state not in ENDED)


@dataclass(frozen=True)
class Search:
    """What is looked for; every field narrows it.

    Attributes:
        tab: Which part of the inbox.
        text: Part of the customer's name, the invoice's number, the request's or Stripe's id.
        state: In this state.
        customer_id: For this customer.
        target_id: On this invoice or balance.
        sort: In which order.
        page: Counted from 1.
        size: How many a page.
    """

    tab: Tab = Tab.ALL
    text: str = ""
    state: State | None = None
    customer_id: str = ""
    target_id: str = ""
    sort: Sort = Sort.NEWEST
    page: int = 1
    size: int = PAGE_SIZE


async def find(
    session: AsyncSession,
    person: Person,
    search: Search,
    now: datetime,
    *,
    most: int | None = None,
    counted: Mapping[Tab, int] | None = None,
) -> tuple[Sequence[Record], int]:
    """One page of what the person may see and looks for, and how many there are in all.

    Args:
        session: Reads the database.
        person: Who looks.
        search: For what.
        now: What time it is.
        most: Count no further than that; one more says that there are more.
        counted: What `counts` said of the tabs a moment ago; where nothing narrows the tab, that is the answer.
    """
    narrowed = _narrowed(search)
    away_ones = await _in_place_of(session, person, now) if search.tab is Tab.MINE else ()
    found = and_(_visible(person), _in_tab(person, search.tab, now, away_ones), *narrowed)
    # The ids alone come from an index, in order; the rows, which are long, are read for one page only.
    query = _ordered(select(ApprovalRow.approval_id).where(found), search.sort)
    ids = (await session.execute(query.limit(search.size).offset((search.page - 1) * search.size))).scalars().all()
    records = await _by_ids(session, ids)
    return records, counted[search.tab] if counted and not narrowed else await _count(session, found, most)


async def by_ids(session: AsyncSession, person: Person, ids: Sequence[str]) -> Mapping[str, Record]:
    """Those of the requests that the person may see, each with everything that was recorded of it."""
    query = select(ApprovalRow).where(_visible(person), ApprovalRow.approval_id.in_(ids))
    rows = await readable.rows(session, query, ApprovalRow.approval_id)
    said = await recorded_of(session, ids)
    return {row.approval_id: to_record(row, said.get(row.approval_id, ())) for row in rows}


async def counts(session: AsyncSession, person: Person, now: datetime, *, most: int | None = None) -> dict[Tab, int]:
    """How many requests each part of the inbox holds; counted no further than `find` does."""
    seen, away_ones = _visible(person), await _in_place_of(session, person, now)
    wanted = select(
        *(_counting(and_(seen, _in_tab(person, tab, now, away_ones)), most).scalar_subquery() for tab in Tab)
    )
    row = (await session.execute(wanted)).one()
    return {tab: int(count) for tab, count in zip(Tab, row, strict=True)}


async def needing_attention(session: AsyncSession, person: Person) -> int:
    """How many requests a person must look at, of those this one may see."""
    return await _count(session, and_(_visible(person), ApprovalRow.state == State.NEEDS_ATTENTION.value))


async def applied_since(session: AsyncSession, customer_id: str, since: datetime) -> Sequence[Record]:
    """What the customer got in Stripe since then, oldest first."""
    query = (
        select(ApprovalRow)
        .where(
            ApprovalRow.customer_id == customer_id,
            ApprovalRow.state == State.EXECUTED.value,
            ApprovalRow.ended_at >= since,
        )
        .order_by(ApprovalRow.ended_at)
    )
    return [to_record(row, ()) for row in await readable.rows(session, query, ApprovalRow.approval_id)]


async def pending_for(session: AsyncSession, person: Person, customer_id: str) -> Sequence[Record]:
    """What else is asked for the customer and not applied yet, of what the person may see; newest first."""
    unapplied = [state.value for state in COUNTED - {State.EXECUTED}]
    query = (
        select(ApprovalRow)
        .where(_visible(person), ApprovalRow.customer_id == customer_id, ApprovalRow.state.in_(unapplied))
        .order_by(ApprovalRow.created_at.desc())
        .limit(PAGE_SIZE)
    )
    return await _records(session, await readable.rows(session, query, ApprovalRow.approval_id))


async def _count(session: AsyncSession, wanted: ColumnElement[bool], most: int | None = None) -> int:
    return int((await session.execute(_counting(wanted, most))).scalar_one())


def _counting(wanted: ColumnElement[bool], most: int | None) -> Select[Any]:
    if most is None:
        return select(func.count()).select_from(ApprovalRow).where(wanted)
    found = select(ApprovalRow.approval_id).where(wanted).limit(most + 1)
    return select(func.count()).select_from(found.subquery())


async def _by_ids(session: AsyncSession, ids: Sequence[str]) -> list[Record]:
    """Requests in the order of their ids here."""
    query = select(ApprovalRow).where(ApprovalRow.approval_id.in_(ids))
    rows = await readable.rows(session, query, ApprovalRow.approval_id)
    found = {row.approval_id: row for row in rows}
    return await _records(session, [found[one] for one in ids if one in found])


async def _records(session: AsyncSession, rows: Sequence[ApprovalRow]) -> list[Record]:
    """The rows as records; decisions are read only where they tell who is still asked."""
    records = [to_record(row, ()) for row in rows]
    several = [record.approval.approval_id for record in records if _asks_several(record)]
    said = await recorded_of(session, several)
    return [_with_decisions(record, said.get(record.approval.approval_id, ())) for record in records]


def _asks_several(record: Record) -> bool:
    stage = record.approval.current_stage
    return stage is not None and (len(stage.seats) > 1 or stage.seats[0].quorum > 1)


def _with_decisions(record: Record, decisions: tuple[Decision, ...]) -> Record:
    return replace(record, approval=replace(record.approval, decisions=decisions)) if decisions else record


def _visible(person: Person) -> ColumnElement[bool]:
    """The same rule as `plixo.domain.duties.may_see`, for many at once."""
    if may_see_all(person):
        return true()
    return ApprovalRow.requester_id == person.person_id if person.active else false()


async def _in_place_of(session: AsyncSession, person: Person, now: datetime) -> Sequence[Person]:
    """Those who are away and in whose place the person decides."""
    found = [one.absence for one in await absences.lasting(session, now)]
    ids = {one.person_id for one in found if person.person_id in in_place_of(found, one.person_id, now)}
    return list((await people.by_ids(session, ids)).values()) if ids else ()


def _in_tab(person: Person, tab: Tab, now: datetime, away_ones: Sequence[Person] = ()) -> ColumnElement[bool]:
    waiting = ApprovalRow.state == State.WAITING.value
    if tab is Tab.MINE:
        lies_with_me = and_(ApprovalRow.state.in_(_WITH_REQUESTER), ApprovalRow.requester_id == person.person_id)
        theirs = [and_(_asks(one), _independent(one), ~_decided_by(one)) for one in away_ones]
        return or_(and_(waiting, or_(_asks(person), *theirs), _independent(person), ~_decided_by(person)), lies_with_me)
    if tab is Tab.GROUPS:
        return and_(waiting, _asks(person))
    if tab is Tab.OVERDUE:
        return and_(waiting, ApprovalRow.due_at < now)
    if tab is Tab.DONE:
        return ApprovalRow.state.not_in(_UNENDED)  # so that the index of moments is read, and not nearly all rows
    return true()


def _asks(person: Person) -> ColumnElement[bool]:
    """Every list of approvers, in any order, in which one of the person's groups is; an index knows each.

    And whatever they may decide on in the place of others.
    """
    lists = [asked for size in range(len(APPROVERS)) for asked in permutations(sorted(APPROVERS), size + 1)]
    mine = [",".join(asked) for asked in lists if person.groups.intersection(asked)]
    return or_(ApprovalRow.waits_on.in_(mine), ApprovalRow.stand_ins.contains(stand_in(person.person_id)))


def _independent(person: Person) -> ColumnElement[bool]:
    related = sorted(person.related_customers)
    return and_(ApprovalRow.requester_id != person.person_id, ApprovalRow.customer_id.not_in(related))


def _decided_by(person: Person) -> ColumnElement[bool]:
    """Whether what they said stands: whoever approved more than another one of the waiting stage is asked again."""
    less = aliased(DecisionRow)
    asked_again = (
        select(less.decision_id)
        .where(
            less.approval_id == DecisionRow.approval_id,
            less.round >= ApprovalRow.since_round,
            less.stage == DecisionRow.stage,
            less.verdict == Verdict.APPROVE.value,
            less.status == "recorded",
            less.amount_minor < DecisionRow.amount_minor,
            less.amount_minor < ApprovalRow.amount_minor,  # who approved more agrees to the less asked since
        )
        .correlate(DecisionRow, ApprovalRow)
        .exists()
    )
    return (
        select(DecisionRow.decision_id)
        .where(
            DecisionRow.approval_id == ApprovalRow.approval_id,
            DecisionRow.round >= ApprovalRow.since_round,
            DecisionRow.person_id == person.person_id,
            DecisionRow.status.in_(["submitted", "recorded"]),
            DecisionRow.verdict.in_(_SETTLING),
            or_(
                DecisionRow.stage != ApprovalRow.stage,
                DecisionRow.verdict != Verdict.APPROVE.value,  # a rejection stands, though it may not end the request
                ~asked_again,
            ),
        )
        .exists()
    )


def _narrowed(search: Search) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if search.text:
        found.append(_mentions(search.text))
    if search.state:
        found.append(ApprovalRow.state == search.state.value)
    if search.customer_id:
        found.append(ApprovalRow.customer_id == search.customer_id)
    if search.target_id:
        found.append(ApprovalRow.target_id == search.target_id)
    return found


def _mentions(text: str) -> ColumnElement[bool]:
    number = ApprovalRow.change["target"]["number"].as_string()
    columns = (ApprovalRow.customer_name, ApprovalRow.approval_id, ApprovalRow.stripe_object, number)
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def _ordered(query: Select[Any], sort: Sort) -> Select[Any]:
    """In that order, and always in the same one where two are alike."""
    if sort is Sort.DUE:
        query = query.order_by(nulls_last(ApprovalRow.due_at.asc()))
    if sort is Sort.AMOUNT:
        query = query.order_by(ApprovalRow.base_minor.desc())
    return query.order_by(ApprovalRow.created_at.desc(), ApprovalRow.approval_id)
