import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from plixo.domain.payments import CallRefused


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return re.findall(r'class="whole" href="/approvals/(CR-\w+)"', answer.text)


async def test_each_tab_holds_what_it_says(house: Any) -> None:
    for_controller = await house.asked(request_id="a")
    own = await house.asked("controller", request_id="b", reason="goodwill")
    both = await house.asked(request_id="c", amount="38000.00", reason="contract_concession")
    done = await house.asked(request_id="d", amount="40.00")
    controller, legal = await house.visitor("controller"), await house.visitor("legal")
    assert set(listed(await controller.get("/approvals?tab=mine"))) == {for_controller, both}
    assert set(listed(await legal.get("/approvals?tab=mine"))) == {own, both}
    await controller.post(f"/approvals/{both}/decisions", data={"verdict": "approve"})
    assert listed(await controller.get("/approvals?tab=mine")) == [for_controller]
    assert listed(await controller.get("/approvals?tab=done")) == [done]
    assert set(listed(await controller.get("/approvals?tab=all"))) == {for_controller, own, both, done}
    assert listed(await controller.get("/approvals?tab=overdue")) == []
    house.clock.ahead = timedelta(hours=9)
    assert listed(await controller.get("/approvals?tab=overdue")) == [for_controller]
    page = (await controller.get("/approvals")).text
    assert re.search(r'href="[^"]*tab=mine[^"]*" aria-current="page">For me <span class="count">1<', page)
    assert re.search(r">Overdue <span class=\"count\">1<", page)


async def test_who_is_related_to_the_customer_is_not_asked_but_sees_it_in_the_group(house: Any) -> None:
    approval_id = await house.asked(customer="cus_ExampleGmbH", currency="EUR", amount="1000.00", reason="dispute")
    legal = await house.visitor("legal")
    assert approval_id not in listed(await legal.get("/approvals?tab=mine"))
    assert listed(await legal.get("/approvals?tab=groups")) == [approval_id]


@pytest.mark.asvs("8.2.2")
async def test_support_sees_their_own_alone_whatever_they_look_for(house: Any) -> None:
    others = await house.asked(request_id="a")
    own = await house.asked("support", request_id="b", amount="60.00")
    support = await house.visitor("support")
    for tab in ("mine", "groups", "overdue", "done", "all", "nonsense"):
        assert others not in listed(await support.get(f"/approvals?tab={tab}"))
    assert listed(await support.get("/approvals?tab=all")) == [own]
    assert listed(await support.get(f"/approvals?tab=all&q={others}")) == []
    assert 'All <span class="count">1</span>' in (await support.get("/approvals")).text


@pytest.mark.parametrize(
    ("words", "found"),
    [("logist", 1), ("LOGIST", 1), ("INV-0042", 1), ("inv-00", 1), ("%", 0), ("_", 0), ("'", 0), ("Foods", 0)],
)
async def test_the_search_takes_words_as_they_are(house: Any, words: str, found: int) -> None:
    await house.asked(customer="cus_ExampleLogistics", invoice="in_ExampleLogistics0042", amount="600.00")
    finance = await house.visitor("finance")
    assert len(listed(await finance.get("/approvals", params={"tab": "all", "q": words}))) == found


async def test_a_request_is_found_by_its_id_and_by_its_state(house: Any) -> None:
    approval_id = await house.asked(request_id="a")
    done = await house.asked(request_id="b", amount="20.00")
    finance = await house.visitor("finance")
    assert listed(await finance.get(f"/approvals?tab=all&q={approval_id.lower()}")) == [approval_id]
    assert listed(await finance.get("/approvals?tab=all&state=executed")) == [done]


async def test_the_order_is_in_the_address(house: Any) -> None:
    ids = {}
    for back, amount in ((3, "700.00"), (2, "900.00"), (1, "800.00")):
        house.clock.ahead = timedelta(hours=-back)
        ids[amount] = await house.asked(request_id=amount, amount=amount)
    house.clock.ahead = timedelta()
    finance = await house.visitor("finance")
    newest = [ids[amount] for amount in ("800.00", "900.00", "700.00")]
    assert listed(await finance.get("/approvals?tab=all&sort=newest")) == newest
    assert listed(await finance.get("/approvals?tab=all&sort=due")) == newest[::-1]
    largest = [ids[amount] for amount in ("900.00", "800.00", "700.00")]
    assert listed(await finance.get("/approvals?tab=all&sort=amount")) == largest


async def test_a_long_list_is_turned_page_by_page_and_its_links_keep_the_search(house: Any) -> None:
    caller = await house.caller("billing_admin")
    customer = house.books.customer("Example Pages")
    for number in range(27):
        form = house.form(customer=customer, request_id=f"p-{number}", amount="600.00")
        assert (await caller.post("/api/v1/credits", json=form)).status_code == 201
    finance = await house.visitor("finance")
    first = await finance.get("/approvals?tab=all&q=pages&sort=newest")
    assert len(listed(first)) == 25
    assert "27 requests, page 1 of 2" in first.text
    assert "tab=all&amp;q=pages&amp;sort=newest&amp;page=2" in first.text
    second = await finance.get("/approvals?tab=all&q=pages&sort=newest&page=2")
    assert len(listed(second)) == 2
    assert not set(listed(first)) & set(listed(second))


@pytest.mark.parametrize(
    "query",
    [
        "tab=x&state=y&sort=z&page=w",
        "page=0",
        "page=-1",
        "page=99999999999999999999",
        "page=9999",
        "q=%00",
        "q=" + "x" * 5000,
        "page=%D9%A1",
        "q=%FF%FE",
        "tab[]=1",
    ],
)
async def test_an_address_that_means_nothing_still_shows_the_inbox(house: Any, query: str) -> None:
    await house.asked()
    finance = await house.visitor("finance")
    assert (await finance.get(f"/approvals?{query}")).status_code == 200


async def test_an_empty_tab_says_what_would_appear(house: Any) -> None:
    controller = await house.visitor("controller")
    for tab in ("mine", "groups", "overdue", "done", "all"):
        assert 'class="empty"' in (await controller.get(f"/approvals?tab={tab}")).text
    assert "Nothing matches." in (await controller.get("/approvals?tab=all&q=zzz")).text


async def test_what_needs_attention_stands_above_everything(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = house.books.customer()
    invoice = house.books.invoice(customer, 900_000)
    approval_id = await house.asked(customer=customer, invoice=invoice)

    async def refused(*_: object) -> None:
        raise CallRefused("It is locked for good.", "locked")

    monkeypatch.setattr("plixo.stripe.gateway.StripeGateway.apply", refused)
    controller = await house.visitor("controller")
    await controller.post(f"/approvals/{approval_id}/decisions", data={"verdict": "approve"})
    page = await controller.get("/approvals")
    assert "1 request needs attention" in page.text
    shown = (await controller.get(f"/approvals/{approval_id}")).text
    assert "Needs attention" in shown
    assert "It is locked for good." in shown


async def test_the_menu_shows_what_a_person_may_open_and_nothing_else(house: Any) -> None:
    wanted = {
        "controller": {"/credits/new", "/audit"},
        "billing_admin": {"/credits/new"},
        "finance": {"/audit"},
        "operator": set(),
    }
    for role, places in wanted.items():
        visitor = await house.visitor(role)
        page = (await visitor.get("/approvals")).text
        for place in ("/credits/new", "/audit"):
            assert (f'<li><a href="{place}"' in page) == (place in places), (role, place)
            assert ((await visitor.get(place)).status_code == 200) == (place in places), (role, place)
