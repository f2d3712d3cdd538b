from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from standin.clock import Clock
from standin.database import Database
from standin.seed import plant


@pytest.fixture
def seeded(launch: Any, tmp_path: Path) -> Iterator[Any]:
    running = launch(tmp_path / "books.sqlite", seed="demo")
    yield running
    running.stop()


def test_the_demo_finds_its_customers_and_invoices(seeded: Any) -> None:
    v1 = seeded.client().v1
    names = {each.id: (each.name, each.email) for each in v1.customers.list({"limit": 100}).data}
    assert set(names) == {
        f"cus_Example{each}" for each in ("Clinics", "Logistics", "Studio", "Foods", "Press", "Tokyo", "Kuwait", "GmbH")
    }
    assert names["cus_ExampleLogistics"] == ("Example Logistics", "billing.logistics@example.com")
    invoices = {
        each.id: (each.number, each.status, each.currency, each.total, each.amount_remaining)
        for each in v1.invoices.list({"limit": 100}).data
    }
    assert invoices == {
        "in_ExampleClinics0031": ("INV-0031", "open", "usd", 125_000, 125_000),
        "in_ExampleLogistics0042": ("INV-0042", "open", "usd", 1_260_000, 1_260_000),
        "in_ExampleStudio0050": ("INV-0050", "paid", "usd", 540_000, 0),
        "in_ExampleFoods0061": ("INV-0061", "open", "usd", 9_600_000, 9_600_000),
        "in_ExamplePress0070": ("INV-0070", "open", "usd", 800_000, 800_000),
        "in_ExamplePress0071": ("INV-0071", "draft", "usd", 120_000, 120_000),
        "in_ExamplePress0072": ("INV-0072", "void", "usd", 95_000, 95_000),
        "in_ExampleTokyo0080": ("INV-0080", "open", "jpy", 550_000, 550_000),
        "in_ExampleKuwait0085": ("INV-0085", "open", "kwd", 1_250_500, 1_250_500),
        "in_ExampleGmbH0090": ("INV-0090", "open", "eur", 1_190_000, 1_190_000),
    }


def test_the_amounts_of_the_story_tie(seeded: Any) -> None:
    invoice = seeded.client().v1.invoices.retrieve("in_ExampleLogistics0042")
    assert (invoice.total_excluding_tax, invoice.total_taxes[0].amount) == (1_166_667, 93_333)
    assert invoice.due_date - invoice.created == 30 * 86_400


@pytest.mark.parametrize("path", ["customers", "invoices", "tax_rates", "charges", "payment_intents", "events"])
def test_everything_planted_conforms_to_the_published_schema(seeded: Any, path: str) -> None:
    answer = seeded.get(f"/v1/{path}", limit=100)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]


def test_the_seed_is_in_no_ledger(seeded: Any) -> None:
    assert seeded.ledger() == []


def test_a_seed_is_planted_once(seeded: Any, launch: Any) -> None:
    seeded.client().v1.customers.update("cus_ExamplePress", {"name": "Renamed"})
    seeded.stop()
    again = launch(seeded.settings.database, seed="demo")
    try:
        assert again.client().v1.customers.retrieve("cus_ExamplePress").name == "Renamed"
        assert len(again.client().v1.customers.list({"limit": 100}).data) == 8
    finally:
        again.stop()


def test_an_unknown_seed_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "books.sqlite")
    with pytest.raises(ValueError, match="choose one of: demo"):
        plant("dmeo", database, Clock(database))


def test_a_credit_of_the_story_works_on_the_seed(seeded: Any) -> None:
    v1 = seeded.client().v1
    note = v1.credit_notes.create({"invoice": "in_ExampleLogistics0042", "amount": 420_000})
    assert (note.subtotal, note.total_taxes[0].amount) == (388_889, 31_111)
    with pytest.raises(stripe.InvalidRequestError):
        v1.credit_notes.create({"invoice": "in_ExamplePress0071", "amount": 1})
