"""Amending a request on the staff side: read anew, routed anew, signed, stored, and told after that."""

import json
from dataclasses import replace
from typing import Any

import pytest
from temporalio.service import RPCStatusCode

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Refused
from plixo.messages.approvals import Decide
from plixo.store import amendments, audit_export, sums
from plixo.store.audit_file import check_block, rounds_of
from starters.amending import AmendForm, preview_amendment
from starters.decisions import KEPT, Saying
from tests.support.desk import Office, away, together
from tests.support.rows import CUSTOMER, INVOICE, facts, tamper
from web.audit_story import story_html


async def routed(office: Office, approval_id: str) -> tuple[str, tuple[str, ...], int, int]:
    record = await office.rows.record(approval_id)
    path = record.approval.path
    return path.rule, path.describe(), record.approval.round, record.approval.since_round


async def test_a_smaller_amount_stays_on_its_path_and_a_larger_one_is_routed_anew(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    before = await routed(office, approval_id)
    assert (await office.amend(approval_id, amount="400.00")).answer == "accepted"
    assert await routed(office, approval_id) == (*before[:2], 1, 0), "though it is within their own authority by now"
    answer = await office.amend(approval_id, amount="38,000.00")
    assert (answer.answer, answer.record.change.amount.minor) == ("accepted", 3_800_000)
    assert (await routed(office, approval_id))[1:] == (("Controller and Legal",), 2, 2)
    events = await office.rows.trail(approval_id)
    signed = [line.detail for line in events if line.event == "decision_signed"]
    assert [(one["keeps"], one["changes"]) for one in signed] == [
        (True, ["the amount is 400.00 USD instead of 4,200.00 USD"]),
        (False, ["the amount is 38,000.00 USD instead of 400.00 USD"]),
    ]


async def test_another_reason_may_need_others_or_nobody(office: Office) -> None:
    legal, nobody = await office.asked(), await office.asked("400.00", reason="fraud")
    await office.amend(legal, reason="dispute")
    assert (await routed(office, legal))[1] == ("Legal",)
    answer = await office.amend(nobody, reason="goodwill")
    assert (answer.record.approval.state, await routed(office, nobody)) == (
        State.APPROVED,
        ("within-authority", ("automatic",), 1, 1),
    )


async def test_the_sums_leave_the_request_itself_out_and_hold_it_for_others_from_then_on(office: Office) -> None:
    """A customer's automatic credits come to 1,000 in 30 days: 900 of one that is amended are not counted twice."""
    approval_id = await office.asked("400.00", reason="fraud")
    await office.asked("450.00")
    await office.asked("150.00")
    assert (await office.amend(approval_id, reason="goodwill")).record.approval.path.automatic
    office.rows.clock.forward(days=29)
    assert not (await office.ask("1.00")).record.approval.path.automatic


async def test_a_request_of_long_ago_counts_in_todays_sums_once_it_asks_for_more(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    office.rows.clock.forward(days=40)
    await office.amend(approval_id, amount="5000.00")
    people = office.rows.people
    async with office.rows.ledger.read() as session:
        for requester, but in (("billing_admin", ""), ("billing_admin", approval_id), ("legal", "")):
            found = await sums.read(session, people[requester].person_id, CUSTOMER, office.rows.clock(), 30, but=but)
            mine = 0 if but else 500_000
            assert (found.customer_all, found.company_day) == (mine, mine)
            assert found.requester_day == (mine if requester == "billing_admin" else 0)


async def test_what_is_read_of_stripe_is_read_anew(office: Office) -> None:
    approval_id = await office.asked(invoice=INVOICE)
    office.stripe.says = facts(300_000)
    with pytest.raises(Refused, match=r"At most 3,000\.00 USD"):
        await office.amend(approval_id, amount="3500.00")
    assert (await office.amend(approval_id, amount="3000.00")).answer == "accepted"
    office.stripe.says = facts(1_260_000)
    with pytest.raises(Refused, match=r"at most 3,600\.00 USD is left"):
        await office.asked("9000.00", invoice=INVOICE) and await office.amend(approval_id, amount="9000.00")


@pytest.mark.parametrize("role", ["controller", "administrator"])
async def test_nobody_but_the_requester_amends_and_the_log_keeps_who_tried(office: Office, role: str) -> None:
    approval_id = await office.asked()
    with pytest.raises(NotAllowed):
        await office.amend(approval_id, role, amount="400.00")
    assert (await office.rows.events(approval_id))[-1] == "decision_refused"


async def test_who_may_not_know_of_it_is_told_of_none(office: Office) -> None:
    approval_id = await office.asked()
    with pytest.raises(NotFound):
        await office.amend(approval_id, "support", amount="400.00")
    with pytest.raises(NotFound):
        await office.amend("CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ", amount="400.00")


@pytest.mark.parametrize(
    ("typed", "field"),
    [({}, "amount"), ({"amount": "-1"}, "amount"), ({"reason": "because"}, "reason"), ({"note": "=1+1"}, "note"),
     ({"reason": "other", "note": "short"}, "note"), ({"seen": "nonsense"}, "previewed")],
    ids=["nothing", "negative", "no reason", "formula", "short note", "no preview"],
)  # fmt: skip
async def test_what_is_mistyped_names_its_field_and_changes_nothing(
    office: Office, typed: dict[str, str], field: str
) -> None:
    approval_id = await office.asked()
    before = await office.rows.events(approval_id)
    with pytest.raises(Refused) as caught:
        await office.amend(approval_id, **typed)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert await office.rows.events(approval_id) == before


async def test_said_a_hundred_times_at_once_it_is_one_amendment(either_office: Office) -> None:
    office = either_office
    approval_id = await office.asked()
    answers = await together(*(office.amend(approval_id, amount="3000.00", round=0) for _ in range(20)))
    assert {answer.answer for answer in answers} <= {"accepted", "already_received"}
    assert len({answer.decision_id for answer in answers}) == 1
    assert (await office.rows.record(approval_id)).approval.round == 1
    async with office.rows.ledger.read() as session:
        assert len(await amendments.of_approval(session, approval_id)) == 1


async def test_whoever_read_an_earlier_round_amends_nothing(office: Office) -> None:
    approval_id = await office.asked()
    await office.amend(approval_id, amount="3000.00", round=0)
    with pytest.raises(Conflict, match="has changed since"):
        await office.amend(approval_id, amount="2000.00", round=0)


async def test_stored_before_temporal_is_told_it_is_taken_up_when_temporal_is_back(office: Office) -> None:
    approval_id = await office.asked()
    office.temporal.updating = office.temporal.signalling = away(RPCStatusCode.UNAVAILABLE)
    kept = await office.amend(approval_id, amount="3000.00")
    assert (kept.answer, kept.why, kept.record.approval.round) == ("kept", KEPT, 0)
    with pytest.raises(Conflict, match="still being taken up"):
        await office.amend(approval_id, amount="2000.00")
    office.temporal.updating = office.temporal.signalling = None
    taken = await office.rows.approvals.record(Decide(approval_id, kept.decision_id))
    assert (taken.answer, taken.standing.round) == ("accepted", 1)
    again = await office.amend(approval_id, amount="3000.00")
    assert (again.answer, again.decision_id) == ("already_received", kept.decision_id)


async def test_what_was_returned_can_be_asked_for_again_as_it_was(office: Office) -> None:
    approval_id = await office.asked()
    await office.decide(approval_id, "controller", "return")
    answer = await office.amend(approval_id, comment="It is right as it is.")
    assert (answer.answer, answer.record.approval.state, answer.record.approval.round) == (
        "accepted",
        State.WAITING,
        1,
    )


async def test_what_was_returned_keeps_no_path_that_it_would_not_get_today(either_office: Office) -> None:
    """It counted in no sum meanwhile: two of 20,000 to one customer need Legal as well."""
    office = either_office
    approval_id = await office.asked("20000.00")
    await office.decide(approval_id, "controller", "return")
    assert (await routed(office, await office.asked("20000.00")))[1] == ("Controller",)
    await office.amend(approval_id, amount="19999.00")
    assert (await routed(office, approval_id))[1:] == (("Controller and Legal",), 1, 1)


async def test_what_was_returned_and_needs_no_others_today_keeps_what_was_decided(office: Office) -> None:
    approval_id = await office.asked("38000.00")
    await office.decide(approval_id, "legal")
    await office.decide(approval_id, "controller", "return")
    await office.amend(approval_id, amount="30000.00")
    assert (await routed(office, approval_id))[1:] == (("Controller and Legal",), 1, 0)
    assert (await office.rows.record(approval_id)).approval.has_decided("p-legal")


async def test_what_policy_alone_approved_is_routed_anew_however_much_less_is_asked_for(office: Office) -> None:
    approval_id = await office.asked("450.00")
    async with office.rows.ledger.begin() as tx:
        record = await tx.approval(approval_id)
        assert record is not None
        assert record.approval.path.automatic
        await tx.save(replace(record, approval=record.approval.returned()))
    for _ in range(2):
        await office.asked("450.00")
    await office.amend(approval_id, amount="449.00")
    assert (await routed(office, approval_id))[1:] == (("Controller",), 1, 1)


async def test_amendments_that_are_signed_count_in_the_sums_before_anything_has_taken_them_up(
    either_office: Office,
) -> None:
    """A customer's automatic credits come to 1,000 in 30 days, also while Temporal is away."""
    office = either_office
    asked = [await office.asked("600.00") for _ in range(3)]
    office.temporal.updating = office.temporal.signalling = away(RPCStatusCode.UNAVAILABLE)
    for approval_id in asked:
        assert (await office.amend(approval_id, amount="450.00", note="Less, and told anew.")).answer == "kept"
    async with office.rows.ledger.begin() as tx:
        signed = [said for approval_id in asked for said in await tx.amendments(approval_id)]
    assert [said.request.path.automatic for said in signed] == [True, True, False]


async def test_what_has_ended_takes_none(office: Office) -> None:
    approval_id = await office.asked()
    await office.decide(approval_id)
    with pytest.raises(Conflict, match="approved already"):
        await office.amend(approval_id, amount="3000.00")


async def test_a_preview_says_what_is_kept_and_who_would_be_asked_and_keeps_nothing(office: Office) -> None:
    approval_id = await office.asked()
    saying = Saying(office.rows.people["billing_admin"], Verdict.AMEND, "", office.rows.clock())
    before = await office.rows.events(approval_id)
    less = await preview_amendment(office.desk, approval_id, saying, AmendForm(amount="3000.00"))
    more = await preview_amendment(office.desk, approval_id, saying, AmendForm(amount="38000.00", note="All of it."))
    assert (less.keeps, less.preview.path.describe()) == (True, ("Controller",))
    assert (more.keeps, more.preview.path.describe()) == (False, ("Controller and Legal",))
    assert less.changes == ("the amount is 3,000.00 USD instead of 4,200.00 USD",)
    assert more.changes == ("the amount is 38,000.00 USD instead of 4,200.00 USD", "the note is another")
    assert less.preview.duplicates == more.preview.duplicates == ()
    assert await office.rows.events(approval_id) == before
    told = await office.amend(approval_id, amount="38000.00", note="All of it.", seen=more.preview.token)
    assert told.answer == "accepted"


async def test_a_request_that_a_worker_altered_is_not_signed_anew(office: Office) -> None:
    """On one machine whoever holds the database's file can write anything: what does not fit its signature stays."""
    approval_id = await office.asked()
    tamper(office.rows.url, "update approvals set base_minor = 1 where approval_id = ?", approval_id)
    with pytest.raises(NotAllowed, match="not what was signed"):
        await office.amend(approval_id, amount="3000.00")


async def exported(office: Office, approval_id: str) -> dict[str, Any]:
    async with office.rows.ledger.read() as session:
        (block,) = [block async for block in audit_export.blocks(session, [approval_id])]
    return json.loads(json.dumps(block))


async def test_an_auditor_reads_and_proves_every_round(office: Office) -> None:
    approval_id = await office.asked("38000.00", reason="contract_concession")
    await office.decide(approval_id, "legal")
    await office.amend(approval_id, amount="30000.00")
    await office.amend(approval_id, reason="dispute", amount="4000.00")
    await office.decide(approval_id, "legal")
    block, verifier = await exported(office, approval_id), office.rows.verifier
    assert check_block(block, verifier) is None
    assert [(one.round, one.since_round, one.change.amount.minor) for one in rounds_of(block, verifier)] == [
        (0, 0, 3_800_000),
        (1, 0, 3_000_000),
        (2, 2, 400_000),
    ]
    words = story_html([block], {}, verifier, office.rows.clock(), scope="one")
    assert "38,000.00 USD, Contract concession; then 30,000.00 USD, Contract concession" in words
    assert "changed it" in words
    gone = {**block, "amendments": block["amendments"][1:]}
    assert check_block(gone, verifier) == f"{approval_id}: What was asked first is missing."
    for field, wrong in (("signed", "x.y.z"), ("replaced", block["amendments"][1]["replaced"])):
        first = {**block["amendments"][0], field: wrong}
        assert check_block({**block, "amendments": [first, block["amendments"][1]]}, verifier) is not None
    nobody = {**block, "decisions": [one for one in block["decisions"] if one["decision"]["verdict"] != "amend"]}
    assert check_block(nobody, verifier) is not None


async def test_what_was_returned_after_it_was_amended_is_asked_for_again_from_its_page(office: Office) -> None:
    approval_id = await office.asked()
    first = await office.amend(approval_id, amount="3000.00", round=0)
    await office.decide(approval_id, "controller", "return")
    again = await office.amend(approval_id, amount="3000.00", round=1)
    assert (again.answer, again.record.approval.round) == ("accepted", 2)
    assert again.decision_id != first.decision_id
