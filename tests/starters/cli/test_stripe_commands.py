"""`plixo stripe reconcile` on what really happened, in the stand-in and here."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from tests.starters.cli.conftest import Ran
from tests.support.house import House

Plixo = Callable[..., Ran]
READ_KEY = "rk_test_plixo_standin"


@pytest.fixture
def at_the_desk(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("PLIXO_DATA", str(house.settings.data))
    monkeypatch.setenv("DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("PLIXO_STRIPE_BASE_URL", house.settings.stripe_base_url)
    monkeypatch.setenv("PLIXO_STRIPE_READ_KEY", READ_KEY)
    return house


async def reconciled(plixo: Plixo, *words: str) -> tuple[int, Any]:
    ran = await asyncio.to_thread(plixo, "stripe", "reconcile", *words, "--json")
    assert ran.err == ""
    return ran.code, ran.document


async def test_both_sides_tie_and_what_was_done_behind_our_back_is_found(at_the_desk: House, plixo: Plixo) -> None:
    house = at_the_desk
    note = await house.ask(invoice="in_ExampleLogistics0042")
    balance = await house.ask("180.00", customer="cus_ExampleClinics", reason="duplicate_charge")
    await house.until_waiting(await house.ask("900.00"))
    await house.until_waiting(note)
    await house.decide(note, "controller")
    made = [(await house.until_ended(asked)).stripe_object for asked in (note, balance)]
    assert [name.partition("_")[0] for name in made] == ["cn", "cbtxn"]
    usd = {"currency": "USD", "approved_minor": 438_000, "held_minor": 438_000, "difference_minor": 0, "objects": 2}
    tied = {"ties": True, "currencies": [usd], "differences": [], "under_way": []}
    for words in ((), ("--every-customer",)):
        assert await reconciled(plixo, *words) == (0, tied)
    page = (await asyncio.to_thread(plixo, "stripe", "reconcile")).out
    assert page.startswith("Stripe holds what was approved.\n")
    assert "4,380.00" in page

    await house.stripe("POST", f"/v1/credit_notes/{made[0]}/void")
    stray = {"amount": "-500", "currency": "usd", "metadata[plixo_effect]": "EF-NOBODY"}
    await house.stripe("POST", "/v1/customers/cus_ExampleFoods/balance_transactions", **stray)
    code, found = await reconciled(plixo)
    assert (code, [one["where"] for one in found["differences"]]) == (1, ["different"])
    assert found["differences"][0]["why"] == "voided in Stripe since"
    assert found["currencies"][0]["difference_minor"] == -420_000
    code, found = await reconciled(plixo, "--every-customer")
    assert (code, [one["where"] for one in found["differences"]]) == (1, ["different", "there_only"])

    renamed = text("update approvals set stripe_object = 'cbtxn_x' where stripe_object = :made")
    async with house.desk.ledger.begin() as tx:
        await tx.session.execute(renamed, {"made": made[1]})
    _, found = await reconciled(plixo)
    assert {"here it is cbtxn_x", "voided in Stripe since"} == {one["why"] for one in found["differences"]}
    assert len(await house.ledger()) == 4, "two credits, a void, a stray: the comparison wrote nothing"


async def test_what_keeps_it_from_reading_is_said_in_a_line(
    at_the_desk: House, plixo: Plixo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert at_the_desk.settings.stripe_base_url
    for name, value, said in (
        ("PLIXO_STRIPE_READ_KEY", "", "Set PLIXO_STRIPE_READ_KEY to a restricted key that can read."),
        ("PLIXO_STRIPE_READ_KEY", "rk_test_another", "Stripe cannot be read: "),
        ("PLIXO_STRIPE_BASE_URL", "http://127.0.0.1:9", "Stripe cannot be read: Stripe could not be reached"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            ran = await asyncio.to_thread(plixo, "stripe", "reconcile")
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err
        assert ran.err.count("\n") == 1
