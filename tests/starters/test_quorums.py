"""Quorums, series, rejections and empty groups on real rows, on each database: from asking to Stripe."""

from dataclasses import replace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from plixo.domain.approval import State
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict, NotAllowed
from plixo.messages.approvals import Step
from plixo.policy.published import PublishedPolicy
from plixo.store import inbox
from plixo.store.inbox import Search, Tab
from tests.support.desk import Office
from tests.support.rows import INVOICE, keys_of

TWO_OF_THREE = {"controller": [{"seats": {"controller": 2}, "one_rejection_ends": False}]}
LEGAL_FIRST = {"both": [{"seats": {"legal": 1}}, {"seats": {"controller": 1}}]}


def governed(office: Office, **limits: Any) -> None:
    """From now on the desk routes by this policy."""
    holds = office.desk.policy
    changed = PublishedPolicy.from_parts({**holds.plain_limits, **limits}, holds.plain_table, holds.version)
    office.desk = replace(office.desk, policy=changed, trust=replace(office.desk.trust, shipped=changed.hash))


async def controllers(office: Office, *names: str) -> None:
    for name in names:
        who = replace(office.rows.people["controller"], person_id=f"p-{name}", name=name, email=f"{name}@plixo.example")
        await office.rows.add_person(replace(who, delegate_id=None))


async def for_me(office: Office, role: str) -> list[str]:
    async with office.rows.ledger.read() as session:
        mine = Search(tab=Tab.MINE)
        found, _ = await inbox.find(session, office.rows.people[role], mine, office.rows.clock())
    return [record.approval.approval_id for record in found]


async def execute(office: Office, approval_id: str) -> State:
    await ActivityEnvironment().run(office.rows.effects(office.stripe).execute, Step(approval_id))
    return await office.rows.state(approval_id)


async def test_two_of_three_agree_though_one_rejects_and_it_reaches_stripe_once(either_office: Office) -> None:
    office = either_office
    await controllers(office, "second", "third")
    governed(office, stages=TWO_OF_THREE)
    approval_id = await office.asked(invoice=INVOICE)
    record = await office.rows.record(approval_id)
    assert record.approval.could == ((Group.CONTROLLER, 3),)
    await office.decide(approval_id, "second", "reject")
    assert await office.rows.state(approval_id) is State.WAITING
    assert await for_me(office, "second") == []
    assert await for_me(office, "third") == [approval_id]
    with pytest.raises(Conflict):
        await office.decide(approval_id, "second")
    await office.decide(approval_id, "controller", amount="4000.00")
    assert await for_me(office, "second") == [], "a rejection stands, whatever is asked for by now"
    await office.decide(approval_id, "third", amount="4000.00")
    assert await office.rows.state(approval_id) is State.APPROVED
    assert await execute(office, approval_id) is State.EXECUTED
    ((effect, _),) = office.stripe.made
    assert effect.amount.minor == 400_000


async def test_it_is_rejected_once_the_quorum_is_out_of_reach_and_its_requester_is_told(either_office: Office) -> None:
    office = either_office
    await controllers(office, "second", "third")
    governed(office, stages=TWO_OF_THREE)
    approval_id = await office.asked()
    await office.decide(approval_id, "controller", "reject")
    assert await office.rows.letters("rejected") == []
    await office.decide(approval_id, "second", "reject")
    assert await office.rows.state(approval_id) is State.REJECTED
    assert keys_of(await office.rows.letters("rejected")) == [f"{approval_id}/rejected/0/p-billing-admin"]


async def test_legal_is_asked_first_and_the_controller_then(either_office: Office) -> None:
    office = either_office
    governed(office, stages=LEGAL_FIRST)
    approval_id = await office.asked("38000.00", reason="contract_concession")
    assert (await office.rows.record(approval_id)).approval.path.describe() == ("Legal", "Controller")
    assert await for_me(office, "controller") == []
    with pytest.raises(NotAllowed):
        await office.decide(approval_id, "controller")
    await office.decide(approval_id, "legal")
    assert await for_me(office, "controller") == [approval_id]
    await office.decide(approval_id, "controller")
    assert await office.rows.state(approval_id) is State.APPROVED
    asked = {row.recipient for row in await office.rows.letters("asked")}
    assert asked == {"legal@plixo.example", "controller@plixo.example"}


async def test_an_empty_group_goes_to_its_fallback_who_are_written_to_find_it_and_decide(either_office: Office) -> None:
    office = either_office
    await office.rows.change_person("controller", related_customers=frozenset({"cus_ExampleLogistics"}))
    approval_id = await office.asked(invoice=INVOICE)
    (entry,) = [line for line in await office.rows.trail(approval_id) if line.event == "group_empty"]
    assert entry.detail == {"group": "controller", "to": "cfo", "people": ["p-cfo"]}
    (letter,) = await office.rows.letters("asked")
    assert letter.recipient == "cfo@plixo.example"
    assert letter.context["why_asked"].endswith("Nobody of Controller could decide, so CFO decides in its place.")
    assert await for_me(office, "cfo") == [approval_id]
    answer = await office.decide(approval_id, "cfo")
    (decision,) = answer.record.approval.decisions
    assert (decision.group, decision.basis) == (Group.CONTROLLER, "fallback:cfo")
    assert await execute(office, approval_id) is State.EXECUTED


async def test_a_later_stage_goes_to_its_fallback_when_it_begins(either_office: Office) -> None:
    office = either_office
    governed(office, stages=LEGAL_FIRST)
    approval_id = await office.asked("38000.00", reason="contract_concession")
    await office.rows.change_person("controller", active=False)
    assert "group_empty" not in await office.rows.events(approval_id)
    await office.decide(approval_id, "legal")
    record = await office.rows.record(approval_id)
    assert [(one.seat, one.to, one.fallback) for one in record.approval.escalated] == [(Group.CONTROLLER, "cfo", True)]
    assert await for_me(office, "cfo") == [approval_id]
    await office.decide(approval_id, "cfo")
    assert await office.rows.state(approval_id) is State.APPROVED


async def test_with_nobody_left_it_waits_and_says_so(either_office: Office) -> None:
    office = either_office
    for role in ("controller", "cfo"):
        await office.rows.change_person(role, active=False)
    approval_id = await office.asked()
    assert await office.rows.state(approval_id) is State.WAITING
    (entry,) = [line for line in await office.rows.trail(approval_id) if line.event == "group_empty"]
    assert entry.detail == {"group": "controller", "to": "cfo", "people": []}
    await office.rows.change_person("controller", active=True)
    await office.decide(approval_id, "controller")
    assert await office.rows.state(approval_id) is State.APPROVED


async def test_who_left_the_fallback_moves_no_money(either_office: Office) -> None:
    office = either_office
    await office.rows.change_person("controller", active=False)
    approval_id = await office.asked(invoice=INVOICE)
    await office.decide(approval_id, "cfo")
    await office.rows.change_person("cfo", groups=frozenset({Group.FINANCE}))
    assert await execute(office, approval_id) is State.NEEDS_ATTENTION
    assert office.stripe.made == []


async def test_a_reminder_goes_to_whoever_decides_in_an_empty_groups_place(either_office: Office) -> None:
    office = either_office
    await office.rows.change_person("controller", active=False)
    approval_id = await office.asked()
    standing = await office.rows.approvals.open(Step(approval_id))
    assert (standing.next_event, standing.stand_ins) == ("remind", "CFO")
    office.rows.clock.forward(seconds=standing.next_at - office.rows.clock().timestamp())
    await office.rows.approvals.remind(Step(approval_id, at=standing.next_at))
    assert [row.recipient for row in await office.rows.letters("reminder")] == ["cfo@plixo.example"]


async def test_nobody_is_let_in_twice_by_a_fallback_and_by_the_clock(either_office: Office) -> None:
    """The Controller's clock lets the CFO decide as well after 16 hours, who decides from the start here."""
    office = either_office
    await office.rows.change_person("controller", active=False)
    approval_id = await office.asked()
    standing = await office.rows.approvals.open(Step(approval_id))
    while standing.next_event in {"remind", "escalate"}:
        office.rows.clock.forward(seconds=max(standing.next_at - office.rows.clock().timestamp(), 0))
        act = {"remind": office.rows.approvals.remind, "escalate": office.rows.approvals.escalate}
        standing = await act[standing.next_event](Step(approval_id, at=standing.next_at))
    assert await office.rows.letters("escalated") == []
    record = await office.rows.record(approval_id)
    assert [one.stand_ins for one in record.approval.escalated if one.stand_ins] == [(("p-cfo", "fallback:cfo"),)]


async def test_a_forged_row_that_opens_a_fallback_which_was_not_signed_moves_no_money(either_office: Office) -> None:
    """Whoever holds a worker writes the clocks; what the seat goes to is signed."""
    office = either_office
    governed(office, fallback={})
    approval_id = await office.asked(invoice=INVOICE)
    said = await office.rows.say(approval_id, "cfo", group=Group.CONTROLLER, basis="fallback:cfo")
    assert (await office.rows.take_up(approval_id, said)).answer == "refused"
    assert await office.rows.state(approval_id) is State.WAITING


async def test_whoever_decides_in_an_empty_groups_place_may_ask_first_and_who_could_decide_stays(
    either_office: Office,
) -> None:
    office = either_office
    governed(office, stages={"controller": [{"seats": {"controller": 1}, "one_rejection_ends": False}]})
    await office.rows.change_person("controller", active=False)
    approval_id = await office.asked()
    before = (await office.rows.record(approval_id)).approval
    await office.decide(approval_id, "cfo", "ask", "Which invoice?")
    assert await office.rows.state(approval_id) is State.NEEDS_INFORMATION
    await office.decide(approval_id, "billing_admin", "answer", "That of May.")
    after = (await office.rows.record(approval_id)).approval
    assert (after.state, after.could, after.escalated) == (State.WAITING, before.could, before.escalated)
    assert after.could == ((Group.CONTROLLER, 1),)
    await office.decide(approval_id, "cfo")
    assert await office.rows.state(approval_id) is State.APPROVED
