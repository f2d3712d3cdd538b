import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from plixo.domain.several import MOST
from plixo.store import people

NEVER_MADE = "CR-AAAAAAAAAAAAAAAAAAAAAAAAAA"
HERE = "/approvals/decisions"


def plain(answer: httpx.Response) -> str:
    """The page's words without its markup."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def ticks(answer: httpx.Response) -> list[str]:
    return re.findall(r'<input type="checkbox" name="id" value="(CR-\w+)"', answer.text)


def rows(answer: httpx.Response) -> list[str]:
    return re.findall(r'name="row" value="([^"]+)"', answer.text)


async def look(client: httpx.AsyncClient, verdict: str, *ids: str, **more: str) -> httpx.Response:
    return await client.get(HERE, params=[("verdict", verdict), *(("id", one) for one in ids), *more.items()])


async def confirm(client: httpx.AsyncClient, verdict: str, sent: list[str], comment: str = "") -> httpx.Response:
    return await client.post(HERE, data={"verdict": verdict, "comment": comment, "row": sent})


async def stored(house: Any, approval_id: str) -> list[tuple[str, str, str]]:
    query = text("select person_id, verdict, status from decisions where approval_id = :id order by submitted_at")
    async with house.staff.desk.ledger.read() as session:
        return [tuple(row) for row in (await session.execute(query, {"id": approval_id})).all()]


async def test_the_inbox_offers_to_tick_what_its_reader_may_decide_on(house: Any) -> None:
    mine = await house.asked(request_id="a")
    own = await house.asked("controller", request_id="b", reason="goodwill")
    both = await house.asked(request_id="c", amount="38000.00", reason="contract_concession")
    await house.asked(request_id="d", amount="40.00")
    controller, legal = await house.visitor("controller"), await house.visitor("legal")
    assert set(ticks(await controller.get("/approvals?tab=all"))) == {mine, both}
    assert set(ticks(await legal.get("/approvals?tab=all"))) == {own, both}
    await controller.post(f"/approvals/{both}/decisions", data={"verdict": "approve"})
    assert ticks(await controller.get("/approvals?tab=all")) == [mine]
    for role in ("finance", "billing_admin", "operator"):
        page = await (await house.visitor(role)).get("/approvals?tab=all")
        assert ticks(page) == []
        assert " ticked…" not in page.text


async def test_all_on_the_page_are_ticked_by_a_link_and_unticked_by_the_next(house: Any) -> None:
    await house.asked(request_id="a")
    await house.asked(request_id="b")
    controller = await house.visitor("controller")
    page = await controller.get("/approvals?tab=mine&sort=newest")
    assert "checked" not in page.text
    link = re.search(r'<a href="([^"]+)" data-tick-all>Tick all 2 on this page', page.text)
    assert link
    page = await controller.get(html.unescape(link[1]))
    assert page.text.count(" checked>") == 2
    link = re.search(r'<a href="([^"]+)" data-tick-all>Untick all<', page.text)
    assert link
    page = await controller.get(html.unescape(link[1]))
    assert " checked>" not in page.text
    assert 'aria-current="page">For me' in page.text


async def test_the_check_page_says_what_is_done_to_how_many_and_what_it_comes_to(house: Any) -> None:
    one = await house.asked(request_id="a", amount="900.00", note="Two days.")
    two = await house.asked(request_id="b", amount="1100.50")
    euros = await house.asked(request_id="c", amount="700.00", currency="EUR", reason="goodwill")
    both = await house.asked(request_id="d", amount="9000.00", reason="fraud")
    controller = await house.visitor("controller")
    page = await look(controller, "approve", both, one, two, euros)
    words = plain(page)
    assert page.status_code == 200
    assert "Approve 4 requests: 700.00 EUR , 11,000.50 USD " in words
    assert "Example Logistics Customer balance 9,000.00 USD Fraud Billing Admin now Then it waits on Legal." in words
    assert "900.00 USD Service outage Two days. Billing Admin now It is applied in Stripe at once." in words
    assert "Left out" not in words
    assert [row.split("/")[0] for row in rows(page)] == [both, one, two, euros]
    rejecting = plain(await look(controller, "reject", both))
    assert "Reject 1 request: 9,000.00 USD" in rejecting
    assert "It ends, and nothing is credited." in rejecting
    for approval_id in (one, two, euros, both):
        assert await stored(house, approval_id) == []


async def test_who_cannot_be_decided_on_is_named_with_why_before(house: Any) -> None:
    fine = await house.asked(request_id="a", amount="900.00")
    own = await house.asked("controller", request_id="b", reason="goodwill", customer="cus_ExampleStudio")
    for_legal = await house.asked(request_id="c", amount="800.00", reason="dispute")
    done = await house.asked(request_id="d", amount="30.00")
    decided = await house.asked(request_id="e", amount="9000.00", reason="fraud")
    controller = await house.visitor("controller")
    await controller.post(f"/approvals/{decided}/decisions", data={"verdict": "approve"})
    page = await look(controller, "approve", own, for_legal, done, decided, NEVER_MADE, fine)
    words = plain(page)
    assert [row.split("/")[0] for row in rows(page)] == [fine]
    assert "Approve 1 request: 900.00 USD" in words
    assert "5 requests of those you ticked are left out" in words
    assert "Nobody decides on their own request" in words
    assert "800.00 USD This request waits for Legal; you are Controller." in words
    assert "It is done: Stripe has it." in words
    assert "You approved it. Now it waits on Legal." in words
    assert NEVER_MADE in words
    assert "There is no such request; look for it in your inbox." in words
    none = await look(controller, "approve", own)
    assert none.status_code == 200
    assert "None of these can be approved by you now" in plain(none)
    assert rows(none) == []
    assert "<textarea" not in none.text


@pytest.mark.asvs("8.2.2")
async def test_somebody_elses_request_is_as_one_that_was_never_made(house: Any) -> None:
    others = await house.asked()
    support = await house.visitor("support")
    page = plain(await look(support, "approve", others, NEVER_MADE))
    assert page.count("There is no such request; look for it in your inbox.") == 2
    assert "Example Logistics" not in page
    answer = await confirm(support, "approve", [f"{others}/0/{'0' * 64}/420000"])
    assert "Not decided: There is no such request" in plain(answer)
    assert "Example Logistics" not in plain(answer)


async def test_each_is_decided_and_the_page_says_what_became_of_it(house: Any) -> None:
    customer = house.books.customer("Example Several")
    invoice = house.books.invoice(customer, 900_000)
    one = await house.asked(request_id="a", amount="900.00", customer=customer, invoice=invoice)
    two = await house.asked(request_id="b", amount="9000.00", reason="fraud")
    gone = await house.asked(request_id="c", amount="800.00")
    controller = await house.visitor("controller")
    sent = rows(await look(controller, "approve", one, two, gone))
    admin = await house.visitor("billing_admin")
    await admin.post(f"/approvals/{gone}/withdrawal")
    answer = await confirm(controller, "approve", sent, "As we said.")
    words = plain(answer)
    assert answer.status_code == 200
    assert "You approved 2 of 3 requests" in words
    assert "1 request was not decided; it comes first, with why." in words
    assert "Withdrawn ▲ Not decided: The request is withdrawn already." in words
    assert "Example Several" in words
    assert "900.00 USD ● Applied in Stripe ✓ Recorded." in words
    assert "9,000.00 USD ◔ Waiting on Legal ✓ Recorded." in words
    assert words.index("Not decided") < words.index("Recorded.")
    assert [note["total"] for note in house.books.credit_notes(invoice)] == [90_000]
    assert await stored(house, one) == [("p-controller", "approve", "recorded")]
    assert await stored(house, gone) == [("p-billing-admin", "withdraw", "recorded")]
    assert "Controller approved it: As we said." in plain(await controller.get(f"/approvals/{two}"))


async def test_the_confirmation_posted_twice_decides_nothing_twice(house: Any) -> None:
    customer = house.books.customer()
    invoice = house.books.invoice(customer, 900_000)
    ids = [
        await house.asked(request_id=name, amount=f"{name}00.00", customer=customer, invoice=invoice)
        for name in ("6", "7")
    ]
    controller = await house.visitor("controller")
    sent = rows(await look(controller, "approve", *ids))
    first, second = [await confirm(controller, "approve", sent) for _ in range(2)]
    for answer in (first, second):
        assert "You approved 2 requests" in plain(answer)
    assert sorted(note["total"] for note in house.books.credit_notes(invoice)) == [60_000, 70_000]
    for approval_id in ids:
        assert await stored(house, approval_id) == [("p-controller", "approve", "recorded")]


@pytest.mark.asvs("15.4.2")
async def test_a_row_that_changed_since_it_was_shown_is_refused_alone(house: Any) -> None:
    both = await house.asked(request_id="a", amount="38000.00", reason="contract_concession")
    other = await house.asked(request_id="b", amount="900.00")
    controller, legal = await house.visitor("controller"), await house.visitor("legal")
    sent = rows(await look(controller, "approve", both, other))
    less = {"verdict": "approve", "part": "yes", "amount": "20000.00", "comment": "Half."}
    assert (await legal.post(f"/approvals/{both}/decisions", data=less)).status_code == 303
    words = plain(await confirm(controller, "approve", sent))
    assert "Not decided: Another amount is asked for by now; read it again." in words
    assert await stored(house, both) == [("p-legal", "approve", "recorded")]
    assert await stored(house, other) == [("p-controller", "approve", "recorded")]
    again = await look(controller, "approve", both)
    assert "20,000.00 USD of 38,000.00 USD asked for" in plain(again)
    for part, wrong in ((1, "7"), (2, "0" * 64)):
        pieces = rows(again)[0].split("/")
        pieces[part] = wrong
        words = plain(await confirm(controller, "approve", ["/".join(pieces)]))
        assert "Not decided: The request has changed since; read it again." in words
    assert await stored(house, both) == [("p-legal", "approve", "recorded")]
    assert "You approved 1 request" in plain(await confirm(controller, "approve", rows(again)))


async def test_a_rejection_needs_a_comment_and_what_was_typed_stays(house: Any) -> None:
    ids = [await house.asked(request_id=name) for name in ("a", "b")]
    controller = await house.visitor("controller")
    sent = rows(await look(controller, "reject", *ids))
    for comment, status, said in (
        (" ", 403, "Say why you reject it; the requester will read it."),
        ("{{7*7}} is it", 422, ""),
    ):
        answer = await confirm(controller, "reject", sent, comment)
        assert answer.status_code == status
        assert said in answer.text
        assert '<a href="#comment">' in answer.text
        assert 'id="comment-fault"' in answer.text
        assert comment in html.unescape(answer.text)
        assert rows(answer) == sent
    assert [await stored(house, one) for one in ids] == [[], []]
    assert "You rejected 2 requests" in plain(await confirm(controller, "reject", sent, "Asked twice."))
    assert [await stored(house, one) for one in ids] == [[("p-controller", "reject", "recorded")]] * 2


@pytest.mark.asvs("7.5.3")
async def test_large_amounts_need_a_fresh_sign_in_that_comes_back_to_the_same_page(house: Any) -> None:
    large = await house.asked(request_id="a", amount="10000.01")
    small = await house.asked(request_id="b", amount="900.00")
    controller = await house.visitor("controller")
    sent = rows(await look(controller, "approve", large, small))
    house.clock.ahead = timedelta(minutes=16)
    page = await look(controller, "approve", large, small, back="/approvals?tab=mine")
    assert [row.split("/")[0] for row in rows(page)] == [small]
    assert "So large an amount needs a fresh sign-in." in plain(page)
    words = plain(await confirm(controller, "approve", sent))
    assert "Not decided: So large a decision needs a sign-in of the last 15 minutes" in words
    assert [len(await stored(house, one)) for one in (large, small)] == [0, 1]
    link = re.search(r'<a href="(/sign-in\?next=[^"]+)">Sign in again</a>', page.text)
    assert link
    form = await controller.get(html.unescape(link[1]))
    following = re.search(r'name="next" value="([^"]+)"', form.text)
    assert following
    back = await controller.post("/sign-in", data={"person": "p-controller", "next": html.unescape(following[1])})
    assert back.status_code == 303
    page = await controller.get(back.headers["location"])
    assert [row.split("/")[0] for row in rows(page)] == [large]
    assert 'href="/approvals?tab=mine">Back to the inbox' in page.text
    assert "You approved 1 request" in plain(await confirm(controller, "approve", rows(page)))


async def test_the_longest_address_of_the_check_page_survives_a_sign_in(house: Any) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ids = [f"CR-{letters[number // 26] * 25}{letters[number % 26]}" for number in range(MOST)]
    visitor = await house.visitor()
    asked = await look(visitor, "approve", *ids)
    assert asked.status_code == 303
    form = await visitor.get(asked.headers["location"])
    following = re.search(r'name="next" value="([^"]+)"', form.text)
    assert following
    back = await visitor.post("/sign-in", data={"person": "p-controller", "next": html.unescape(following[1])})
    assert "Left out: 50 requests" in plain(await visitor.get(back.headers["location"]))


async def test_who_may_approve_a_part_alone_reads_where_and_may_reject_it_whole(house: Any) -> None:
    approval_id = await house.asked()
    async with house.staff.desk.ledger.begin() as tx:
        everybody = {one.person_id: one for one in await people.everybody(tx.session)}
        await people.add(tx.session, [replace(everybody["p-controller"], limits={"credit": 100_000})])
    controller = await house.visitor("controller")
    page = await look(controller, "approve", approval_id)
    assert rows(page) == []
    assert "You may approve 1,000.00 USD of it at most; open it to approve that." in plain(page)
    assert len(rows(await look(controller, "reject", approval_id))) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], "Tick the requests that you want to decide on first."),
        (["x"], "No page says this; tick the requests again."),
        ([f"{NEVER_MADE}/0/{'0' * 64}/1", f"{NEVER_MADE}/0/{'0' * 64}/2"], "A request is there twice"),
        ([f"CR-{'A' * 25}{a}/{n}/{'0' * 64}/1" for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for n in (0, 1)], "twice"),
        ([f"CR-{'A' * 24}{a}{b}/0/{'0' * 64}/1" for a in "ABC" for b in "ABCDEFGHIJKLMNOPQ"], "at most 50"),
    ],
    ids=["none", "not a row", "twice", "many twice", "too many"],
)
async def test_rows_that_no_page_has_decide_nothing(house: Any, sent: list[str], said: str) -> None:
    controller = await house.visitor("controller")
    answer = await confirm(controller, "approve", sent)
    assert answer.status_code == 422
    assert said in plain(answer)
    assert 'href="/approvals">Back to the inbox' in answer.text


@pytest.mark.parametrize("verdict", ["", "withdraw", "APPROVE", "\x00", "execute"])
async def test_only_approve_and_reject_are_verdicts(house: Any, verdict: str) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    sent = rows(await look(controller, "approve", approval_id))
    for answer in (await look(controller, verdict, approval_id), await confirm(controller, verdict, sent)):
        assert answer.status_code == 422
        assert "Choose: approve or reject." in answer.text
    assert await stored(house, approval_id) == []


@pytest.mark.parametrize("ids", [[], ["x"], ["x" * 5000], ["\x00"], [NEVER_MADE + "\n"]], ids=repr)
async def test_an_address_that_means_nothing_is_told_so(house: Any, ids: list[str]) -> None:
    controller = await house.visitor("controller")
    page = await look(controller, "approve", *ids)
    assert page.status_code == 422
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/sign-out", "/audit", "javascript:alert(1)", "/approvals/x?"]
)
async def test_the_way_back_leads_to_the_inbox_alone(house: Any, back: str) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    page = await look(controller, "approve", approval_id, back=back)
    assert 'href="/approvals">Back to the inbox' in page.text
    sent = {"verdict": "approve", "row": rows(page), "back": back}
    assert 'href="/approvals">Back to the inbox' in (await controller.post(HERE, data=sent)).text


@pytest.mark.asvs("3.5.1")
async def test_a_confirmation_from_another_site_is_refused(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    sent = {"verdict": "approve", "row": rows(await look(controller, "approve", approval_id))}
    answer = await controller.post(HERE, data=sent, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert await stored(house, approval_id) == []


@pytest.mark.asvs("3.5.3")
async def test_looking_decides_nothing_and_nobody_decides_without_a_sign_in(house: Any) -> None:
    approval_id = await house.asked()
    controller, nobody = await house.visitor("controller"), await house.visitor()
    sent = rows(await look(controller, "approve", approval_id))
    for method in ("GET", "HEAD"):
        asked = {"verdict": "approve", "id": approval_id, "row": sent[0], "comment": "x"}
        assert (await controller.request(method, HERE, params=asked)).status_code == 200
    answer = await confirm(nobody, "approve", sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/approvals")
    assert await stored(house, approval_id) == []


@pytest.mark.asvs("16.3.2")
async def test_a_refusal_among_several_is_in_the_requests_history(house: Any) -> None:
    own = await house.asked("controller", reason="goodwill")
    controller = await house.visitor("controller")
    page = await controller.get(f"/approvals/{own}")
    digest = re.search(r"<dt>Fingerprint</dt><dd>([0-9a-f]{64})</dd>", page.text)
    assert digest
    await confirm(controller, "approve", [f"{own}/0/{digest[1]}/420000"])
    trail = plain(await controller.get(f"/approvals/{own}"))
    assert "was refused: Nobody decides on their own request" in trail
