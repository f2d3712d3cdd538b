"""The independent checker on decisions in somebody's place: handed on, given to somebody, or while somebody is away."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.demo.planted import Planted, SmallHouse, build, claims


async def _story(house: SmallHouse) -> dict[str, str]:
    """Three credits, each decided by somebody else than who was asked; the Controller leaves between them."""
    ids = {"handed": await house.ask("4200.00", "Logistics", reason="service_outage", invoice=True)}
    await house.decide(ids["handed"], "p-billing-admin", "nudge")
    await house.decide(ids["handed"], "p-controller", "delegate", to="p-finance")
    await house.decide(ids["handed"], "p-finance")
    await house.goes_away("p-controller", "p-operator")
    await house.goes_away("p-operator", "p-legal")
    ids["away"] = await house.ask("600.00", "Press")
    await house.decide(ids["away"], "p-legal")
    ids["given"] = await house.ask("700.00", "Press")
    await house.decide(ids["given"], "p-administrator", "reassign", to="p-cfo")
    await house.decide(ids["given"], "p-cfo")
    return ids


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("instead")
    return asyncio.run(build(folder, f"sqlite+aiosqlite:///{folder / 'plixo.db'}", _story))


@pytest.fixture
def house(clean: Planted, tmp_path: Path) -> Planted:
    return clean.copy(tmp_path / "copy")


def resigned(house: Planted, who: str, **changes: Any) -> None:
    """Somebody's absence with other words, signed with the staff side's key."""
    body = claims(house.one("select signed from absences where person_id = ?", who))["body"] | changes
    house.sql("update absences set signed = ? where person_id = ?", house.sign("absence", body), who)
    for name in ("delegate_id", "entered_by"):
        house.sql(f"update absences set {name} = ? where person_id = ?", body[name], who)
    for name in ("since", "until"):
        moment = f"datetime({body[name]}, 'unixepoch')"
        house.sql(f"update absences set {name} = {moment} where person_id = ?", who)


async def test_a_house_in_which_others_decided_as_they_may_gives_no_finding(house: Planted) -> None:
    report = await house.check()
    assert report.findings == []
    assert (report.counts["executed"], report.counts["recorded decisions"]) == (3, 6)


async def test_a_decision_whose_delegation_was_never_signed_is_found(house: Planted) -> None:
    house.sql("delete from decisions where approval_id = ? and verdict = 'delegate'", house.ids["handed"])
    assert {("decision_not_allowed", "handed"), ("approval_missing", "handed")} <= await house.found()


async def test_a_delegation_to_somebody_else_carries_no_decision(house: Planted) -> None:
    house.decided_otherwise(house.ids["handed"], "p-controller", subject="p-operator")
    assert {("decision_not_allowed", "handed"), ("approval_missing", "handed")} <= await house.found()


async def test_a_row_that_names_somebody_whom_nobody_signed_is_found(house: Planted) -> None:
    house.sql(
        "update decisions set subject = 'p-cfo' where approval_id = ? and verdict = 'delegate'", house.ids["handed"]
    )
    assert ("decision_altered", "handed") in await house.found()
    house.sql("update decisions set subject = 'p-cfo' where approval_id = ? and verdict = 'approve'", house.ids["away"])
    assert ("decision_altered", "away") in await house.found()


@pytest.mark.parametrize("subject", ["p-billing-admin", "p-support", "p-controller"])
async def test_what_was_handed_to_who_may_not_decide_is_found(house: Planted, subject: str) -> None:
    house.decided_otherwise(house.ids["handed"], "p-controller", subject=subject)
    assert ("decision_not_allowed", "handed") in await house.found()


async def test_whoever_was_not_asked_handed_nothing_on(house: Planted) -> None:
    house.sql("""update people set "groups" = '["finance"]' where person_id = 'p-controller'""")
    assert {("decision_not_allowed", "handed"), ("decision_not_allowed", "away")} <= await house.found()


async def test_a_decision_before_or_after_an_absence_is_found(house: Planted) -> None:
    body = claims(house.one("select signed from absences where person_id = 'p-operator'"))["body"]
    late = body["since"] + 3600
    resigned(house, "p-operator", since=late)
    assert {("decision_not_allowed", "away"), ("approval_missing", "away")} <= await house.found()
    resigned(house, "p-operator", since=body["since"] - 7200, until=body["since"] - 3600)
    assert {("decision_not_allowed", "away"), ("approval_missing", "away")} <= await house.found()


async def test_a_decision_after_somebody_is_back_is_found(house: Planted) -> None:
    absence_id, since = house.sql("select absence_id, since from absences where person_id = 'p-controller'")[0]
    moment = claims(house.one("select signed from absences where absence_id = ?", absence_id))["body"]["since"]
    said = {"absence_id": absence_id, "ended_at": moment, "ended_by": "p-controller"}
    signed = house.sign("return", said)
    house.sql("insert into absence_returns values (?, ?, 'p-controller', ?)", absence_id, since, signed)
    assert {("decision_not_allowed", "away"), ("approval_missing", "away")} <= await house.found()
    house.sql("update absence_returns set signed = 'a.b.c'")
    assert ("absence_unsigned", "") in await house.found()


async def test_an_absence_that_nobody_signed_is_found_and_carries_nothing(house: Planted) -> None:
    house.sql("update absences set delegate_id = 'p-cfo' where person_id = 'p-operator'")
    assert {("absence_unsigned", ""), ("decision_not_allowed", "away")} <= await house.found()


async def test_a_chain_over_the_requester_or_somebody_related_carries_nothing(house: Planted) -> None:
    house.sql("""update people set related_customers = '["cus_Press"]' where person_id = 'p-operator'""")
    assert ("decision_not_allowed", "away") in await house.found()


async def test_only_administrators_give_a_part_and_only_to_approvers(house: Planted) -> None:
    house.sql("""update people set "groups" = '["finance"]' where person_id = 'p-administrator'""")
    assert ("decision_not_allowed", "given") in await house.found()
    house.sql("""update people set "groups" = '["administrator"]' where person_id = 'p-administrator'""")
    house.sql("""update people set "groups" = '["finance"]' where person_id = 'p-cfo'""")
    assert ("decision_not_allowed", "given") in await house.found()


async def test_a_nudge_by_somebody_else_is_found(house: Planted) -> None:
    query = "select decision_id, signed from decisions where verdict = 'nudge'"
    decision_id, signed = house.sql(query)[0]
    body = claims(signed)["body"] | {"person_id": "p-legal"}
    house.sql(
        "update decisions set signed = ?, person_id = 'p-legal' where decision_id = ?",
        house.sign("decision", body), decision_id,
    )  # fmt: skip
    assert ("decision_not_allowed", "handed") in await house.found()
