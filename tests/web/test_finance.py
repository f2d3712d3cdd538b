"""The finance sheet and the measures: page, file and API, for those who may read them."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

HIDDEN = 404


async def applied(house: Any, **changed: str) -> str:
    """A credit that went through automatically, on an invoice."""
    customer = house.books.customer(changed.pop("name", "Example Logistics"))
    invoice = house.books.invoice(customer, 900_000)
    approval_id: str = await house.asked(
        customer=customer, invoice=invoice, **{"amount": "180.00", "reason": "duplicate_charge", **changed}
    )
    return approval_id


async def sheet(house: Any, **days: str) -> Any:
    answer = await (await house.caller("finance")).get("/api/v1/finance/sheet", params=days)
    assert answer.status_code == 200, answer.text
    return answer.json()


def mine(found: Any, approval_id: str) -> Any:
    return next(row for row in found["rows"] if row["request"] == approval_id)


async def test_a_request_that_was_applied_is_a_line_that_ties(house: Any) -> None:
    alone = await applied(house)
    decided = await applied(house, amount="600.00", reason="service_outage", request_id="r-2")
    await (await house.visitor("controller")).post(
        f"/approvals/{decided}/decisions", data={"verdict": "approve", "comment": ""}
    )
    waiting = await applied(house, amount="700.00", reason="service_outage", request_id="r-3")
    balance = await house.asked(amount="20.00", reason="goodwill", request_id="r-4")
    found = await sheet(house)
    ours = {alone, decided, balance}
    assert {row["request"] for row in found["rows"]} == ours
    assert waiting not in str(found["rows"])
    assert (mine(found, alone)["approvers"], mine(found, decided)["approvers"]) == ("automatic", "Controller")
    row = mine(found, decided)
    assert (row["gross"], row["currency"], row["payout"], row["kind"]) == ("600.00", "USD", "-", "credit")
    assert row["stripe_id"].startswith("cn_")
    assert mine(found, balance)["stripe_id"].startswith("cbtxn_")
    (total,) = found["totals"]
    assert (total["gross_minor"], found["problem"]) == (80_000, "")
    # The stand-in is shared by all tests of this folder: what others made there is no line here, and is named as such.
    assert {one["approval"] for one in found["differences"]} <= {""}
    strangers = [one for one in found["differences"] if one["where"] == "there_only"]
    assert total["difference_minor"] == 0 or strangers


async def test_what_was_voided_behind_our_back_is_named(house: Any) -> None:
    approval_id = await applied(house)
    note = mine(await sheet(house), approval_id)["stripe_id"]
    house.books.post(f"/v1/credit_notes/{note}/void")
    found = await sheet(house)
    differing = {one["approval"]: one["why"] for one in found["differences"] if one["approval"]}
    assert differing == {approval_id: "voided in Stripe since"}
    assert not found["ties"]
    shown = (await (await house.visitor("finance")).get("/finance/sheet")).text
    assert "It does not tie" in shown
    assert "voided in Stripe since" in shown


async def test_a_period_holds_its_own_days_alone(house: Any) -> None:
    approval_id = await applied(house)
    tomorrow = f"{(house.clock() + timedelta(days=1)):%Y-%m-%d}"
    assert (await sheet(house, **{"from": tomorrow, "to": tomorrow}))["rows"] == []
    today = f"{house.clock():%Y-%m-%d}"
    assert mine(await sheet(house, **{"from": today, "to": today}), approval_id)


async def test_without_stripe_the_lines_are_shown_and_said_not_to_be_tied(house: Any) -> None:
    approval_id = await applied(house)
    house.books.fault("503")
    found = await sheet(house)
    assert mine(found, approval_id)["gross"] == "180.00"
    assert found["problem"].startswith("Stripe cannot be read")
    assert [one["held_minor"] for one in found["totals"]] == [None]
    page = await (await house.visitor("cfo")).get("/finance/sheet")
    assert page.status_code == 200
    assert "Not held against Stripe" in page.text


@pytest.mark.asvs("1.2.10")
async def test_the_file_has_all_lines_and_runs_nothing(house: Any) -> None:
    approval_id = await applied(house, name="=cmd()")
    visitor = await house.visitor("controller")
    page = (await visitor.get("/finance/sheet")).text
    link = re.search(r'href="(/finance/sheet\.csv[^"]*)"', page)
    assert link
    answer = await visitor.get(link[1].replace("&amp;", "&"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["request"], row["customer"], row["gross"]) == (approval_id, "'=cmd()", "180.00")


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("role", ["support", "billing_admin", "legal", "operator", "administrator"])
async def test_the_books_are_not_everybodys(house: Any, role: str) -> None:
    visitor, caller = await house.visitor(role), await house.caller(role)
    assert "/finance/sheet" not in (await visitor.get("/approvals")).text
    for place in ("/finance/sheet", "/finance/sheet.csv"):
        assert (await visitor.get(place)).status_code == HIDDEN
    answer = await caller.get("/api/v1/finance/sheet")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_for_the_books")


async def test_days_that_make_no_period_are_said_at_their_fields(house: Any) -> None:
    visitor = await house.visitor("finance")
    answer = await visitor.get("/finance/sheet", params={"from": "2026-11-02", "to": "2026-11-01"})
    assert answer.status_code == 422
    assert 'value="2026-11-02"' in answer.text
    assert '<a href="#to">' in answer.text
    found = (await (await house.caller("finance")).get("/api/v1/finance/sheet", params={"from": "soon"})).json()
    assert [(one["field"], one["code"]) for one in found["error"]["fields"]] == [("from", "date_invalid")]


async def test_the_measures_say_how_long_deciding_took_and_where_requests_wait(house: Any) -> None:
    first = await applied(house, amount="600.00", reason="service_outage", request_id="r-1")
    await applied(house, amount="700.00", reason="service_outage", request_id="r-2")
    house.clock.ahead = timedelta(hours=9)
    await (await house.visitor("controller")).post(
        f"/approvals/{first}/decisions", data={"verdict": "approve", "comment": ""}
    )
    found = (await (await house.caller("billing_admin")).get("/api/v1/measures")).json()
    (pace,) = found["paces"]
    assert (pace["group"], pace["decisions"], pace["late"]) == ("controller", 1, 1)
    assert 9 <= pace["median_hours"] < 9.5
    assert pace["median_hours"] == pace["p90_hours"]
    assert found["waits"] == [{"groups": ["controller"], "requests": 1, "overdue": 1}]
    assert len(found["months"]) == 12
    assert sum(month["asked"] for month in found["months"]) == 2
    assert sum(month["applied"] for month in found["months"]) == 1
    page = (await (await house.visitor("billing_admin")).get("/approvals/measures")).text
    assert len(re.findall(r'<svg [^>]*role="img" aria-labelledby="(\w+)-title \1-words"', page)) == 4
    assert "Controller, half within: 9.0 h" in page
    assert "Controller: 1, 1 of them overdue." in page
    assert "style=" not in page


async def test_empty_measures_say_so_and_support_reads_none(house: Any) -> None:
    page = (await (await house.visitor("finance")).get("/approvals/measures")).text
    for words in ("Nothing was decided yet.", "Nothing waits.", "There are no requests yet."):
        assert words in page
    visitor = await house.visitor("support")
    assert (await visitor.get("/approvals/measures")).status_code == HIDDEN
    assert "/approvals/measures" not in (await visitor.get("/approvals")).text
    assert (await (await house.caller("support")).get("/api/v1/measures")).status_code == 403


async def test_a_page_counts_no_further_than_anybody_reads(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from web.console import approvals, inbox_view  # noqa: PLC0415 - beside its use

    for module in (approvals, inbox_view):
        monkeypatch.setattr(module, "MOST_COUNTED", 1)
    for number in range(2):
        await house.asked(request_id=f"r-{number}")
    shown = (await (await house.visitor("controller")).get("/approvals?tab=mine")).text
    assert "More than 1 requests, page 1" in shown
    assert re.search(r'For me <span class="count">1\+</span>', shown)
    async with house.staff.desk.ledger.read() as session:
        assert (await session.execute(text("select count(*) from approvals"))).scalar_one() == 2
