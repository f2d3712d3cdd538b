"""`plixo finance sheet`: what it asks for, what it writes, and how it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]
ROW = {
    "request": "CR-" + "A" * 26,
    "kind": "credit",
    "requester": "Billing Admin",
    "approvers": "Controller",
    "reason": "Goodwill",
    "customer": "=Example",
    "invoice": "INV-0042",
    "net": "400.00",
    "tax": "20.00",
    "gross": "420.00",
    "currency": "USD",
    "stripe_id": "cn_1",
    "payout": "-",
    "when": "2026-11-05T09:00:00+00:00",
}
TOTAL = {"currency": "USD", "net_minor": 40_000, "tax_minor": 2_000, "gross_minor": 42_000}
SHEET: dict[str, Any] = {
    "first": "2026-11-01",
    "last": "2026-11-30",
    "ties": True,
    "problem": "",
    "rows": [ROW],
    "totals": [{**TOTAL, "held_minor": 42_000, "difference_minor": 0}],
    "differences": [],
    "under_way": [],
}


@pytest.fixture(autouse=True)
def _signed_in(api: FakeApi) -> None:
    api.on("POST", "dev/token", {"token": "t"})
    api.on("GET", "finance/sheet", SHEET)


def test_the_days_are_sent_as_they_were_typed_and_the_rows_shown(plixo: Plixo, api: FakeApi) -> None:
    ran = plixo("finance", "sheet", "--from", "2026-11-01", "--to", "2026-11-30", "--as", "finance")
    assert (ran.code, ran.err) == (0, "")
    assert dict(api.asked[-1].url.params) == {"from": "2026-11-01", "to": "2026-11-30"}
    assert ran.out.startswith("2026-11-01 to 2026-11-30: it ties to Stripe.\n")
    assert "420.00 USD" in ran.out
    assert max(len(line) for line in ran.out.splitlines() if "Next:" not in line) <= 80


def test_the_file_runs_nothing_and_is_never_written_over(plixo: Plixo, tmp_path: Path) -> None:
    file = tmp_path / "november.csv"
    ran = plixo("finance", "sheet", "--csv", str(file), "--as", "finance")
    assert ran.code == 0
    assert "1 row is written to" in ran.out
    kept = file.read_text(encoding="utf-8")
    assert "'=Example" in kept
    assert kept.startswith("request,kind,requester,approvers,reason,customer,invoice,net,tax,gross,")
    again = plixo("finance", "sheet", "--csv", str(file), "--as", "finance")
    assert (again.code, again.out) == (1, "")
    assert "is there already; name another file" in again.err
    assert file.read_text(encoding="utf-8") == kept


def test_what_does_not_tie_ends_with_1_and_says_why(plixo: Plixo, api: FakeApi) -> None:
    why = {
        "where": "different",
        "effect": "EF-1",
        "approval": "CR-1",
        "object": "cn_1",
        "why": "voided in Stripe since",
    }
    total = {**TOTAL, "held_minor": 0, "difference_minor": -42_000}
    api.on("GET", "finance/sheet", {**SHEET, "ties": False, "differences": [why], "totals": [total]})
    ran = plixo("finance", "sheet", "--as", "finance")
    assert ran.code == 1
    assert "it does not tie to Stripe" in ran.out
    assert "CR-1: voided in Stripe since" in ran.out
    assert "-420.00 USD" in ran.out


def test_without_stripe_it_says_so_and_ends_with_1(plixo: Plixo, api: FakeApi) -> None:
    total = {**TOTAL, "held_minor": None, "difference_minor": None}
    api.on(
        "GET", "finance/sheet", {**SHEET, "ties": False, "problem": "Stripe cannot be read: away", "totals": [total]}
    )
    ran = plixo("finance", "sheet", "--as", "finance")
    assert ran.code == 1
    assert "not held against Stripe: Stripe cannot be read: away." in ran.out
    assert "not read" in ran.out
    machine = plixo("finance", "sheet", "--json", "--as", "finance")
    assert machine.document["totals"] == [total]


def test_a_day_that_is_none_is_refused_at_its_option(plixo: Plixo, api: FakeApi) -> None:
    field = {"field": "from", "code": "date_invalid", "message": "Give a day as year, month and day."}
    error = {"code": "date_invalid", "message": "", "fields": [field], "request_id": "1"}
    api.on("GET", "finance/sheet", {"error": error}, 422)
    ran = plixo("finance", "sheet", "--from", "soon", "--as", "finance")
    assert (ran.code, ran.err) == (1, "plixo: --from: Give a day as year, month and day.\n")
