"""Deciding on several at once: each is signed, checked and answered by itself."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.service import RPCStatusCode

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.refusals import NotAllowed, Refused
from plixo.domain.several import Shown
from plixo.ports import StoredDecision
from plixo.store import decisions
from starters import several
from starters.decisions import KEPT, Saying
from starters.several import AT_ONCE, Outcome, decide_several
from tests.support.desk import Office, away


async def shown(office: Office, *approval_ids: str) -> list[Shown]:
    return [Shown.of((await office.rows.record(one)).approval) for one in approval_ids]


async def say(
    office: Office,
    rows: list[Shown],
    verdict: str = "approve",
    comment: str = "As agreed.",
    ago: timedelta = timedelta(),
) -> list[Outcome]:
    saying = Saying(office.rows.people["controller"], Verdict(verdict), comment, office.rows.clock() - ago)
    return list(await decide_several(office.desk, saying, rows))


async def signed(office: Office, approval_id: str) -> Sequence[StoredDecision]:
    async with office.rows.ledger.read() as session:
        return await decisions.of_approval(session, approval_id)


async def states(office: Office, *approval_ids: str) -> list[State]:
    return [(await office.rows.record(one)).approval.state for one in approval_ids]


async def test_each_is_signed_by_itself_and_answered_in_the_order_asked(either_office: Office) -> None:
    office = either_office
    first, second, third = [await office.asked(amount) for amount in ("900.00", "800.00", "700.00")]
    outcomes = await say(office, await shown(office, third, first, second))
    assert [one.approval_id for one in outcomes] == [third, first, second]
    assert [(one.answer, one.code, one.why, one.through) for one in outcomes] == [("accepted", "", "", True)] * 3
    assert await states(office, first, second, third) == [State.APPROVED] * 3
    assert all(one.record and one.record.approval.state is State.APPROVED for one in outcomes)
    for approval_id in (first, second, third):
        (stored,) = await signed(office, approval_id)
        assert (stored.decision.comment, stored.status) == ("As agreed.", "recorded")
        assert office.rows.verifier.verify(stored.signed, "decision", now=office.rows.clock())


async def test_a_bad_one_stops_only_itself(office: Office) -> None:
    good, own = await office.asked("900.00"), await office.asked("900.00", "controller")
    gone = Shown("CR-" + "A" * 26, 0, "0" * 64, 1)
    legal = await office.asked("900.00", reason="dispute")
    rows = [gone, *await shown(office, own, legal, good)]
    outcomes = await say(office, rows)
    assert [(one.answer, one.code) for one in outcomes] == [
        ("refused", "approval_unknown"),
        ("refused", "own_request"),
        ("refused", "not_asked"),
        ("accepted", ""),
    ]
    assert outcomes[0].why == "There is no such request; look for it in your inbox."
    assert [one.through for one in outcomes] == [False, False, False, True]
    assert [one.record for one in outcomes[:3]] == [None] * 3
    assert await states(office, own, legal, good) == [State.WAITING, State.WAITING, State.APPROVED]


async def test_what_breaks_breaks_alone_and_is_in_the_log(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = await office.asked("900.00"), await office.asked("800.00")
    real = several.decide

    async def decide(desk: Any, approval_id: str, saying: Saying) -> Any:
        if approval_id == broken:
            raise OSError("the disk is full")
        return await real(desk, approval_id, saying)

    monkeypatch.setattr(several, "decide", decide)
    with caplog.at_level(logging.ERROR, "starters.several"):
        outcomes = await say(office, await shown(office, broken, good))
    assert [(one.answer, one.through) for one in outcomes] == [("failed", False), ("accepted", True)]
    assert "the disk is full" in caplog.text
    assert "disk" not in outcomes[0].why


@pytest.mark.asvs("15.4.2")
async def test_what_changed_since_it_was_shown_is_not_decided(office: Office) -> None:
    approval_id = await office.asked("38000.00", reason="contract_concession")
    (before,) = await shown(office, approval_id)
    await office.decide(approval_id, "legal", amount="20000.00")
    for row, code in (
        (before, "amount_changed"),
        (replace(before, amount_minor=2_000_000, round=1), "decision_out_of_date"),
        (replace(before, amount_minor=2_000_000, digest="0" * 64), "decision_out_of_date"),
        (replace(before, amount_minor=1_900_000), "amount_changed"),
        (replace(before, amount_minor=0), "amount_changed"),
    ):
        for verdict in ("approve", "reject"):
            (outcome,) = await say(office, [row], verdict)
            assert (outcome.answer, outcome.code) == ("conflict", code), (row, verdict)
    assert [one.decision.person_id for one in await signed(office, approval_id)] == ["p-legal"]
    (outcome,) = await say(office, await shown(office, approval_id))
    assert outcome.answer == "accepted"
    assert (await office.rows.record(approval_id)).approval.agreed_minor == 2_000_000


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_said_twice_at_once_and_once_more_it_is_decided_once(either_office: Office, verdict: str) -> None:
    office = either_office
    ids = [await office.asked(amount) for amount in ("900.00", "800.00")]
    both = await office.asked("38000.00", reason="contract_concession")
    rows = await shown(office, *ids, both)
    await asyncio.gather(say(office, rows, verdict), say(office, rows, verdict))
    again = await say(office, rows, verdict)
    assert all(one.through for one in again)
    for approval_id in (*ids, both):
        assert len(await signed(office, approval_id)) == 1


async def test_a_rejection_says_why_or_nothing_is_decided(office: Office) -> None:
    approval_id = await office.asked()
    rows = await shown(office, approval_id)
    for comment, code in (("  ", "comment_missing"), ("=cmd()", ""), ("a\0b", ""), ("x" * 100_000, "")):
        with pytest.raises(Refused) as caught:
            await say(office, rows, "reject", comment)
        assert caught.value.problems[0].field == "comment"
        assert not code or (caught.value.code, type(caught.value)) == (code, NotAllowed)
    assert await signed(office, approval_id) == []
    (outcome,) = await say(office, rows, "reject", " Not ours. ")
    assert outcome.answer == "accepted"
    assert (await signed(office, approval_id))[0].decision.comment == "Not ours."
    assert await states(office, approval_id) == [State.REJECTED]


@pytest.mark.asvs("7.5.3")
async def test_a_large_one_needs_a_fresh_sign_in_and_the_small_one_beside_it_does_not(office: Office) -> None:
    large, small = await office.asked("10000.01"), await office.asked("900.00")
    outcomes = await say(office, await shown(office, large, small), ago=timedelta(minutes=16))
    assert [(one.answer, one.code) for one in outcomes] == [("refused", "fresh_sign_in_needed"), ("accepted", "")]


async def test_while_temporal_is_away_all_of_them_are_kept(office: Office) -> None:
    ids = [await office.asked(amount) for amount in ("900.00", "800.00")]
    rows = await shown(office, *ids)
    office.temporal.updating = office.temporal.signalling = away(RPCStatusCode.UNAVAILABLE)
    outcomes = await say(office, rows)
    assert [(one.answer, one.why, one.through) for one in outcomes] == [("kept", KEPT, True)] * 2
    assert [one.status for one in await signed(office, ids[0])] == ["submitted"]


@pytest.mark.parametrize("count", [0, 51])
async def test_none_and_too_many_are_refused_before_any_is_decided(office: Office, count: int) -> None:
    approval_id = await office.asked()
    (row,) = await shown(office, approval_id)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    others = [replace(row, approval_id=f"CR-{letters[n // 26] * 25}{letters[n % 26]}") for n in range(50)]
    with pytest.raises(Refused) as caught:
        await say(office, [row, *others][:count])
    assert caught.value.problems[0].field == "id"
    assert await signed(office, approval_id) == []


async def test_the_same_row_twice_counts_once_and_two_of_one_request_not_at_all(office: Office) -> None:
    approval_id = await office.asked()
    (row,) = await shown(office, approval_id)
    with pytest.raises(Refused) as caught:
        await say(office, [row, replace(row, amount_minor=1)])
    assert (caught.value.problems[0].field, caught.value.code) == ("row", "row_twice")
    assert await signed(office, approval_id) == []
    assert [one.answer for one in await say(office, [row, row])] == ["accepted"]


async def test_no_more_than_a_few_are_under_way_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most, full = 0, 0, asyncio.Event()

    async def decide(*_: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == AT_ONCE:
            full.set()
        await full.wait()
        under_way -= 1
        raise Refused.one("", "played", "Played.")

    monkeypatch.setattr(several, "decide", decide)
    rows = [Shown(f"CR-{'A' * 25}{letter}", 0, "0" * 64, 1) for letter in "ABCDEFGHIJKLMNOPQRST"]
    assert len(await say(office, rows)) == 20
    assert most == AT_ONCE
