"""The weekly digest: each Controller is told once a week, in the morning, of what went through automatically."""

import email
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.testing import ActivityEnvironment

from activities.digests import MOST_LINES, OLDEST, DigestActivities
from plixo.config import Settings
from plixo.domain.people import Group
from plixo.mail.post_office import PostOffice
from plixo.messages.approvals import Step
from plixo.messages.digests import DigestAsked, DigestWritten
from plixo.ports import Letter
from plixo.store import outbox
from plixo.store.models import ApprovalRow
from tests.support.rows import CONTROLLER, PlayedStripe, Rows

MONDAY = datetime(2026, 8, 10, 6, 0, tzinfo=UTC)
"""The rows' clock stands at Monday of the week before."""


async def applied(rows: Rows, amount: int = 18_000, stages: Any = (), **asked: Any) -> str:
    approval_id = await rows.waiting(amount, stages, **asked)
    if stages:
        await rows.decide(approval_id, "controller")
    await ActivityEnvironment().run(rows.effects(PlayedStripe()).execute, Step(approval_id))
    return approval_id


async def digest(rows: Rows, at: datetime | str = MONDAY) -> DigestWritten:
    asked = DigestAsked(at if isinstance(at, str) else at.isoformat())
    return await DigestActivities(rows.ledger, rows.clock).write_digest(asked)


async def test_controllers_are_told_what_went_through_automatically_and_nothing_else(either_rows: Rows) -> None:
    rows = either_rows
    alone = await applied(rows)
    await applied(rows, 420_000, CONTROLLER)
    await rows.waiting()
    rows.clock.at = MONDAY
    late = await applied(rows, 1_000)
    assert await digest(rows) == DigestWritten("2026-W32", 1, "written")
    (letter,) = await rows.letters("digest")
    assert (letter.key, letter.recipient) == ("digest/2026-W32/p-controller", rows.people["controller"].email)
    assert [line["approval_id"] for line in letter.context["lines"]] == [alone]
    assert late not in str(letter.context)
    assert (letter.context["count"], letter.context["totals"]) == (1, ["180.00 USD"])
    assert letter.context["place"] == "/finance/sheet?from=2026-08-03&to=2026-08-09"


async def test_however_often_it_is_asked_for_each_controller_gets_one_letter_a_week(either_rows: Rows) -> None:
    rows = either_rows
    await applied(rows)
    rows.clock.at = MONDAY
    assert [(await digest(rows)).letters for _ in range(3)] == [1, 0, 0]
    await rows.add_person(replace(rows.people["finance"], groups=frozenset({Group.CONTROLLER}), time_zone="Asia/Tokyo"))
    assert (await digest(rows, MONDAY + timedelta(days=3))).letters == 1
    assert len(await rows.letters("digest")) == 2


async def test_it_leaves_in_the_readers_morning(either_rows: Rows) -> None:
    rows = either_rows
    await applied(rows)
    await rows.change_person("controller", time_zone="America/New_York")
    rows.clock.at = MONDAY
    await digest(rows)

    async def leased(at: datetime) -> list[str]:
        async with rows.ledger.begin() as tx:
            found = await outbox.lease(tx.session, at, timedelta(0), 100)
        return [one.key for one in found if one.template == "digest"]

    assert await leased(MONDAY + timedelta(hours=5, minutes=59)) == []
    assert await leased(MONDAY + timedelta(hours=6)) == ["digest/2026-W32/p-controller"]


async def test_a_week_without_anything_automatic_writes_to_nobody(rows: Rows) -> None:
    rows.clock.at = MONDAY
    assert await digest(rows) == DigestWritten("2026-W32", 0, "nothing")


@pytest.mark.parametrize(
    "at",
    [
        "",
        "soon",
        "2026-08-10T06:00",
        "0001-01-01T00:00:00+00:00",
        (MONDAY + timedelta(days=7)).isoformat(),
        (MONDAY - OLDEST).isoformat(),
    ],
)
async def test_a_moment_that_no_schedule_gives_sends_nothing(rows: Rows, at: str) -> None:
    await applied(rows)
    rows.clock.at = MONDAY
    assert (await digest(rows, at)).state == "refused"
    assert await rows.letters("digest") == []


async def test_a_long_week_lists_the_largest_and_says_how_many_there_are(rows: Rows) -> None:
    for number in range(MOST_LINES + 1):
        approval_id = await rows.ask(1_000 + number, ())
        async with rows.ledger.begin() as tx:
            for state in ("approved", "executing", "executed"):
                change = update(ApprovalRow).where(ApprovalRow.approval_id == approval_id)
                await tx.session.execute(change.values(state=state, ended_at=rows.clock()))
    rows.clock.at = MONDAY
    await digest(rows)
    (row,) = await rows.letters("digest")
    mail = PostOffice.open(Settings()).render(Letter(row.key, row.recipient, "digest", row.context))
    read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    body = read.get_body(("plain",))
    assert body is not None
    said = body.get_content()
    assert f"These are the {MOST_LINES} largest; the sheet has all {MOST_LINES + 1}." in said
    assert "10.50 USD" in said
    assert " 10.00 USD" not in said
    assert "/finance/sheet?from=2026-08-03&to=2026-08-09" in said
