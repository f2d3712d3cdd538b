import html
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

LOGISTICS = "cus_ExampleLogistics"
INVOICE = "in_ExampleLogistics0042"


def plain(answer: httpx.Response) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


async def how_many(house: Any) -> int:
    async with house.staff.desk.ledger.read() as session:
        return int((await session.execute(text("select count(*) from approvals"))).scalar_one())


async def test_an_invoice_leads_to_a_form_that_knows_it(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    invoice = await visitor.get(f"/invoices/{INVOICE}")
    link = re.search(r'href="(/credits/new[^"]+)">Request a credit', invoice.text)
    assert link
    form = await visitor.get(html.unescape(link[1]))
    assert f'<option value="{LOGISTICS}" selected>' in form.text
    assert f'<option value="{INVOICE}" selected>' in form.text
    assert "can still be credited on INV-0042" in form.text
    assert 'name="currency" value="USD"' in form.text


async def test_the_form_offers_the_chosen_customers_invoices_alone(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = await visitor.get(f"/credits/new?customer={LOGISTICS}")
    assert INVOICE in form.text
    assert "in_ExampleFoods0061" not in form.text
    without = await visitor.post("/credits/new", data={"customer": "cus_ExampleFoods", "amount": "12", "note": "kept"})
    assert "in_ExampleFoods0061" in without.text
    assert 'value="12"' in without.text
    assert ">kept</textarea>" in without.text
    assert await how_many(house) == 0


async def test_customers_are_found_by_part_of_their_name(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = await visitor.get("/credits/new?q=kuw")
    assert "cus_ExampleKuwait" in form.text
    assert LOGISTICS not in form.text


async def test_a_customer_of_long_ago_is_found_and_chosen_like_any_other(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    for number in range(101):
        house.books.customer(f"Example Newer {number}")
    assert "cus_ExampleKuwait" not in (await visitor.get("/credits/new")).text
    assert "cus_ExampleKuwait" in (await visitor.get("/credits/new?q=kuwait")).text
    assert "in_ExampleKuwait0085" in (await visitor.get("/credits/new?customer=cus_ExampleKuwait")).text
    assert "cus_ExampleKuwait" in (await visitor.get("/customers?q=kuwait")).text


async def test_checking_says_who_decides_why_and_what_stripe_is_sent_and_keeps_nothing(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form(customer=LOGISTICS, invoice=INVOICE, amount="1080.00", note="Two days down.")
    words = plain(await visitor.post("/credits/check", data=form))
    assert "Credit Example Logistics 1,080.00 USD on invoice INV-0042" in words
    assert "The amount is above the requester's own authority." in words
    assert "Controller" in words
    assert "it comes back to you and nothing is credited" in words
    assert "Net 1,000.00 USD" in words
    assert "Tax 80.00 USD" in words
    assert "Gross 1,080.00 USD" in words
    assert "Ask for it" in words
    assert await how_many(house) == 0
    assert not house.temporal.started


async def test_what_is_within_ones_own_authority_says_that_nobody_is_asked(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    words = plain(await visitor.post("/credits/check", data=house.form(amount="180.00")))
    assert "Nobody is asked." in words
    assert "Credit it now" in words


async def test_what_was_checked_is_what_is_asked(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    note = 'Two lines,\r\n"quoted" & <b>plain</b>.'
    checked = await visitor.post("/credits/check", data=house.form(note=note, memo="Sorry!"))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', checked.text))
    again = {name: html.unescape(value) for name, value in hidden.items()}
    made = await visitor.post("/credits", data=again)
    assert made.status_code == 303
    approval_id = made.headers["location"].split("/")[2].split("?")[0]
    caller = await house.caller("billing_admin")
    shown = (await caller.get(f"/api/v1/approvals/{approval_id}")).json()
    assert shown["note"] == 'Two lines,\n"quoted" & <b>plain</b>.'
    assert shown["memo"] == "Sorry!"


async def test_a_form_posted_twice_is_one_request(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form()
    first = await visitor.post("/credits", data=form)
    second = await visitor.post("/credits", data=form)
    assert first.headers["location"].endswith("?said=asked")
    assert second.headers["location"] == first.headers["location"].replace("asked", "known")
    assert await how_many(house) == 1


async def test_each_new_form_has_an_id_of_its_own(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    ids = {re.search(r'name="request_id" value="([^"]+)"', (await visitor.get("/credits/new")).text) for _ in range(3)}
    assert len({found[1] for found in ids if found}) == 3


async def test_an_id_that_is_another_requests_already_is_refused_and_replaced(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form()
    await visitor.post("/credits", data=form)
    answer = await visitor.post("/credits", data={**form, "amount": "4300.00"})
    assert answer.status_code == 409
    assert "asks for something else" in answer.text
    assert 'value="4300.00"' in answer.text
    assert f'name="request_id" value="{form["request_id"]}"' not in answer.text
    assert await how_many(house) == 1


async def test_a_likely_duplicate_is_shown_before_asking(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form(amount="600.00")
    made = await visitor.post("/credits", data=form)
    words = await visitor.post("/credits/check", data={**form, "request_id": f"{house.tag}-r-2"})
    assert "This may be asked for already." in words.text
    assert made.headers["location"].split("?")[0] in words.text
    house.clock.ahead = timedelta(days=31)
    await visitor.post("/sign-in", data={"person": "p-billing-admin"})
    later = await visitor.post("/credits/check", data={**form, "request_id": f"{house.tag}-r-2"})
    assert later.status_code == 200
    assert "This may be asked for already." not in later.text


async def test_who_decides_in_an_empty_groups_place_is_said_before_asking(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form(customer="cus_ExampleGmbH", currency="EUR", amount="50.00", reason="legal_claim")
    words = plain(await visitor.post("/credits/check", data=form))
    assert "Legal of Legal could not: is related to the customer." in words
    assert "Nobody of Legal could decide, so CFO decides in its place." in words
    assert "It would wait" not in words
    caller = await house.caller("billing_admin")
    seen = (await caller.post("/api/v1/credits/preview", json=form)).json()
    seats = [seat for stage in seen["stages"] for seat in stage["seats"] if seat["group"] == "legal"]
    assert [(seat["fallback"], seat["in_place"]) for seat in seats] == [("cfo", True)]
    assert [one["why"] for one in seats[0]["could_not"]] == ["is related to the customer"]
    assert [one["person_id"] for one in seats[0]["deciders"]] == ["p-cfo"]


async def test_that_nobody_could_decide_is_said_before_asking(house: Any) -> None:
    visitor = await house.visitor("cfo")
    form = house.form(customer="cus_ExampleGmbH", currency="EUR", amount="50.00", reason="legal_claim")
    words = plain(await visitor.post("/credits/check", data=form))
    assert "Nobody of Legal could decide on this." in words


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("role", ["finance", "operator", "administrator"])
async def test_who_may_not_ask_finds_no_form(house: Any, role: str) -> None:
    visitor = await house.visitor(role)
    for path in ("/credits/new", "/credits/check", "/credits"):
        assert (await visitor.post(path, data=house.form())).status_code == 404
    caller = await house.caller(role)
    answer = await caller.post("/api/v1/credits", json=house.form())
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "not_requester"
    assert await how_many(house) == 0


async def test_while_stripe_is_away_nothing_typed_is_lost(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    form = house.form(note="A long story.", memo="Sorry", amount="77.00")
    house.books.fault("503")
    for path in ("/credits/check", "/credits"):
        answer = await visitor.post(path, data=form)
        assert answer.status_code == 503
        assert "Stripe cannot be reached right now" in answer.text
        for typed in ("A long story.", 'value="Sorry"', 'value="77.00"', form["customer"], form["request_id"]):
            assert typed in answer.text
    assert (await visitor.get("/credits/new")).status_code == 200
    assert (await visitor.get("/customers")).status_code == 503
    house.books.heal()
    assert (await visitor.post("/credits", data=form)).status_code == 303


async def test_while_temporal_is_away_a_request_is_kept(house: Any) -> None:
    house.temporal.away = True
    approval_id = await house.asked()
    visitor = await house.visitor("billing_admin")
    assert "It is being checked and set on its path" in (await visitor.get(f"/approvals/{approval_id}")).text


async def test_amounts_of_any_currency_are_shown_with_its_own_decimals(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    yen = house.form(customer="cus_ExampleTokyo", invoice="in_ExampleTokyo0080", amount="55000", currency="JPY")
    dinars = house.form(customer="cus_ExampleKuwait", invoice="in_ExampleKuwait0085", amount="5.120", currency="KWD")
    assert "55,000 JPY" in plain(await visitor.post("/credits/check", data=yen))
    assert "5.120 KWD" in plain(await visitor.post("/credits/check", data=dinars))
