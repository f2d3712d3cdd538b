"""Deciding in somebody's place: handed on, re-assigned, or because they are away; and what comes of who may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.ids import ABSENCE_CHAIN
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Conflict, NotAllowed, Refused
from plixo.messages.approvals import Step
from plixo.store import absences, audit_export, inbox
from plixo.store.audit import AuditLine
from plixo.store.audit_file import check_block
from plixo.store.ledger import SqlTransaction
from starters.absences import TypedAbsence, come_back, go_away
from starters.decisions import Answer, Saying, decide
from tests.support.desk import Office
from tests.support.rows import CUSTOMER, NOW
from workers.stand_ins import StandIns

DAY = timedelta(days=1)


async def say(office: Office, approval_id: str, role: str, verdict: str, **more: str) -> Answer:
    saying = Saying(office.rows.people[role], Verdict(verdict), "because", office.rows.clock(), **more)
    return await decide(office.desk, approval_id, saying)


async def away(office: Office, role: str, delegate: str, *, by: str = "", days: int = 3, since: int = 0) -> Any:
    """Somebody is away, from so many days from now on."""
    today = office.rows.clock().date()
    first, last = today + since * DAY, today + (since + days) * DAY
    person = office.rows.people[role].person_id
    typed = TypedAbsence(first.isoformat(), last.isoformat(), office.rows.people[delegate].person_id, person)
    return await go_away(office.desk, office.rows.people[by or role], typed)


async def colleague(office: Office, name: str, *groups: Group, **more: Any) -> Person:
    person = Person(f"p-{name}", name.title(), f"{name}@plixo.example", frozenset(groups), **more)
    await office.rows.add_person(person)
    return person


async def executed(office: Office, approval_id: str) -> str:
    """What becomes of the effect."""
    done = await ActivityEnvironment().run(office.rows.effects(office.stripe).execute, Step(approval_id))
    return done.state


async def refused(office: Office, approval_id: str, role: str, verdict: str, **more: str) -> str:
    """The code of a refusal, which is in the audit log as well."""
    with pytest.raises(Refused) as caught:
        await say(office, approval_id, role, verdict, **more)
    traced = [line for line in await office.rows.trail(approval_id) if line.event.startswith("decision_")]
    assert traced[-1].detail["code"] == caught.value.code
    return caught.value.code


async def mine(office: Office, role: str) -> set[str]:
    """What waits on somebody in their inbox; the tab's number says the same."""
    async with office.rows.ledger.read() as session:
        person, now = office.rows.people[role], office.rows.clock()
        found, _ = await inbox.find(session, person, inbox.Search(inbox.Tab.MINE), now)
        counted = await inbox.counts(session, person, now)
    assert counted[inbox.Tab.MINE] == len(found)
    return {one.approval.approval_id for one in found}


async def test_whoever_is_asked_hands_it_to_a_colleague_who_decides_in_their_place(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    assert await mine(office, "finance") == set()
    assert (await say(office, approval_id, "controller", "delegate", to="finance@plixo.example")).answer == "accepted"
    assert await mine(office, "finance") == await mine(office, "controller") == {approval_id}
    letter = (await office.rows.letters("instead"))[0]
    assert (letter.recipient, letter.context["why_you"]) == (
        "finance@plixo.example",
        "Controller has handed it on to you",
    )
    answer = await say(office, approval_id, "finance", "approve")
    assert (answer.answer, answer.record.approval.state) == ("accepted", State.APPROVED)
    assert answer.record.approval.decisions[-1].basis == "delegate:p-controller"
    assert await executed(office, approval_id) == State.EXECUTED


async def test_whoever_handed_it_on_may_still_decide_until_the_other_has(office: Office) -> None:
    first, second = await office.asked(), await office.asked()
    for approval_id in (first, second):
        await say(office, approval_id, "controller", "delegate", to="p-finance")
    assert (await say(office, first, "controller", "approve")).record.approval.state is State.APPROVED
    assert (await say(office, second, "finance", "reject")).record.approval.state is State.REJECTED
    with pytest.raises(Conflict):
        await say(office, second, "controller", "approve")


async def test_handed_on_again_the_last_word_counts_and_twice_the_same_is_one(office: Office) -> None:
    approval_id = await office.asked()
    one = await say(office, approval_id, "controller", "delegate", to="p-finance")
    again = await say(office, approval_id, "controller", "delegate", to="p-finance")
    assert one.decision_id == again.decision_id
    await say(office, approval_id, "controller", "delegate", to="p-legal")
    assert await refused(office, approval_id, "finance", "approve") == "not_asked"
    assert (await say(office, approval_id, "legal", "approve")).answer == "accepted"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("p-controller", "colleague_self"),
        ("p-billing-admin", "own_request"),
        ("p-support", "decides_nothing"),
        ("p-nobody", "colleague_unknown"),
        ("p-related", "related_customer"),
        ("p-gone", "colleague_unknown"),
        ("p-legal", "already_asked"),
        ("p-second", "already_asked"),
    ],
)
async def test_it_is_handed_to_nobody_who_may_not_decide(office: Office, to: str, code: str) -> None:
    await colleague(office, "related", Group.FINANCE, related_customers=frozenset({CUSTOMER}))
    await colleague(office, "gone", Group.FINANCE, active=False)
    await colleague(office, "second", Group.CONTROLLER)
    approval_id = await office.asked("30000.00", reason="contract_concession")
    assert await refused(office, approval_id, "controller", "delegate", to=to) == code
    if code in {"own_request", "decides_nothing", "related_customer", "already_asked"}:  # nor past the door
        forged = await office.rows.say(approval_id, "controller", "delegate", subject=to)
        assert (await office.rows.take_up(approval_id, forged)).answer == "refused"
        assert (await office.rows.record(approval_id)).approval.decisions == ()


async def test_who_was_not_asked_hands_nothing_on_and_nor_does_a_delegate(office: Office) -> None:
    approval_id = await office.asked()
    assert await refused(office, approval_id, "finance", "delegate", to="p-operator") == "not_asked"
    await say(office, approval_id, "controller", "delegate", to="p-finance")
    assert await refused(office, approval_id, "finance", "delegate", to="p-operator") == "not_asked"


async def test_a_delegate_approves_no_more_than_who_handed_it_on_might(office: Office) -> None:
    await office.rows.change_person("controller", limits={"credit": 100_000})
    approval_id = await office.asked("4200.00")
    await say(office, approval_id, "controller", "delegate", to="p-finance")
    assert await refused(office, approval_id, "finance", "approve") == "above_limit"
    answer = await say(office, approval_id, "finance", "approve", amount="1000.00")
    assert answer.record.approval.agreed_minor == 100_000
    assert await executed(office, approval_id) == State.EXECUTED


async def test_the_mandate_wants_the_signed_delegation_behind_a_delegates_decision(either_office: Office) -> None:
    """Somebody who signs as the staff side did, but whose delegation nobody signed: nothing moves."""
    office = either_office
    approval_id = await office.asked()
    said = await office.rows.say(approval_id, "finance", group=Group.CONTROLLER, basis="delegate:p-controller")
    assert (await office.rows.take_up(approval_id, said)).answer == "refused"
    async with office.rows.ledger.begin() as tx:
        await force(tx, approval_id, said)
    assert await executed(office, approval_id) == State.NEEDS_ATTENTION
    assert office.stripe.made == []


async def force(tx: SqlTransaction, approval_id: str, decision_id: str) -> None:
    """A worker that was taken over says that it recorded the decision, and that the request is approved."""
    await tx.settle_decision(decision_id, "recorded", "", NOW)
    record = await tx.approval(approval_id)
    assert record is not None
    await tx.save(replace(record, approval=replace(record.approval, state=State.APPROVED)))


async def test_an_administrator_gives_a_part_to_another_approver_only_where_nobody_asked_is_there(
    either_office: Office,
) -> None:
    office = either_office
    approval_id = await office.asked()
    assert await refused(office, approval_id, "administrator", "reassign", to="p-cfo") == "somebody_is_there"
    await office.rows.change_person("controller", active=False)
    assert (await say(office, approval_id, "administrator", "reassign", to="p-cfo")).answer == "accepted"
    (letter,) = await office.rows.letters("instead")
    assert (letter.recipient, letter.context["why_you"]) == ("cfo@plixo.example", "Administrator has given it to you")
    answer = await say(office, approval_id, "cfo", "approve")
    assert answer.record.approval.decisions[-1].basis == "reassigned:p-administrator"
    assert await executed(office, approval_id) == State.EXECUTED
    recorded = [one.detail for one in await office.rows.trail(approval_id) if one.event == "decision_recorded"]
    assert [(one["verdict"], one.get("subject")) for one in recorded] == [("reassign", "p-cfo"), ("approve", None)]


@pytest.mark.parametrize(
    ("role", "to", "code"),
    [
        ("administrator", "p-administrator", "colleague_self"),
        ("administrator", "p-billing-admin", "own_request"),
        ("administrator", "p-related", "related_customer"),
        ("administrator", "p-finance", "not_approver"),
        ("operator", "p-cfo", "not_administrator"),
        ("controller", "p-cfo", "not_administrator"),
    ],
)
async def test_a_part_is_given_to_nobody_who_may_not_decide_and_by_administrators_alone(
    office: Office, role: str, to: str, code: str
) -> None:
    await colleague(office, "related", Group.CFO, related_customers=frozenset({CUSTOMER}))
    approval_id = await office.asked()
    if role == "administrator":
        await office.rows.change_person("controller", active=False)
    assert await refused(office, approval_id, role, "reassign", to=to) == code
    forged = await office.rows.say(approval_id, role, "reassign", subject=to, group=Group.CONTROLLER)
    assert (await office.rows.take_up(approval_id, forged)).answer == "refused"


async def test_administrators_decide_nothing_and_re_assign_nothing_of_their_own(office: Office) -> None:
    await office.rows.change_person("administrator", groups=frozenset({Group.ADMINISTRATOR, Group.BILLING_ADMIN}))
    approval_id = await office.asked(role="administrator")
    await colleague(office, "second", Group.CONTROLLER)
    assert await refused(office, approval_id, "administrator", "reassign", to="p-second") == "own_request"
    other = await office.asked()
    assert await refused(office, other, "administrator", "approve") == "not_asked"


async def test_where_two_groups_wait_it_is_said_whose_part_is_given(office: Office) -> None:
    approval_id = await office.asked("30000.00", reason="contract_concession")
    await office.rows.change_person("legal", active=False)
    assert await refused(office, approval_id, "administrator", "reassign", to="p-cfo") == "group_missing"
    assert await refused(office, approval_id, "administrator", "reassign", to="p-cfo", group="cfo") == "group_not_asked"
    await say(office, approval_id, "administrator", "reassign", to="p-cfo", group="legal")
    await say(office, approval_id, "controller", "approve")
    assert (await say(office, approval_id, "cfo", "approve")).record.approval.state is State.APPROVED
    assert await executed(office, approval_id) == State.EXECUTED


async def test_from_the_moment_somebody_is_away_who_stands_in_decides_on_what_waits_and_what_comes(
    either_office: Office,
) -> None:
    office = either_office
    waits = await office.asked()
    assert await refused(office, waits, "finance", "approve") == "not_asked"
    await away(office, "controller", "finance")
    comes = await office.asked()
    assert await mine(office, "finance") == {waits, comes}
    letters = {(one.recipient, one.key.split("/")[0]): one for one in await office.rows.letters("instead")}
    assert letters[("finance@plixo.example", comes)].context["why_you"].startswith("Controller is away until ")
    assert [one.key.split("/")[0] for one in await office.rows.letters("asked")] == [waits], (
        "nobody writes to who is away"
    )
    for approval_id in (waits, comes):
        answer = await say(office, approval_id, "finance", "approve")
        assert answer.record.approval.decisions[-1].basis == "delegate:p-controller"
        assert await executed(office, approval_id) == State.EXECUTED


async def test_others_of_the_group_still_decide_and_who_is_away_as_well(office: Office) -> None:
    await colleague(office, "second", Group.CONTROLLER)
    await away(office, "controller", "finance")
    first, second = await office.asked(), await office.asked()
    assert (await say(office, first, "second", "approve")).record.approval.state is State.APPROVED
    assert (await say(office, second, "controller", "approve")).record.approval.state is State.APPROVED


async def test_before_it_begins_and_after_it_is_over_nobody_stands_in(either_office: Office) -> None:
    office = either_office
    await away(office, "controller", "finance", since=2, days=1)
    approval_id = await office.asked()
    assert await refused(office, approval_id, "finance", "approve") == "not_asked"
    office.rows.clock.forward(seconds=2 * 86400)
    assert await mine(office, "finance") == {approval_id}
    await come_back(office.desk, office.rows.people["controller"])
    assert await mine(office, "finance") == set()
    assert await refused(office, approval_id, "finance", "approve") == "not_asked"
    with pytest.raises(Conflict, match="not away"):
        await come_back(office.desk, office.rows.people["controller"])


async def test_what_was_signed_while_somebody_was_away_counts_after_they_are_back(office: Office) -> None:
    await away(office, "controller", "finance")
    approval_id = await office.asked()
    said = await office.rows.say(approval_id, "finance", group=Group.CONTROLLER, basis="delegate:p-controller")
    office.rows.clock.forward(seconds=60)
    await come_back(office.desk, office.rows.people["controller"])
    late = await office.rows.say(
        approval_id, "finance", "reject", group=Group.CONTROLLER, basis="delegate:p-controller"
    )
    assert (await office.rows.take_up(approval_id, late)).answer == "refused"
    assert (await office.rows.take_up(approval_id, said)).answer == "accepted"
    assert await executed(office, approval_id) == State.EXECUTED


async def test_a_chain_is_followed_and_its_last_is_written_to(office: Office) -> None:
    await away(office, "controller", "finance")
    await away(office, "finance", "legal")
    approval_id = await office.asked()
    (letter,) = await office.rows.letters("instead")
    assert letter.recipient == "legal@plixo.example"
    answer = await say(office, approval_id, "legal", "approve")
    assert answer.record.approval.decisions[-1].basis == "delegate:p-controller"
    assert await executed(office, approval_id) == State.EXECUTED


async def test_whoever_stands_in_for_a_delegate_decides_for_who_handed_it_on(office: Office) -> None:
    approval_id = await office.asked()
    await say(office, approval_id, "controller", "delegate", to="p-finance")
    await away(office, "finance", "legal")
    answer = await say(office, approval_id, "legal", "approve")
    assert answer.record.approval.decisions[-1].basis == "delegate:p-controller"
    assert await executed(office, approval_id) == State.EXECUTED


async def test_no_chain_leads_to_the_requester_or_over_them_or_to_somebody_related(office: Office) -> None:
    """Who stands in for the requester was named by the requester."""
    await colleague(office, "related", Group.FINANCE, related_customers=frozenset({CUSTOMER}))
    await away(office, "controller", "billing_admin")
    approval_id = await office.asked()
    assert await refused(office, approval_id, "billing_admin", "approve") == "own_request"
    await away(office, "billing_admin", "operator")
    assert await refused(office, approval_id, "operator", "approve") == "not_asked"
    await come_back(office.desk, office.rows.people["controller"])
    office.rows.clock.forward(seconds=1)
    await away(office, "controller", "related")
    await away(office, "related", "finance")
    assert await refused(office, approval_id, "related", "approve") == "related_customer"
    assert await refused(office, approval_id, "finance", "approve") == "not_asked"


async def test_the_mandate_wants_a_signed_absence_that_covers_the_moment_of_the_signature(
    either_office: Office,
) -> None:
    office = either_office
    before = await office.asked()
    said = await office.rows.say(before, "finance", group=Group.CONTROLLER, basis="delegate:p-controller")
    office.rows.clock.forward(seconds=5)
    await away(office, "controller", "finance")
    assert (await office.rows.take_up(before, said)).answer == "refused", "it was signed before"
    forged = await office.asked()
    said_too = await office.rows.say(forged, "finance", group=Group.CONTROLLER, basis="delegate:p-controller")
    for approval_id, decision_id in ((before, said), (forged, said_too)):
        async with office.rows.ledger.begin() as tx:
            await force(tx, approval_id, decision_id)
    assert await executed(office, before) == State.NEEDS_ATTENTION
    assert await executed(office, forged) == State.EXECUTED


async def test_an_absence_that_nobody_signed_lets_nobody_stand_in(either_office: Office) -> None:
    """Somebody with the database's password writes the row, without the key."""
    office = either_office
    real = await away(office, "legal", "finance")
    approval_id = await office.asked()
    async with office.rows.ledger.begin() as tx:
        found = await absences.load(tx.session, real.absence_id)
        assert found is not None
        theirs = replace(real, absence_id="AB-forged", person_id="p-controller")
        await absences.insert(tx.session, theirs, found.signed, NOW)
    assert await refused(office, approval_id, "finance", "approve") == "not_asked"
    said = await office.rows.say(approval_id, "finance", group=Group.CONTROLLER, basis="delegate:p-controller")
    assert (await office.rows.take_up(approval_id, said)).answer == "refused"
    async with office.rows.ledger.begin() as tx:
        await force(tx, approval_id, said)
    assert await executed(office, approval_id) == State.NEEDS_ATTENTION


async def test_who_was_away_is_in_the_audit_log_with_its_signature(either_office: Office) -> None:
    office = either_office
    await away(office, "controller", "finance")
    await come_back(office.desk, office.rows.people["controller"])
    with pytest.raises(Refused):
        await away(office, "legal", "cfo", by="finance")
    events = [(line.event, line.actor) for line in await office.rows.trail(ABSENCE_CHAIN)]
    assert events == [
        ("absence_entered", "p-controller"),
        ("absence_ended", "p-controller"),
        ("absence_refused", "p-finance"),
    ]
    async with office.rows.ledger.read() as session:
        (block,) = [block async for block in audit_export.blocks(session, [ABSENCE_CHAIN])]
    assert check_block(block, office.rows.verifier) is None
    for number, name in ((0, "delegate_id"), (1, "ended_by")):
        line = block["chain"][number]
        forged = {**line, "detail": {**line["detail"], name: "p-cfo"}}
        forged["hash"] = AuditLine(**forged).expected_hash()
        alone = {**block, "chain": [*block["chain"][:number], forged]}
        assert f"entry {number + 1}: what stands beside the signature" in str(check_block(alone, office.rows.verifier))


async def test_when_an_absence_begins_who_stands_in_is_told_once_of_what_waits_by_then(either_office: Office) -> None:
    office = either_office
    look = StandIns(office.rows.ledger, office.rows.clock).look
    await away(office, "controller", "finance", since=1, days=1)
    approval_id, other = await office.asked(), await office.asked(role="controller", reason="dispute")
    assert (await look(), await office.rows.letters("absence")) == (0, [])
    office.rows.clock.forward(seconds=86400)
    assert [await look(), await look()] == [1, 0]
    (letter,) = await office.rows.letters("absence")
    assert (letter.recipient, letter.context["person"], letter.context["count"]) == (
        "finance@plixo.example", "Controller", 1,
    )  # fmt: skip
    assert [one["approval_id"] for one in letter.context["lines"]] == [approval_id]
    assert other not in str(letter.context), "what who is away asked for themselves is for nobody who stands in"
    await away(office, "finance", "legal")
    assert await look() == 2, "the next in the chain is told of both who are away"
    assert {one.recipient for one in await office.rows.letters("absence")} == {
        "finance@plixo.example", "legal@plixo.example",
    }  # fmt: skip


async def test_the_hours_of_who_stands_in_count_where_nobody_asked_is_there(office: Office) -> None:
    """The calendars of the rows run round the clock, but for days on which somebody is away."""
    await away(office, "controller", "finance", days=9)
    absent = await office.rows.record(await office.asked())
    assert absent.moments is not None
    assert {event.person_id for event in absent.moments.events if event.person_id} == {"p-finance"}
    assert absent.due_at == office.rows.clock() + timedelta(hours=8)


async def test_days_on_which_somebody_will_be_away_are_closed_in_their_calendar(office: Office) -> None:
    await away(office, "controller", "finance", since=1, days=2)
    office.rows.clock.at = office.rows.clock().replace(hour=20, minute=0)
    record = await office.rows.record(await office.asked())
    assert record.due_at is not None
    assert record.due_at > office.rows.clock() + timedelta(days=3)


async def test_whoever_asked_nudges_once_a_business_day_and_learns_when_again(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    await away(office, "controller", "finance")
    assert (await say(office, approval_id, "billing_admin", "nudge")).answer == "accepted"
    (letter,) = await office.rows.letters("nudge")
    assert letter.recipient == "finance@plixo.example"
    with pytest.raises(NotAllowed, match=r"again from \w{3} \d+ \w{3} \d{4}, \d\d:\d\d on"):
        await say(office, approval_id, "billing_admin", "nudge")
    again = await office.rows.say(approval_id, "billing_admin", "nudge", decision_id="DE-again")
    assert (await office.rows.take_up(approval_id, again)).answer == "refused"
    assert await refused(office, approval_id, "controller", "nudge") == "not_requester"
    office.rows.clock.forward(seconds=4 * 86400)
    assert (await say(office, approval_id, "billing_admin", "nudge")).answer == "accepted"
    assert len(await office.rows.letters("nudge")) == 2


async def test_reminders_nudges_and_escalations_keep_quiet_hours_and_first_asks_do_not(office: Office) -> None:
    office.rows.clock.at = datetime(2026, 8, 4, 2, 0, tzinfo=UTC)  # 22:00 in New York, where the Controller reads
    approval_id = await office.asked()
    await say(office, approval_id, "billing_admin", "nudge")
    (asked,), (nudged,) = await office.rows.letters("asked"), await office.rows.letters("nudge")
    morning = datetime(2026, 8, 4, 12, 0, tzinfo=UTC)
    assert (asked.not_before, nudged.not_before) == (None, morning)
    office.rows.clock.at = datetime(2026, 8, 5, 3, 0, tzinfo=UTC)
    await office.rows.approvals.remind(Step(approval_id))
    await office.rows.approvals.escalate(Step(approval_id))
    late = [*await office.rows.letters("reminder"), *await office.rows.letters("escalated")]
    assert {one.not_before for one in late} == {morning + DAY}
