import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from plixo.store import people


def plain(answer: httpx.Response) -> str:
    """The page's words without its markup."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


async def decide(client: httpx.AsyncClient, approval_id: str, verdict: str, comment: str = "") -> httpx.Response:
    return await client.post(f"/approvals/{approval_id}/decisions", data={"verdict": verdict, "comment": comment})


async def stored(house: Any, approval_id: str) -> list[tuple[str, str]]:
    query = text("select person_id, status from decisions where approval_id = :id order by submitted_at")
    async with house.staff.desk.ledger.read() as session:
        return [tuple(row) for row in (await session.execute(query, {"id": approval_id})).all()]


async def test_the_page_says_what_and_how_much_and_what_stripe_will_be_sent(house: Any) -> None:
    approval_id = await house.asked(
        customer="cus_ExampleGmbH",
        invoice="in_ExampleGmbH0090",
        amount="119.00",
        currency="EUR",
        reason="tax_correction",
        note="The rate was wrong.",
        memo="Correction of the rate",
    )
    words = plain(await (await house.visitor("controller")).get(f"/approvals/{approval_id}"))
    assert "Credit Example GmbH 119.00 EUR on invoice INV-0090" in words
    assert "Waiting on Controller" in words
    assert "asked by Billing Admin" in words
    assert "Net 100.00 EUR" in words
    assert "Tax 19.00 EUR" in words
    assert "Gross 119.00 EUR" in words
    assert "A credit note on invoice INV-0090" in words
    assert "Printed for the customer Correction of the rate" in words
    assert "The rate was wrong. Billing Admin, to colleagues" in words
    assert "it goes back to Billing Admin and nothing is credited: silence is never consent" in words
    assert "Approve 119.00 EUR" in words


async def test_an_approval_reaches_stripe_and_everybody_can_read_by_whom(house: Any) -> None:
    customer = house.books.customer()
    invoice = house.books.invoice(customer, 900_000)
    approval_id = await house.asked(customer=customer, invoice=invoice)
    controller = await house.visitor("controller")
    answer = await decide(controller, approval_id, "approve", "The outage was ours.")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/approvals/{approval_id}?said=accepted"
    notes = house.books.credit_notes(invoice)
    assert [note["total"] for note in notes] == [420_000]
    words = plain(await (await house.visitor("finance")).get(answer.headers["location"]))
    assert "Applied in Stripe" in words
    assert notes[0]["id"] in words
    assert "Controller approved it: The outage was ours." in words
    assert "Billing Admin asked for 4,200.00 USD" in words
    assert "made the credit note in Stripe" in words
    assert "Your decision is recorded." in words


async def test_a_rejection_needs_a_comment_and_what_was_typed_stays(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    answer = await decide(controller, approval_id, "reject", "  ")
    assert answer.status_code == 403
    assert "Say why you reject it" in answer.text
    assert 'id="comment-fault"' in answer.text
    assert '<a href="#comment">' in answer.text
    answer = await decide(controller, approval_id, "reject", "{{7*7}} I think not")
    assert answer.status_code == 422
    assert "{{7*7}} I think not" in html.unescape(answer.text)
    assert await stored(house, approval_id) == []
    assert (await decide(controller, approval_id, "reject", "Not ours.")).status_code == 303
    assert "Rejected" in plain(await controller.get(f"/approvals/{approval_id}"))


@pytest.mark.parametrize("comment", ["x" * (1024 * 1024), "a\x00b", "=cmd()"])
async def test_a_comment_that_cannot_be_kept_decides_nothing(house: Any, comment: str) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    answer = await decide(controller, approval_id, "approve", comment)
    assert answer.status_code == 422
    assert 'id="comment-fault"' in answer.text
    assert await stored(house, approval_id) == []


@pytest.mark.parametrize("verdict", ["", "withdraw", "APPROVE", "\x00", "execute"])
async def test_nothing_else_is_a_verdict(house: Any, verdict: str) -> None:
    approval_id = await house.asked()
    answer = await decide(await house.visitor("controller"), approval_id, verdict)
    assert answer.status_code == 422
    assert "Choose: approve, reject, ask or return." in answer.text
    assert await stored(house, approval_id) == []


@pytest.mark.asvs("2.3.5")
@pytest.mark.asvs("16.3.2")
async def test_nobody_decides_on_their_own_request(house: Any) -> None:
    approval_id = await house.asked("controller", reason="goodwill")
    controller = await house.visitor("controller")
    page = await controller.get(f"/approvals/{approval_id}")
    assert 'name="verdict"' not in page.text
    assert "Nobody decides on their own request" in page.text
    answer = await decide(controller, approval_id, "approve")
    assert answer.status_code == 403
    assert await stored(house, approval_id) == []
    trail = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "was refused: Nobody decides on their own request" in trail


@pytest.mark.asvs("8.2.2")
async def test_who_is_not_asked_reads_who_is(house: Any) -> None:
    approval_id = await house.asked()
    for role in ("legal", "finance", "operator", "administrator"):
        visitor = await house.visitor(role)
        page = await visitor.get(f"/approvals/{approval_id}")
        assert "This request waits for Controller" in page.text
        assert 'name="verdict"' not in page.text
        assert (await decide(visitor, approval_id, "approve")).status_code == 403
    assert await stored(house, approval_id) == []


@pytest.mark.asvs("8.2.2")
async def test_somebody_elses_request_is_not_there_for_support(house: Any) -> None:
    approval_id = await house.asked()
    support = await house.visitor("support")
    shown = await support.get(f"/approvals/{approval_id}")
    never_made = await support.get("/approvals/CR-AAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert shown.status_code == never_made.status_code == 404
    without_id = re.sub(r"[0-9a-f]{16}", "", shown.text)
    assert without_id == re.sub(r"[0-9a-f]{16}", "", never_made.text)
    assert (await decide(support, approval_id, "approve")).status_code == 404
    assert (await support.post(f"/approvals/{approval_id}/withdrawal")).status_code == 404
    own = await house.asked("support")
    assert (await support.get(f"/approvals/{own}")).status_code == 200


@pytest.mark.asvs("2.3.1")
async def test_a_request_that_is_decided_says_so_instead_of_asking(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    await decide(controller, approval_id, "reject", "No.")
    page = await controller.get(f"/approvals/{approval_id}")
    assert 'name="verdict"' not in page.text
    assert "It was rejected; nothing was credited." in page.text
    late = await decide(controller, approval_id, "approve")
    assert late.status_code in {403, 409}
    assert await stored(house, approval_id) == [("p-controller", "recorded")]


async def test_the_same_decision_posted_twice_is_one(house: Any) -> None:
    approval_id = await house.asked(amount="38000.00", reason="contract_concession")
    controller = await house.visitor("controller")
    for _ in range(2):
        assert (await decide(controller, approval_id, "approve")).status_code == 303
    assert await stored(house, approval_id) == [("p-controller", "recorded")]


@pytest.mark.asvs("2.3.5")
async def test_where_two_must_agree_the_page_says_who_has_and_who_is_missing(house: Any) -> None:
    approval_id = await house.asked(amount="38000.00", reason="contract_concession")
    legal = await house.visitor("legal")
    assert "others are asked as well" in (await legal.get(f"/approvals/{approval_id}")).text
    await decide(legal, approval_id, "approve", "Clause 7.")
    words = plain(await legal.get(f"/approvals/{approval_id}"))
    assert "Waiting on Controller " in words
    assert "You approved it. Now it waits on Controller." in words
    assert "Legal approved it: Clause 7." in words
    await decide(await house.visitor("controller"), approval_id, "approve")
    assert "Applied in Stripe" in plain(await legal.get(f"/approvals/{approval_id}"))


@pytest.mark.asvs("7.5.3")
async def test_a_large_decision_needs_a_fresh_sign_in(house: Any) -> None:
    approval_id = await house.asked(amount="10000.01")
    small = await house.asked(amount="9000.00", request_id="r-2")
    controller = await house.visitor("controller")
    house.clock.ahead = timedelta(minutes=16)
    page = await controller.get(f"/approvals/{approval_id}")
    assert f'href="/sign-in?next=/approvals/{approval_id}&amp;fresh=yes"' in page.text
    assert 'name="verdict"' not in page.text
    refused = await decide(controller, approval_id, "approve")
    assert refused.status_code == 403
    assert "sign in again" in refused.text.lower()
    assert (await decide(controller, small, "approve")).status_code == 303
    await controller.post("/sign-in", data={"person": "p-controller"})
    assert (await decide(controller, approval_id, "approve")).status_code == 303


async def test_only_the_requester_withdraws(house: Any) -> None:
    approval_id = await house.asked()
    admin, controller = await house.visitor("billing_admin"), await house.visitor("controller")
    assert "Withdraw it" in (await admin.get(f"/approvals/{approval_id}")).text
    assert "Withdraw it" not in (await controller.get(f"/approvals/{approval_id}")).text
    assert (await controller.post(f"/approvals/{approval_id}/withdrawal")).status_code == 403
    assert (await admin.post(f"/approvals/{approval_id}/withdrawal")).status_code == 303
    words = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "Withdrawn" in words
    assert "Billing Admin took it back" in words


async def test_while_temporal_is_away_a_decision_is_kept_and_the_page_says_so(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    house.temporal.away = True
    answer = await decide(controller, approval_id, "approve")
    assert answer.headers["location"].endswith("?said=kept")
    words = plain(await controller.get(answer.headers["location"]))
    assert "Your decision is signed and kept" in words
    assert "You approved it." in words
    assert "It is taken up as soon as possible." in words
    assert await stored(house, approval_id) == [("p-controller", "submitted")]


async def test_while_stripe_is_away_the_page_still_shows_what_was_asked(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    house.books.fault("500")
    page = await controller.get(f"/approvals/{approval_id}")
    assert page.status_code == 200
    assert "Stripe cannot be reached right now; the figures are those of when it was asked for." in page.text
    assert "Approve" in page.text


async def test_what_changed_in_stripe_since_is_shown_before_one_decides(house: Any) -> None:
    customer = house.books.customer()
    invoice = house.books.invoice(customer, 900_000)
    approval_id = await house.asked(customer=customer, invoice=invoice)
    house.books.post(f"/v1/invoices/{invoice}/void")
    words = plain(await (await house.visitor("controller")).get(f"/approvals/{approval_id}"))
    assert "Since it was asked for, the invoice was open and is now void" in words


@pytest.mark.asvs("15.4.2")
async def test_a_page_that_shows_something_else_decides_nothing(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    page = (await controller.get(f"/approvals/{approval_id}")).text
    shown = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert shown
    stale = {"verdict": "approve", "digest": "0" * 64}
    answer = await controller.post(f"/approvals/{approval_id}/decisions", data=stale)
    assert answer.status_code == 409
    assert "read it again" in answer.text
    assert await stored(house, approval_id) == []
    right = {"verdict": "approve", "digest": shown[1]}
    assert (await controller.post(f"/approvals/{approval_id}/decisions", data=right)).status_code == 303


async def test_the_customers_year_is_drawn_and_told(house: Any) -> None:
    customer = house.books.customer()
    for back, amount, request_id in ((700, "99.00", "old"), (200, "310.00", "a"), (40, "120.00", "b")):
        house.clock.ahead = timedelta(days=-back)
        await house.asked(customer=customer, amount=amount, request_id=request_id, reason="goodwill")
    house.clock.ahead = timedelta()
    approval_id = await house.asked(customer=customer)
    other = await house.asked(customer=customer, amount="3000.00", request_id="c")
    page = await (await house.visitor("controller")).get(f"/approvals/{approval_id}")
    words = plain(page)
    assert "2 credits, 430.00 USD in twelve months; the most in" in words
    assert page.text.count('<rect class="bar"') == 2
    assert '<svg viewBox="0 0 360 92" role="img" aria-labelledby="year-title year-words"' in page.text
    assert f'<a href="/approvals/{other}">' in page.text
    support = await house.visitor("support")
    own = await house.asked("support", customer=customer, request_id="d")
    shown = plain(await support.get(f"/approvals/{own}"))
    assert "in twelve months" not in shown
    assert "Nothing else is asked for this customer." in shown


async def leaves(house: Any, *person_ids: str) -> None:
    async with house.staff.desk.ledger.begin() as tx:
        everybody = {one.person_id: one for one in await people.everybody(tx.session)}
        await people.add(tx.session, [replace(everybody[person_id], active=False) for person_id in person_ids])


async def test_who_decides_in_an_empty_groups_place_is_said_and_told_in_the_history(house: Any) -> None:
    await leaves(house, "p-controller")
    approval_id = await house.asked()
    cfo = await house.visitor("cfo")
    words = plain(await cfo.get(f"/approvals/{approval_id}"))
    assert "Waiting on Controller (CFO in its place)" in words
    assert "Waiting. CFO can decide." in words
    assert "Nobody of Controller could when it was asked, so CFO decides in its place." in words
    assert "Plixo found nobody of Controller who could decide; CFO decides in its place" in words
    assert "Approving applies it in Stripe at once" in words
    assert "may decide as well. If nobody" not in words
    await decide(cfo, approval_id, "approve")
    assert "approved it for Controller, as CFO, since nobody of them could" in plain(
        await cfo.get(f"/approvals/{approval_id}")
    )


async def test_of_a_group_and_its_fallback_that_nobody_is_left_in_the_history_says_that_it_waits(house: Any) -> None:
    await leaves(house, "p-controller", "p-cfo")
    approval_id = await house.asked()
    words = plain(await (await house.visitor("finance")).get(f"/approvals/{approval_id}"))
    assert "Waiting, but nobody of this group can decide. Ask an administrator." in words
    assert "Plixo found nobody of Controller who could decide, nor of CFO; it waits" in words


async def test_where_several_must_agree_the_page_says_how_many_and_what_a_rejection_does(house: Any) -> None:
    async with house.staff.desk.ledger.begin() as tx:
        everybody = {one.person_id: one for one in await people.everybody(tx.session)}
        more = [
            replace(everybody["p-controller"], person_id=f"p-{name}", name=name, email=f"{name}@plixo.example")
            for name in ("second", "third")
        ]
        await people.add(tx.session, more)
    stages = {"controller": [{"seats": {"controller": 2}, "one_rejection_ends": False}]}
    made = await (await house.caller("administrator")).post(
        "/api/v1/policy/drafts",
        json={
            "limits": {**house.staff.desk.policy.plain_limits, "stages": stages},
            "table": house.staff.desk.policy.plain_table,
        },
    )
    (told,) = made.json()["differences"]
    assert told["after"] == "2 of Controller (one rejection does not end it)"
    published = await (await house.caller("cfo")).post(f"/api/v1/policy/drafts/{made.json()['draft_id']}/publication")
    assert published.status_code == 200
    visitor = await house.visitor("billing_admin")
    checked = plain(await visitor.post("/credits/check", data=house.form(request_id="r-0")))
    assert "2 of Controller" in checked
    assert "One rejection does not end it, as long as 2 of Controller can still agree." in checked
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    words = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "2 of 2 have yet to agree. 3 could decide, 0 of them rejected it" in words
    assert "others are asked as well. Rejecting counts against it" in words
    await decide(controller, approval_id, "reject", "Too much.")
    words = plain(await (await house.visitor("finance")).get(f"/approvals/{approval_id}"))
    assert "Waiting on Controller" in words
    assert "3 could decide, 1 of them rejected it" in words


async def test_a_group_that_nobody_is_left_in_is_said(house: Any) -> None:
    approval_id = await house.asked()
    await leaves(house, "p-controller")
    words = plain(await (await house.visitor("finance")).get(f"/approvals/{approval_id}"))
    assert "Waiting, but nobody of this group can decide. Ask an administrator." in words


async def test_a_page_that_is_moving_looks_again_by_itself_and_one_that_waits_does_not(house: Any) -> None:
    waiting = await house.asked()
    house.temporal.away = True
    moving = await house.asked(amount="50.00", request_id="r-2", customer="cus_ExampleStudio")
    visitor = await house.visitor("finance")
    assert 'hx-trigger="every 2s"' in (await visitor.get(f"/approvals/{moving}")).text
    assert 'hx-trigger="every 2s"' not in (await visitor.get(f"/approvals/{waiting}")).text


async def test_an_address_makes_the_page_say_known_words_only(house: Any) -> None:
    approval_id = await house.asked()
    page = await (await house.visitor("controller")).get(f"/approvals/{approval_id}?said=<b>You+won</b>")
    assert "You won" not in page.text


async def test_a_smaller_amount_is_approved_by_its_own_form_and_reaches_stripe(house: Any) -> None:
    customer = house.books.customer()
    invoice = house.books.invoice(customer, 900_000)
    approval_id = await house.asked(customer=customer, invoice=invoice)
    controller = await house.visitor("controller")
    page = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "Approve a smaller amount" in page
    sent = {"verdict": "approve", "part": "yes", "amount": "1000.00", "comment": "Half of it was ours."}
    answer = await controller.post(f"/approvals/{approval_id}/decisions", data=sent)
    assert answer.status_code == 303
    (note,) = house.books.credit_notes(invoice)
    assert note["amount"] == 100_000
    words = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "approved 1,000.00 of it: Half of it was ours." in words
    assert "approved 1,000.00 USD of it for Controller" in words
    assert "1,000.00 USD agreed" in words


async def test_an_amount_above_what_is_asked_is_refused_at_its_field_and_kept_typed(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    sent = {"verdict": "approve", "part": "yes", "amount": "999999.00", "comment": "Half."}
    answer = await controller.post(f"/approvals/{approval_id}/decisions", data=sent)
    assert answer.status_code == 422
    assert 'href="#amount"' in answer.text
    assert 'value="999999.00"' in answer.text
    assert await stored(house, approval_id) == []
