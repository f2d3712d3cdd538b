"""What a person may see and what waits on them, asked of both databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from plixo.domain.approval import State
from plixo.domain.duties import may_see
from plixo.domain.people import Group, Person
from plixo.store import inbox
from plixo.store.inbox import Search, Sort, Tab
from tests.support.rows import BOTH, CUSTOMER, INVOICE, NOW, Rows


async def found(rows: Rows, role: str, **search: Any) -> list[str]:
    async with rows.ledger.read() as session:
        records, total = await inbox.find(session, rows.people[role], Search(**search), rows.clock())
    assert total == len(records)
    return [record.approval.approval_id for record in records]


async def test_each_tab_holds_what_it_says(either_rows: Rows) -> None:
    rows = either_rows
    one, both = await rows.waiting(), await rows.waiting(stages=BOTH)
    own = await rows.waiting(requester="p-controller", stages=BOTH)
    rejected = await rows.waiting()
    await rows.decide(rejected, "controller", "reject")
    await rows.decide(both, "legal")
    assert set(await found(rows, "controller", tab=Tab.MINE)) == {one, both}
    assert set(await found(rows, "controller", tab=Tab.GROUPS)) == {one, both, own}
    assert await found(rows, "legal", tab=Tab.MINE) == [own]
    assert await found(rows, "controller", tab=Tab.DONE) == [rejected]
    assert set(await found(rows, "finance", tab=Tab.ALL)) == {one, both, own, rejected}
    assert await found(rows, "finance", tab=Tab.MINE) == []
    rows.clock.forward(days=3)  # where nobody is left to ask, office hours count
    assert set(await found(rows, "finance", tab=Tab.OVERDUE)) == {one, both, own}


async def test_the_counts_are_those_of_the_tabs(either_rows: Rows) -> None:
    for _ in range(3):
        await either_rows.waiting()
    await either_rows.waiting(stages=BOTH, requester="p-controller")
    for role in ("controller", "legal", "support", "finance"):
        async with either_rows.ledger.read() as session:
            counts = await inbox.counts(session, either_rows.people[role], either_rows.clock())
        for tab in Tab:
            assert counts[tab] == len(await found(either_rows, role, tab=tab)), (role, tab)


async def test_a_decision_that_waits_to_be_taken_up_is_out_of_ones_inbox(either_rows: Rows) -> None:
    approval_id = await either_rows.waiting()
    await either_rows.say(approval_id, "controller")
    assert await found(either_rows, "controller", tab=Tab.MINE) == []
    assert await found(either_rows, "controller", tab=Tab.GROUPS) == [approval_id]


async def test_whoever_is_asked_again_finds_it_in_their_inbox(either_rows: Rows) -> None:
    approval_id = await either_rows.waiting(3_800_000, stages=BOTH)
    other = await either_rows.waiting(3_900_000, stages=BOTH)
    for one in (approval_id, other):
        await either_rows.decide(one, "legal")
    assert await found(either_rows, "legal", tab=Tab.MINE) == []
    await either_rows.decide(approval_id, "controller", amount_minor=3_000_000)
    assert await found(either_rows, "legal", tab=Tab.MINE) == [approval_id]
    assert await found(either_rows, "controller", tab=Tab.MINE) == [other]


async def test_who_still_has_to_agree_is_read_with_the_list(either_rows: Rows) -> None:
    await either_rows.decide(await either_rows.waiting(stages=BOTH), "legal")
    async with either_rows.ledger.read() as session:
        (record,), _ = await inbox.find(session, either_rows.people["finance"], Search(), NOW)
    assert record.approval.waiting_groups() == (Group.CONTROLLER,)


@pytest.mark.parametrize("groups", [set(), {Group.SUPPORT}, {Group.SUPPORT, Group.FINANCE}, {Group.OPERATOR}])
@pytest.mark.parametrize("active", [True, False])
async def test_a_list_shows_exactly_what_a_page_would(rows: Rows, groups: set[Group], *, active: bool) -> None:
    reader = Person("p-reader", "Reader", "reader@plixo.example", frozenset(groups), active=active)
    await rows.add_person(reader)
    for requester in ("p-billing-admin", "p-reader"):
        await rows.ask(requester=requester)
    async with rows.ledger.read() as session:
        everything, _ = await inbox.find(session, rows.people["finance"], Search(), NOW)
    wanted = {one.approval.approval_id for one in everything if may_see(reader, one.approval.requester_id)}
    assert set(await found(rows, "reader")) == wanted


@pytest.mark.parametrize(
    ("text", "matches"),
    [("LOGISTICS", True), ("exl-00", True), ("%", False), ("_", False), ("\\", False), ("'; --", False), ("é", False)],
)
async def test_the_search_takes_words_as_they_are(either_rows: Rows, text: str, *, matches: bool) -> None:
    await either_rows.ask()
    assert bool(await found(either_rows, "finance", text=text)) == matches


async def test_every_filter_narrows(either_rows: Rows) -> None:
    approval_id = await either_rows.waiting()
    assert await found(either_rows, "finance", text=approval_id.lower(), state=State.WAITING) == [approval_id]
    assert await found(either_rows, "finance", customer_id=CUSTOMER, target_id=INVOICE) == [approval_id]
    for other in ({"state": State.EXECUTED}, {"customer_id": "cus_Other"}, {"target_id": "in_Other"}):
        assert await found(either_rows, "finance", **other) == []


async def test_every_order_is_the_same_on_both_databases(either_rows: Rows) -> None:
    small = await either_rows.waiting(10_000)
    either_rows.clock.forward(hours=1)
    large = await either_rows.waiting(90_000)
    either_rows.clock.forward(hours=1)
    unrouted = await either_rows.ask(50_000)
    assert await found(either_rows, "finance", sort=Sort.NEWEST) == [unrouted, large, small]
    assert await found(either_rows, "finance", sort=Sort.AMOUNT) == [large, unrouted, small]
    assert await found(either_rows, "finance", sort=Sort.DUE) == [small, large, unrouted]


async def test_pages_hold_everything_once(either_rows: Rows) -> None:
    asked = {await either_rows.ask() for _ in range(7)}
    pages: list[str] = []
    for page in (1, 2, 3, 4):
        async with either_rows.ledger.read() as session:
            records, total = await inbox.find(session, either_rows.people["finance"], Search(page=page, size=3), NOW)
        assert total == 7
        pages += [record.approval.approval_id for record in records]
    assert len(pages) == 7
    assert set(pages) == asked


async def test_a_customers_year_holds_what_was_applied_in_it(either_rows: Rows) -> None:
    rows = either_rows
    applied = await rows.approved()
    record = await rows.record(applied)
    done = replace(record, approval=record.approval.executing().executed(), ended_at=NOW, stripe_object="cn_1")
    async with rows.ledger.begin() as tx:
        await tx.save(replace(record, approval=record.approval.executing()))
    async with rows.ledger.begin() as tx:
        await tx.save(done)
    await rows.waiting()
    async with rows.ledger.read() as session:
        year = await inbox.applied_since(session, CUSTOMER, NOW - timedelta(days=1))
        none = await inbox.applied_since(session, CUSTOMER, NOW + timedelta(days=1))
        pending = await inbox.pending_for(session, rows.people["finance"], CUSTOMER)
        hidden = await inbox.pending_for(session, rows.people["support"], CUSTOMER)
    assert [one.approval.approval_id for one in year] == [applied]
    assert none == []
    assert [one.approval.state for one in pending] == [State.WAITING]
    assert hidden == []
