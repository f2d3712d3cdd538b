"""What a changed policy would do to open and recent requests."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plixo.domain.refusals import Refused
from plixo.policy.published import PublishedPolicy
from starters.drafting import typed_policy
from starters.simulating import Kind, Progress, Simulation, simulate, simulation
from tests.support.desk import Office, later, open_office
from tests.support.rows import fresh_sqlite


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(await fresh_sqlite(tmp_path)) as opened:
        yield opened


def changed(office: Office, place: str, value: Any) -> PublishedPolicy:
    limits = json.loads(json.dumps(office.desk.policy.plain_limits))
    *rooms, last = place.split(".")
    found = limits
    for room in rooms:
        found = found[room]
    found[last] = value
    return typed_policy(limits, office.desk.policy.plain_table)


def content(office: Office) -> bytes:
    """Everything in the database's file."""
    return Path(office.rows.url.removeprefix("sqlite+aiosqlite:///")).read_bytes()


async def told(office: Office, place: str, value: Any, **how: int) -> Simulation:
    return await simulate(office.desk, changed(office, place, value), **how)


async def test_the_policy_that_holds_changes_nothing(office: Office) -> None:
    for amount in ("100.00", "450.00", "450.00", "4200.00", "26000.00"):
        await office.ask(amount)
        office.rows.clock.forward(minutes=1)
    found = await simulate(office.desk, office.desk.policy)
    assert (found.looked, found.open, found.changed, found.counts) == (5, 5, (), {})


async def test_a_lower_limit_names_each_request_it_would_send_elsewhere(office: Office) -> None:
    asked = await office.ask("4200.00")
    await office.ask("100.00")
    found = await told(office, "approve.credit.controller", 3000)
    (one,) = [row for row in found.changed if row.kind is Kind.OTHERS_ASKED]
    assert (one.approval_id, one.before, one.after) == (
        asked.record.approval.approval_id,
        ("Controller",),
        ("Controller and Legal",),
    )
    assert (one.rule_before, one.rule, one.open, one.certain) == ("above-authority", "above-controller", True, True)
    assert found.counts == {Kind.OTHERS_ASKED: 1}
    assert found.open_changed == 1


async def test_nobody_asked_any_more_and_somebody_asked_are_told_apart(office: Office) -> None:
    await office.rows.change_person("billing_admin", limits={})
    await office.ask("600.00")
    await office.ask("200.00")
    up = await told(office, "authority.billing_admin.credit", 700)
    assert up.counts == {Kind.NOW_AUTOMATIC: 1}
    down = await told(office, "authority.billing_admin.credit", 100)
    assert down.counts == {Kind.NOW_ASKED: 1}


async def test_other_clocks_and_other_limits_are_changes_too(office: Office) -> None:
    await office.ask("4200.00")
    assert (await told(office, "clocks.controller.due_hours", 6)).counts == {Kind.OTHER_CLOCKS: 1}
    assert (await told(office, "approve.credit.controller", 20_000)).counts == {Kind.OTHER_LIMITS: 1}


@pytest.mark.parametrize(
    ("place", "value", "kind"),
    [
        ("fallback", {}, Kind.OTHER_RULES),
        ("stages.controller", [{"seats": {"controller": 1}, "one_rejection_ends": False}], Kind.OTHER_RULES),
        ("stages.controller", [{"seats": {"controller": 2}}], Kind.OTHERS_ASKED),
    ],
    ids=["fallback", "rejection", "quorum"],
)
async def test_another_fallback_another_quorum_and_another_rule_for_rejections_are_changes(
    office: Office, place: str, value: Any, kind: Kind
) -> None:
    await office.ask("4200.00")
    assert (await told(office, place, value)).counts == {kind: 1}


async def test_sums_are_those_of_the_moment_and_follow_what_would_have_been_automatic(office: Office) -> None:
    """Two credits of 450 are automatic; with less authority neither is, and the third passes no sum any more."""
    for _ in range(3):
        await office.ask("450.00")
        office.rows.clock.forward(minutes=1)
    assert (await told(office, "sums.customer_automatic", 500)).counts == {Kind.NOW_ASKED: 1}
    found = await told(office, "sums.customer_automatic", 2000)
    assert found.counts == {Kind.NOW_AUTOMATIC: 1}
    assert [row.rule_before for row in found.changed] == ["customer-sum"]


async def test_what_ended_long_ago_is_left_out_and_what_is_open_never_is(office: Office) -> None:
    await office.ask("4200.00")
    gone = await office.asked("4300.00")
    await office.rows.decide(gone, "controller", "reject")
    await office.ask("4400.00")
    office.rows.clock.forward(days=40)
    found = await told(office, "approve.credit.controller", 3000)
    assert (found.looked, found.open) == (2, 2)
    assert (await told(office, "approve.credit.controller", 3000, days=41)).looked == 3


async def test_where_people_have_changed_since_it_says_so(office: Office) -> None:
    await office.rows.change_person("billing_admin", limits={})
    await office.ask("400.00")
    await office.rows.change_person("billing_admin", limits={"credit": 10_000})
    found = await told(office, "approve.credit.controller", 3000)
    assert [(row.kind, row.certain) for row in found.changed] == [(Kind.NOW_ASKED, False)]


async def test_it_tells_how_far_it_is_and_writes_nothing(office: Office) -> None:
    for number in range(101):
        await office.rows.ask(10_000 + number)
    before = content(office)
    heard = [one async for one in simulation(office.desk, office.desk.policy)]
    assert heard[0] == Progress(100, 101)
    assert isinstance(heard[-1], Simulation)
    assert heard[-1].looked == 101
    assert content(office) == before


async def test_what_cannot_be_simulated_is_refused(office: Office) -> None:
    for days in (0, 367):
        with pytest.raises(Refused) as refusal:
            await simulate(office.desk, office.desk.policy, days)
        assert refusal.value.problems[0].field == "days"
    with pytest.raises(Refused) as refusal:
        await told(office, "base_currency", "EUR")
    assert refusal.value.problems[0].field == "limits.base_currency"
    assert (await simulate(replace(office.desk, clock=later(office, days=1)), office.desk.policy)).looked == 0
