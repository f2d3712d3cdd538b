"""The independent checker follows a request through its rounds, and finds what was planted in them."""

import asyncio
import json
from pathlib import Path

import pytest

from plixo.bootstrap import now
from plixo.domain.decision import Verdict
from starters.amending import AmendForm, amend
from starters.decisions import Saying
from tests.demo.planted import Planted, SmallHouse, at_work, build, claims


async def change(house: SmallHouse, approval_id: str, **typed: str) -> None:
    person = await house._person("p-billing-admin")
    answer = await amend(house.desk, approval_id, Saying(person, Verdict.AMEND, "because", now()), AmendForm(**typed))
    assert answer.answer == "accepted", answer
    if answer.record.approval.state == "approved":
        await house._execute(approval_id)


async def amended(folder: Path) -> Planted:
    planted = await build(folder, f"sqlite+aiosqlite:///{folder / 'plixo.db'}")
    async with at_work(planted) as house:
        less = await house.ask("1000.00", "Clinics", reason="fraud", invoice=True)
        await house.decide(less, "p-legal")
        await change(house, less, amount="800.00")
        await house.decide(less, "p-controller")
        more = await house.ask("600.00", "Logistics", reason="service_outage", invoice=True)
        await change(house, more, amount="900.00")
        await change(house, more, amount="700.00", note="Only the outage of May.")
        await house.decide(more, "p-controller")
        nobody = await house.ask("200.00", "Press", reason="fraud")
        await change(house, nobody, reason="goodwill")
        assert [await house.state(one) for one in (less, more, nobody)] == ["executed"] * 3
    planted.ids |= {"less": less, "more": more, "nobody": nobody}
    return planted


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return asyncio.run(amended(tmp_path_factory.mktemp("house")))


@pytest.fixture
def house(clean: Planted, tmp_path: Path) -> Planted:
    return clean.copy(tmp_path / "copy")


async def found(house: Planted) -> set[tuple[str, str]]:
    """What is found of the amended requests; mails and checkpoints were made before them."""
    wanted = {"less", "more", "nobody"}
    return {(what, name) for what, name in await house.found() if name in wanted}


async def test_amended_requests_give_no_finding(house: Planted) -> None:
    assert await found(house) == set()


async def test_an_effect_above_what_it_was_amended_to_is_found(house: Planted) -> None:
    house.ledger_of(house.ids["less"])["amount"] = 100_000
    assert ("effect_differs", "less") in await found(house)


async def test_an_approval_of_an_older_and_dearer_round_is_no_approval_of_a_new_path(house: Planted) -> None:
    """The Controller's word is signed again, for the round of 900."""
    house.decided_otherwise(house.ids["more"], round=1, amount_minor=90_000)
    assert {what for what, name in await found(house) if name == "more"} >= {"approval_missing"}


async def test_decisions_kept_by_a_round_that_must_not_keep_them_are_found(house: Planted) -> None:
    approval_id = house.ids["more"]
    query = "select decision_id, signed from amendments where approval_id = ? and round = 2"
    decision_id, signed = house.sql(query, approval_id)[0]
    body = {**claims(signed)["body"], "since_round": 0}
    token = house.sign("request", body)
    for table, key in (("amendments", "decision_id"), ("approvals", "amended_by")):
        update = f"update {table} set signed = ?, since_round = 0 where {key} = ?"
        house.sql(update, token, decision_id)
    assert ("round_does_not_follow", "more") in await found(house)


async def test_a_round_that_is_missing_is_found(house: Planted) -> None:
    house.sql("delete from amendments where approval_id = ? and round = 1", house.ids["more"])
    assert ("round_missing", "more") in await found(house)


async def test_money_that_moved_although_something_else_was_asked_for_since_is_found(house: Planted) -> None:
    """Whoever held a worker let the amendment lie, and had the dearer round done."""
    approval_id = house.ids["less"]
    token = house.one("select replaced from amendments where approval_id = ?", approval_id)
    body = claims(token)["body"]
    house.sql(
        "update approvals set signed = ?, amount_minor = ?, base_minor = ?, change = ?, round = 0, amended_by = '' "
        "where approval_id = ?",
        token, 100_000, 100_000, json.dumps(body["change"]), approval_id,
    )  # fmt: skip
    house.sql("update decisions set status = 'conflict' where approval_id = ? and verdict = 'amend'", approval_id)
    assert ("amendment_passed_over", "less") in await found(house)


async def test_an_amendment_that_says_something_else_than_was_signed_is_found(house: Planted) -> None:
    house.sql("update amendments set amount_minor = 1 where approval_id = ?", house.ids["less"])
    assert ("amendment_altered", "less") in await found(house)


async def test_an_amendment_that_nobody_signed_is_found(house: Planted) -> None:
    house.sql("update amendments set signed = 'x.y.z' where approval_id = ? and round = 1", house.ids["more"])
    assert {what for what, name in await found(house) if name == "more"} >= {"amendment_unsigned"}


async def test_an_automatic_one_above_the_limits_is_found_after_an_amendment_too(house: Planted) -> None:
    query = "select decision_id from amendments where approval_id = ?"
    decision_id = house.one(query, house.ids["nobody"])
    assert decision_id
    person = json.dumps({"credit": 100})
    house.sql("update people set limits = ? where person_id = 'p-billing-admin'", person)
    assert ("automatic_not_allowed", "nobody") in await found(house)
