import mailbox
import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from plixo.bootstrap import open_checkpoint_desk
from plixo.domain.ids import effect_id
from plixo.store.audit_file import Checked, verify_document
from starters.checkpoints import make_checkpoint
from web.console.mailbox import linked


async def test_a_search_says_how_far_it_looked_and_finds_an_older_customer_by_its_whole_id(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, caller = await house.visitor("billing_admin"), await house.caller("billing_admin")
    old = house.books.customer("Example Oldest")
    assert "1 of all " in (await visitor.get("/customers?q=oldest")).text
    monkeypatch.setattr("web.lists.SEARCHED", 2)
    for _ in range(2):
        house.books.customer("Example Newest")
    by_name = (await visitor.get("/customers?q=oldest")).text
    assert "0 of the newest 2 in Stripe; an older one is found by its whole id" in by_name
    assert f'href="/customers/{old}"' in (await visitor.get(f"/customers?q={old}")).text
    assert [one["name"] for one in (await caller.get(f"/api/v1/customers?q={old}")).json()["customers"]] == [
        "Example Oldest"
    ]
    assert (await caller.get("/api/v1/customers?q=oldest")).json()["customers"] == []


async def test_customers_and_invoices_lead_to_each_other(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    assert 'href="/customers/cus_ExampleFoods"' in (await visitor.get("/customers?q=foods")).text
    customer = (await visitor.get("/customers/cus_ExampleFoods")).text
    assert 'href="/invoices/in_ExampleFoods0061"' in customer
    invoice = (await visitor.get("/invoices/in_ExampleFoods0061")).text
    assert 'href="/customers/cus_ExampleFoods"' in invoice
    assert "Can still be credited" in invoice
    listed = (await visitor.get("/invoices?q=INV-0061")).text
    assert "in_ExampleFoods0061" in listed
    assert "in_ExamplePress0070" not in listed


@pytest.mark.parametrize("invoice", ["in_ExamplePress0071", "in_ExamplePress0072"])
async def test_an_invoice_that_takes_no_credit_offers_none(house: Any, invoice: str) -> None:
    visitor = await house.visitor("billing_admin")
    page = await visitor.get(f"/invoices/{invoice}")
    assert page.status_code == 200
    assert "Request a credit" not in page.text


async def test_a_customers_and_an_invoices_page_show_their_requests(house: Any) -> None:
    customer = house.books.customer("Example Pages")
    invoice = house.books.invoice(customer, 900_000)
    approval_id = await house.asked(customer=customer, invoice=invoice)
    visitor = await house.visitor("finance")
    for path in (f"/customers/{customer}", f"/invoices/{invoice}"):
        page = (await visitor.get(path)).text
        assert f'href="/approvals/{approval_id}"' in page
        assert "Waiting on Controller" in page
        assert "/credits/new" not in page
    assert approval_id not in (await (await house.visitor("support")).get(f"/customers/{customer}")).text


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("role", ["support", "billing_admin", "legal", "cfo", "operator"])
async def test_the_audit_log_as_a_whole_is_for_auditors(house: Any, role: str) -> None:
    assert (await (await house.visitor(role)).get("/audit")).status_code == 404


@pytest.mark.asvs("16.4.2")
async def test_the_audit_page_names_the_first_bad_row(house: Any) -> None:
    approval_id = await house.asked()
    finance = await house.visitor("finance")
    whole = await finance.get("/audit")
    assert "Every chain is unbroken and every signature holds: 2 entries and 1 signatures of 1 requests" in whole.text
    assert approval_id in whole.text
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text("drop trigger audit_fixed"))
        await tx.session.execute(text("update audit set actor = 'p-cfo' where seq = 1"))
    broken = await finance.get("/audit")
    assert "1 of 1 requests do not hold." in broken.text
    assert f"{approval_id}: entry 1 was changed" in broken.text


async def checkpoint(house: Any) -> Any:
    desk = open_checkpoint_desk(house.staff.settings, house.staff.desk.ledger)
    return await make_checkpoint(replace(desk, clock=house.clock))


@pytest.mark.asvs("16.4.3")
async def test_the_audit_page_checks_what_changed_since_the_checkpoint_and_says_so(house: Any) -> None:
    old = await house.asked()
    finance = await house.visitor("finance")
    assert "There is no checkpoint yet" in (await finance.get("/audit")).text
    house.clock.ahead = timedelta(hours=1)
    await checkpoint(house)
    assert "Nothing has changed since checkpoint 1." in (await finance.get("/audit")).text
    await house.asked(request_id="r-2")
    page = (await finance.get("/audit")).text
    assert "Every chain that changed since checkpoint 1 is unbroken and every signature holds: 2 entries" in page
    assert "holds 2 entries of 1 requests. All of them were checked then, and held." in page
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text("drop trigger audit_fixed"))
        await tx.session.execute(text("update audit set actor = 'p-cfo' where approval_id = :old"), {"old": old})
    assert "They are not checked again here" in (await finance.get("/audit")).text, "and it does not say that they hold"
    house.clock.ahead = timedelta(hours=2)
    await checkpoint(house)
    page = (await finance.get("/audit")).text
    assert "<strong>and this did not hold:</strong>" in page
    assert f"{old}: entry 1 was changed" in page


async def test_the_audit_page_has_a_bound_and_says_what_it_did_not_check(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.console.audit.MOST_CHECKED", 2)
    monkeypatch.setattr("web.console.audit.MOST_TAKEN", 1)
    for number in range(3):
        await house.asked(request_id=f"r-{number}")
    finance = await house.visitor("finance")
    page = (await finance.get("/audit")).text
    assert "Every chain that was looked at is unbroken" in page
    assert "1 more requests changed before these, and this page did not check them" in page
    taken = (await finance.get("/audit/export.html")).text
    assert "The 1 of 3 requests that changed last" in taken


@pytest.mark.asvs("16.4.3")
async def test_the_audit_page_does_not_believe_a_checkpoint_that_nobody_signed(house: Any) -> None:
    await house.asked()
    house.clock.ahead = timedelta(hours=1)
    made = await checkpoint(house)
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text("drop trigger checkpoints_fixed"))
        await tx.session.execute(text("update checkpoints set signed = :signed"), {"signed": made.signed[:-8]})
    page = (await (await house.visitor("finance")).get("/audit")).text
    assert "Checkpoint 1 in the database was not signed by the audit key." in page
    assert "2 entries and 1 signatures of 1 requests, checked just now" in page


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize(("at", "detail"), [("2026-08-03T14:00:00.000+00:00", "{}"), ("nope", '{"groups": ["cfo"]}')])
async def test_a_planted_entry_stops_no_page(house: Any, at: str, detail: str) -> None:
    approval_id = await house.asked()
    planted = {"of": approval_id, "at": at, "detail": detail}
    async with house.staff.desk.ledger.begin() as tx:
        row = "insert into audit values (:of, 99, :at, 'reminded', 'system', :detail, 'x', 'y')"
        await tx.session.execute(text(row), planted)
    finance = await house.visitor("finance")
    for path in ("/audit", "/audit/export.html", f"/approvals/{approval_id}"):
        page = await finance.get(path)
        assert (page.status_code, "reminded: this entry cannot be read" in page.text) == (200, True), path
    told = (await (await house.caller("finance")).get(f"/api/v1/approvals/{approval_id}")).json()["timeline"]
    assert told[-1]["text"] == "reminded: this entry cannot be read"
    assert (await finance.get("/audit/export.json")).status_code == 200


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize(("kind", "params"), [("gift", "{}"), ("credit_note", '{"amount": 1.5}')])
async def test_a_planted_effect_does_not_stop_the_page(house: Any, kind: str, params: str) -> None:
    approval_id = await house.asked()
    row = "insert into effects (effect_id, approval_id, kind, key, params, amount_minor, currency, state, "
    row += "stripe_object, why, customer_id, intended_at) values (:effect, :of, :kind, 'k', :params, 1, 'USD', "
    row += "'intended', '', '', 'cus_1', '2026-08-03 14:00:00')"
    planted = {"effect": effect_id(approval_id), "of": approval_id, "kind": kind, "params": params}
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text(row), planted)
    page = await (await house.visitor("finance")).get("/audit/export.html")
    assert page.status_code == 200
    assert "cannot be read" in page.text


@pytest.mark.asvs("16.4.3")
async def test_the_audit_page_goes_by_the_moment_that_was_signed(house: Any) -> None:
    await house.asked()
    house.clock.ahead = timedelta(hours=1)
    await checkpoint(house)
    await house.asked(request_id="r-2")
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text("drop trigger checkpoints_fixed"))
        await tx.session.execute(text("update checkpoints set at = '2999-01-01 00:00:00.000000'"))
    page = (await (await house.visitor("finance")).get("/audit")).text
    assert "Every chain that changed since checkpoint 1 is unbroken and every signature holds: 2 entries" in page


async def test_auditors_take_the_log_with_them(house: Any) -> None:
    approval_id = await house.asked(note="<b>Two days</b> down")
    finance = await house.visitor("finance")
    page = await finance.get("/audit/export.html")
    assert re.fullmatch(r'attachment; filename="plixo-audit-[\d-]+\.html"', page.headers["content-disposition"])
    assert approval_id in page.text
    assert "&lt;b&gt;Two days&lt;/b&gt; down" in page.text
    assert "<script" not in page.text
    sealed = await finance.get("/audit/export.json")
    assert sealed.headers["content-type"] == "application/json"
    assert "no-store" in sealed.headers["cache-control"]
    assert verify_document(sealed.json(), house.staff.verifier) == Checked(1, 2, 1)


@pytest.mark.asvs("16.4.2")
async def test_what_auditors_take_holds_a_request_whose_chain_was_deleted(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, bare = await house.asked(request_id="r-1"), await house.asked(request_id="r-2")
    async with house.staff.desk.ledger.begin() as tx:
        await tx.session.execute(text("drop trigger audit_kept"))
        await tx.session.execute(text("delete from audit where approval_id = :bare"), {"bare": bare})
    finance = await house.visitor("finance")
    document = (await finance.get("/audit/export.json")).json()
    assert {block["approval_id"] for block in document["requests"]} == {kept, bare}
    checked = verify_document(document, house.staff.verifier)
    assert [finding.partition(":")[0] for finding in checked.findings] == [bare]
    assert bare in (await finance.get("/audit/export.html")).text
    monkeypatch.setattr("web.console.audit.MOST_TAKEN", 1)
    assert "The 1 of 2 requests that changed last" in (await finance.get("/audit/export.html")).text


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("path", ["/audit/export.html", "/audit/export.json"])
async def test_nobody_else_does(house: Any, path: str) -> None:
    await house.asked()
    assert (await (await house.visitor("legal")).get(path)).status_code == 404
    assert (await (await house.visitor()).get(path)).status_code == 303


def post(folder: Path, subject: str, body: str) -> None:
    box = mailbox.Maildir(folder)
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "plixo@plixo.example", "controller@plixo.example"
    message.set_content(body)
    message.add_alternative(f"<html><head><style>p{{}}</style></head><body><p>{body}</p></body></html>", subtype="html")
    box.add(message.as_bytes())


async def test_a_mails_link_can_be_followed(house: Any) -> None:
    folder = house.staff.settings.data / "mailbox"
    post(folder, "Please decide <b>now</b>", "Read it: http://127.0.0.1:8321/approvals/CR-X <script>")
    for reader in (await house.visitor(), await house.visitor("controller")):
        listed = (await reader.get("/mailbox")).text
        assert "Please decide &lt;b&gt;now&lt;/b&gt;" in listed
        key = listed.partition('href="/mailbox/')[2].partition('"')[0]
        mail = (await reader.get(f"/mailbox/{key}")).text
        link = "http://127.0.0.1:8321/approvals/CR-X"
        assert f'<a href="{link}">{link}</a>' in mail
        assert "<script>" not in mail
        assert "No mail" not in mail
        looks = await reader.get(f"/mailbox/{key}/html")
        assert "sandbox" in looks.headers["content-security-policy"]
        assert "script" not in looks.headers["content-security-policy"]
        assert "default-src 'none'" in looks.headers["content-security-policy"]
        assert '<base target="_top">' in looks.text


@pytest.mark.parametrize("key", ["..", "../keys/signing-private.json", "%2e%2e%2fplixo.db", "x", "%00"])
async def test_the_mailbox_holds_mails_alone(house: Any, key: str) -> None:
    post(house.staff.settings.data / "mailbox", "A mail", "Text.")
    visitor = await house.visitor("controller")
    for path in (f"/mailbox/{key}", f"/mailbox/{key}/html"):
        assert (await visitor.get(path)).status_code in {404, 303}


async def test_an_empty_mailbox_says_so(house: Any) -> None:
    assert "No mail yet." in (await (await house.visitor("controller")).get("/mailbox")).text


def test_only_links_become_markup() -> None:
    found = linked('<a href="x">x</a> https://a.example/?b=1&c="d" javascript:alert(1)')
    assert "&lt;a href" in found
    assert '<a href="https://a.example/?b=1&amp;c=">' in found
    assert 'href="javascript' not in found
