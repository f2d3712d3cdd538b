"""A request that nobody decides for a year: every mail that it should send, and none besides."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import holidays
import pytest

from demo.waiting import until
from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.approval import State
from plixo.domain.path import Clock, Escalation, Seat, Stage
from plixo.domain.people import Group
from plixo.messages.approvals import Decide
from tests.workflows.test_clocks import Time, time
from workflows.approval import ApprovalWorkflow

__all__ = ["time"]

WEEKLY = Clock(8, (40,), 0, 40, (Escalation(80, "delegate"),))
STAGES = (Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), WEEKLY, (WEEKLY, WEEKLY)),)
ZONES = {"controller": ZoneInfo("America/New_York"), "legal": ZoneInfo("Europe/Berlin")}
COUNTRIES = {"controller": "US", "legal": "DE"}


def works(role: str, day: date) -> bool:
    return day.weekday() < 5 and day not in holidays.country_holidays(COUNTRIES[role], years=day.year)


def next_morning(now: datetime) -> datetime:
    """Nine o'clock in New York on the next day on which both work."""
    day = now.astimezone(ZONES["controller"]).date() + timedelta(days=1)
    while not all(works(role, day) for role in ZONES):
        day += timedelta(days=1)
    return datetime.combine(day, clock_time(9), ZONES["controller"]).astimezone(UTC)


def fifth_days(role: str, began: datetime, ends: datetime) -> list[datetime]:
    """Every fifth working day, at the time of day at which it began; at closing time where it began at nine."""
    local = began.astimezone(ZONES[role])
    at, day, worked, found = local.time(), local.date(), 0, list[datetime]()
    if at == clock_time(9):
        at, day = clock_time(17), day - timedelta(days=1)
    while True:
        day += timedelta(days=1)
        worked += works(role, day)
        moment = datetime.combine(day, at, ZONES[role]).astimezone(UTC)
        if moment > ends:
            return found
        if works(role, day) and worked % 5 == 0:
            found.append(moment)


async def go_to(time: Time, moment: datetime) -> None:
    time.rows.clock.at = moment
    await time.env.sleep(max(moment - await time.env.get_current_time(), timedelta(seconds=1)))


@pytest.mark.timeout(300)
async def test_a_year_of_weekly_reminders_sends_exactly_the_mails_it_should(time: Time) -> None:
    rows = time.rows
    rows.calendars.instead = PeoplesCalendars()
    began = next_morning(rows.clock())
    await go_to(time, began)
    approval_id = await rows.ask(420_000, STAGES)
    handle = await time.start(approval_id)
    ends = began + timedelta(days=365)
    while (at := await upcoming(time, approval_id)) <= ends:
        await go_to(time, at)
        await until(f"what was due at {at}", lambda at=at: passed(time, approval_id, at))
    await go_to(time, ends)

    sent = {role: sorted(at for who, at in await reminders(time) if who.startswith(role)) for role in ZONES}
    for role, moments in sent.items():
        assert moments == fifth_days(role, began, ends)
        assert len({moment.astimezone(ZONES[role]).utcoffset() for moment in moments}) == 2, "in summer and in winter"
        assert 46 <= len(moments) <= 51, "some weeks of the 52 are holidays"
    mails = Counter(row.template for row in await rows.letters())
    assert mails == {"asked": 2, "reminder": sum(map(len, sent.values())), "escalated": 2}
    assert await rows.state(approval_id) is State.WAITING
    for role in ZONES:
        said = await rows.say(approval_id, role)
        await handle.execute_update(ApprovalWorkflow.decide, Decide(approval_id, said))
    assert (await handle.result()).state == "executed"


async def upcoming(time: Time, approval_id: str) -> datetime:
    record = await time.rows.record(approval_id)
    assert record.moments is not None
    return datetime.fromtimestamp(record.moments.following(record.approval.waiting_groups())[1], UTC)


async def passed(time: Time, approval_id: str, at: datetime) -> bool:
    return await upcoming(time, approval_id) > at


async def reminders(time: Time) -> list[tuple[str, datetime]]:
    return [(row.recipient, row.created_at) for row in await time.rows.letters("reminder")]
