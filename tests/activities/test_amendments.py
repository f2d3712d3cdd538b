"""Amending a request: what is kept, what begins anew, and what nobody may make of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from plixo.domain.approval import State
from plixo.domain.people import Group
from plixo.domain.reasons import Reason
from plixo.messages.approvals import Executed, Step
from plixo.signing.tokens import StaffSigner
from tests.support.rows import BOTH, FOREIGN_KEY, PlayedStripe, Rows, facts, fresh_sqlite, open_rows

HOUR = 3600


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    async with open_rows(await fresh_sqlite(tmp_path)) as opened:
        yield opened


async def execute(rows: Rows, approval_id: str, stripe: PlayedStripe) -> Executed:
    return await ActivityEnvironment().run(rows.effects(stripe).execute, Step(approval_id))


async def test_a_smaller_amount_keeps_what_was_approved_and_the_clock(either_rows: Rows) -> None:
    rows = either_rows
    approval_id = await rows.waiting(3_800_000, BOTH)
    before = await rows.approvals.open(Step(approval_id))
    await rows.decide(approval_id, "legal")
    rows.clock.forward(hours=2)
    told = await rows.take_up(approval_id, await rows.amend(approval_id, 3_000_000))
    assert (told.answer, told.standing.state, told.standing.round) == ("accepted", "waiting", 1)
    assert told.standing.groups == ("controller",)
    assert (told.standing.due, told.standing.expire_at) == (before.due, before.expire_at)
    record = await rows.record(approval_id)
    assert (record.change.amount.minor, record.base_minor, record.amounts.gross_minor) == (3_000_000,) * 3
    assert (record.approval.since_round, record.approval.agreed_minor) == (0, 3_000_000)
    asked = [row for row in await rows.letters("asked") if "/asked/1." in row.key]
    assert [row.recipient for row in asked] == ["controller@plixo.example"]
    assert asked[0].context["changed"] == "the amount is 30,000.00 USD instead of 38,000.00 USD"

    stripe = PlayedStripe(facts(4_000_000))
    await rows.decide(approval_id, "controller")
    assert (await execute(rows, approval_id, stripe)).state == State.EXECUTED
    assert [effect.amount.minor for effect, _ in stripe.made] == [3_000_000]


@pytest.mark.parametrize(
    "other", [{"amount": 4_000_000}, {"reason": Reason.GOODWILL}, {"note": "three days"}, {"memo": "We are sorry"}],
    ids=["more", "reason", "note", "memo"],
)  # fmt: skip
async def test_any_other_change_begins_anew(rows: Rows, other: dict[str, object]) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    await rows.decide(approval_id, "legal")
    rows.clock.forward(hours=2)
    told = (await rows.take_up(approval_id, await rows.amend(approval_id, **other))).standing  # type: ignore[arg-type]
    assert (told.state, told.round, told.groups) == ("waiting", 1, ("controller", "legal"))
    assert told.since == int(rows.clock().timestamp())
    assert told.due == told.since + 8 * HOUR
    again = [row.recipient for row in await rows.letters("asked") if "/asked/1." in row.key]
    assert again == ["controller@plixo.example", "legal@plixo.example"]
    await rows.decide(approval_id, "controller")
    assert await rows.state(approval_id) is State.WAITING, "what Legal said before counts no longer"
    await rows.decide(approval_id, "legal", decision_id="DE-legal-again")
    assert await rows.state(approval_id) is State.APPROVED


async def test_who_approved_less_is_what_the_others_must_agree_to_and_asking_for_that_is_enough(rows: Rows) -> None:
    approval_id = await rows.waiting(3_800_000, BOTH)
    await rows.decide(approval_id, "legal")
    await rows.decide(approval_id, "controller", amount_minor=2_000_000)
    assert (await rows.record(approval_id)).approval.waiting_groups() == (Group.LEGAL,)
    told = await rows.take_up(approval_id, await rows.amend(approval_id, 2_500_000))
    assert told.standing.groups == ("legal",), "the Controller still allows less"
    told = await rows.take_up(approval_id, await rows.amend(approval_id, 2_000_000))
    assert (told.standing.state, told.standing.round) == ("approved", 2)
    stripe = PlayedStripe(facts(4_000_000))
    assert (await execute(rows, approval_id, stripe)).state == State.EXECUTED
    assert [effect.amount.minor for effect, _ in stripe.made] == [2_000_000]


async def test_amended_to_something_small_it_is_approved_at_once_and_to_something_big_by_more(rows: Rows) -> None:
    small, big = await rows.waiting(), await rows.waiting()
    told = await rows.take_up(small, await rows.amend(small, 10_000, ()))
    assert (told.standing.state, (await rows.record(small)).approval.path.automatic) == ("approved", True)
    told = await rows.take_up(big, await rows.amend(big, 3_000_000, BOTH))
    assert told.standing.groups == ("controller", "legal")


async def test_a_question_is_answered_by_an_amendment_and_the_clock_goes_on(rows: Rows) -> None:
    approval_id = await rows.waiting()
    before = await rows.approvals.open(Step(approval_id))
    await rows.decide(approval_id, "controller", "ask")
    rows.clock.forward(hours=30)
    told = (await rows.take_up(approval_id, await rows.amend(approval_id, 300_000))).standing
    assert (told.state, told.due) == ("waiting", before.due + 30 * HOUR)
    assert (await rows.decide(approval_id, "controller")).standing.state == "approved"


@pytest.mark.parametrize("amount", [300_000, 500_000], ids=["less", "more"])
async def test_what_was_returned_for_changes_waits_again_once_it_was_amended(rows: Rows, amount: int) -> None:
    approval_id = await rows.waiting()
    await rows.decide(approval_id, "controller", "return")
    rows.clock.forward(hours=20)
    told = (await rows.take_up(approval_id, await rows.amend(approval_id, amount))).standing
    assert (told.state, told.since) == ("waiting", int(rows.clock().timestamp()))
    assert (await rows.record(approval_id)).why == ""
    await rows.decide(approval_id, "controller")
    stripe = PlayedStripe()
    assert (await execute(rows, approval_id, stripe)).state == State.EXECUTED
    assert [effect.amount.minor for effect, _ in stripe.made] == [amount]


async def test_what_stripe_no_longer_takes_in_full_is_done_without_asking_again_once_it_asks_for_less(
    rows: Rows,
) -> None:
    approval_id = await rows.approved()
    stripe = PlayedStripe(facts(300_000))
    assert (await execute(rows, approval_id, stripe)).reopens
    told = (await rows.take_up(approval_id, await rows.amend(approval_id, 300_000))).standing
    assert told.state == "approved"
    assert (await execute(rows, approval_id, stripe)).state == State.EXECUTED
    assert [effect.amount.minor for effect, _ in stripe.made] == [300_000]


async def test_an_amendment_that_was_signed_comes_before_an_effect_that_was_not_intended(rows: Rows) -> None:
    """Signed while it waited, and told after the last approval: nobody is paid what is asked for no longer."""
    approval_id = await rows.waiting()
    said = await rows.amend(approval_id, 500_000)
    await rows.decide(approval_id, "controller")
    stripe = PlayedStripe()
    with pytest.raises(ApplicationError, match="taken up first"):
        await execute(rows, approval_id, stripe)
    told = await rows.take_up(approval_id, said)
    assert (told.answer, told.standing.state) == ("accepted", "waiting")
    assert (await execute(rows, approval_id, stripe)).reopens
    assert stripe.asked == []


async def test_one_that_cannot_be_taken_up_leaves_it_with_its_requester_and_the_next_one_holds(rows: Rows) -> None:
    approval_id = await rows.waiting()
    late = await rows.amend(approval_id, 300_000)
    rows.clock.forward(days=60)
    assert (await rows.take_up(approval_id, late)).answer == "refused"
    await rows.decide(approval_id, "controller")
    stripe = PlayedStripe()
    told = await execute(rows, approval_id, stripe)
    assert (told.state, told.reopens) == ("returned", True)
    assert told.why.startswith("It was changed since, and that could not be taken up")
    await rows.approvals.open(Step(approval_id))
    assert (await rows.take_up(approval_id, await rows.amend(approval_id, 200_000))).standing.state == "approved"
    assert (await execute(rows, approval_id, stripe)).state == State.EXECUTED
    assert [effect.amount.minor for effect, _ in stripe.made] == [200_000]


async def test_once_its_effect_is_intended_or_it_has_ended_it_takes_no_amendment(rows: Rows) -> None:
    done, rejected = await rows.approved(), await rows.waiting()
    said = await rows.amend(rejected, 300_000)
    await execute(rows, done, PlayedStripe())
    await rows.decide(rejected, "controller", "reject")
    assert (await rows.take_up(done, await rows.amend(done, 300_000))).answer == "conflict"
    assert (await rows.take_up(rejected, said)).answer == "conflict"
    assert (await rows.record(rejected)).approval.round == 0


async def test_of_two_amendments_of_one_round_one_is_taken_and_the_other_is_a_conflict(rows: Rows) -> None:
    approval_id = await rows.waiting()
    first, second = await rows.amend(approval_id, 300_000), await rows.amend(approval_id, 200_000)
    assert (await rows.take_up(approval_id, first)).answer == "accepted"
    assert (await rows.take_up(approval_id, second)).answer == "conflict"
    assert (await rows.take_up(approval_id, first)).answer == "already_received"
    assert (await rows.record(approval_id)).approval.round == 1


FORGED = {
    "another key": ({"signer": StaffSigner(FOREIGN_KEY)}, "refused"),
    "a row that says more": ({"row": {"base_minor": 1}}, "refused"),
    "a round left out": ({"says": {"round": 2, "since_round": 2}}, "refused"),
    "decisions kept that must not be": ({"amount": 500_000, "says": {"since_round": 0}}, "refused"),
    "a path of its own with decisions kept": ({"stages": BOTH, "says": {"since_round": 0}}, "refused"),
    "another requester": ({"says": {"requester_id": "p-support"}}, "refused"),
}


@pytest.mark.parametrize("how", sorted(FORGED))
async def test_what_the_staff_side_did_not_sign_like_this_changes_nothing(rows: Rows, how: str) -> None:
    approval_id = await rows.waiting()
    given, answer = FORGED[how]
    said = await rows.amend(approval_id, **{"amount": 300_000, **given})
    assert (await rows.take_up(approval_id, said)).answer == answer
    record = await rows.record(approval_id)
    assert (record.approval.round, record.change.amount.minor, record.amended_by) == (0, 420_000, "")
    assert "decision_refused" in await rows.events(approval_id)


async def test_an_amendment_without_its_row_changes_nothing(rows: Rows) -> None:
    approval_id = await rows.waiting()
    assert (await rows.decide(approval_id, "billing_admin", "amend")).answer == "refused"
    assert (await rows.record(approval_id)).approval.round == 0


async def test_nobody_but_the_requester_amends(rows: Rows) -> None:
    approval_id = await rows.waiting()
    said = await rows.amend(approval_id, 300_000, by="controller")
    assert (await rows.take_up(approval_id, said)).answer == "refused"


async def test_it_is_rejected_and_taken_back_after_it_was_amended(rows: Rows) -> None:
    for role, verdict in (("controller", "reject"), ("billing_admin", "withdraw")):
        approval_id = await rows.waiting()
        await rows.take_up(approval_id, await rows.amend(approval_id, 300_000))
        assert (await rows.decide(approval_id, role, verdict)).answer == "accepted"


async def write(rows: Rows, statement: str, **values: object) -> None:
    async with rows.ledger.begin() as tx:
        await tx.session.execute(text(statement), values)


async def test_the_database_lets_nobody_move_to_a_round_that_no_amendment_names(either_rows: Rows) -> None:
    rows = either_rows
    one, other = await rows.waiting(), await rows.waiting()
    said, elsewhere = await rows.amend(one, 300_000), await rows.amend(other, 300_000)
    await rows.take_up(other, elsewhere)
    for by, round_ in ((said, 2), (said, 0), (elsewhere, 1), ("", 1), ("DE-nobody", 1)):
        with pytest.raises(DBAPIError, match="no amendment says so"):
            await write(
                rows, "update approvals set round = :r, amended_by = :b where approval_id = :a", r=round_, b=by, a=one
            )
    with pytest.raises(DBAPIError, match="no amendment says so"):
        await write(rows, "update approvals set round = 0, amended_by = '' where approval_id = :a", a=other)
    for column in ("amount_minor", "base_minor", "since_round"):
        with pytest.raises(DBAPIError, match="never changed"):
            await write(rows, f"update approvals set {column} = {column} + 1 where approval_id = :a", a=other)
    assert (await rows.record(one)).change.amount.minor == 420_000
    assert (await rows.record(other)).change.amount.minor == 300_000


async def test_what_is_being_applied_is_amended_by_nobody(either_rows: Rows) -> None:
    rows = either_rows
    approval_id = await rows.approved()
    said = await rows.amend(approval_id, 300_000)
    await write(rows, "update approvals set state = 'executing' where approval_id = :a", a=approval_id)
    with pytest.raises(DBAPIError, match="no amendment says so"):
        await write(
            rows, "update approvals set round = 1, amended_by = :b where approval_id = :a", b=said, a=approval_id
        )


async def test_whoever_holds_a_worker_cannot_go_back_to_what_was_asked_before(rows: Rows) -> None:
    """They may say that the amendment was refused, and that everybody approved the dearer round."""
    approval_id = await rows.waiting()
    said = await rows.amend(approval_id, 100_000)
    await write(rows, "update decisions set status = 'conflict', why = 'x' where decision_id = :d", d=said)
    await rows.decide(approval_id, "controller")
    stripe = PlayedStripe()
    assert (await execute(rows, approval_id, stripe)).state == State.RETURNED
    await write(rows, "update approvals set state = 'approved' where approval_id = :a", a=approval_id)
    assert (await execute(rows, approval_id, stripe)).state == State.RETURNED
    assert stripe.asked == []


async def test_an_amendment_and_the_end_of_its_time_leave_it_waiting_whichever_comes_first(rows: Rows) -> None:
    late, early = await rows.waiting(), await rows.waiting()
    told = await rows.approvals.open(Step(late))
    rows.clock.forward(hours=told.expire_at // HOUR - told.since // HOUR)
    said, other = await rows.amend(late, 500_000), await rows.amend(early, 500_000)
    assert (await rows.approvals.expire(Step(late))).state == "returned"
    await rows.take_up(early, other)
    assert (await rows.approvals.expire(Step(early))).state == "waiting", "that was the time of the round before"
    assert (await rows.take_up(late, said)).standing.state == "waiting"
    for approval_id in (late, early):
        assert ((await rows.record(approval_id)).approval.round, (await rows.record(approval_id)).why) == (1, "")


async def test_a_second_round_reminds_again(rows: Rows) -> None:
    approval_id = await rows.waiting()
    for round_, amount in ((0, 500_000), (1, 600_000)):
        rows.clock.forward(hours=4)
        await rows.approvals.remind(Step(approval_id, 0, round_))
        assert len(await rows.letters("reminder")) == round_ + 1
        await rows.take_up(approval_id, await rows.amend(approval_id, amount))


async def test_the_database_leaves_no_round_out_and_goes_back_to_none(either_rows: Rows) -> None:
    rows = either_rows
    gap, back = await rows.waiting(), await rows.waiting()
    skipped = await rows.amend(gap, 300_000, says={"round": 2, "since_round": 2})
    first = await rows.amend(back, 300_000)
    await rows.take_up(back, first)
    await rows.take_up(back, await rows.amend(back, 200_000))
    for approval_id, by, round_ in ((gap, skipped, 2), (back, first, 1)):
        with pytest.raises(DBAPIError, match="no amendment says so"):
            await write(
                rows,
                "update approvals set round = :r, amended_by = :b where approval_id = :a",
                r=round_, b=by, a=approval_id,
            )  # fmt: skip
