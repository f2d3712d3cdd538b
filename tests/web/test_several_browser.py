"""Several requests decided at once in Chromium: by mouse, by keyboard, on a phone, without JavaScript."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browsing import DESK, PHONE

pytestmark = pytest.mark.browser


def asked(served: Any, name: str, *amounts: str) -> list[str]:
    """Requests of one customer, whose name finds them; their ids."""
    customer = served.house.books.customer(name)
    return [
        served.run(
            served.house.asked(customer=customer, amount=amount, request_id=f"{name}-{amount}".replace(" ", "-"))
        )
        for amount in amounts
    ]


def inbox(page: Page, name: str) -> None:
    page.goto(f"/approvals?tab=mine&sort=amount&q={name}")
    expect(page.locator("a.whole").first).to_contain_text(name)


def width(page: Page) -> int:
    page.wait_for_load_state("load")  # before that, the styles may be missing
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found


def ticked(page: Page) -> list[bool]:
    return [box.is_checked() for box in page.locator("input[name='id']").all()]


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_all_on_the_page_are_ticked_checked_and_approved(
    served: Any, watch: Any, screen: dict[str, int], *, scripts: bool
) -> None:
    name = f"Example Ticks {screen['width']} {scripts}"
    asked(served, name, "900.00", "800.00", "700.00")
    page = watch("controller", screen, java_script_enabled=scripts)
    inbox(page, name)
    page.get_by_role("link", name="Tick all 3 on this page").click()
    assert ticked(page) == [True] * 3
    page.get_by_role("checkbox", name=f"Tick {name}, 700.00 USD").uncheck()
    assert width(page) <= screen["width"]
    page.get_by_role("button", name="Approve ticked").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve 2 requests: 1,700.00 USD")
    assert width(page) <= screen["width"]
    page.get_by_label("Comment").fill("All ours.")
    page.get_by_role("button", name="Approve 2 requests").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You approved 2 requests")
    expect(page.get_by_text("Applied in Stripe", exact=False)).to_have_count(2)
    assert width(page) <= screen["width"]
    page.get_by_role("button", name="Back to the inbox").click()
    expect(page.locator("a.whole")).to_have_count(1)
    expect(page.locator("tbody .figure")).to_have_text("700.00 USD")


def test_the_keyboard_alone_moves_ticks_and_opens(served: Any, watch: Any) -> None:
    ids = asked(served, "Example Shortcuts", "900.00", "800.00", "700.00")
    page = watch("controller", DESK)
    inbox(page, "Example Shortcuts")
    page.keyboard.press("x")
    page.keyboard.press("j")
    assert ticked(page) == [False] * 3, "outside the list a letter means nothing"
    page.locator("a.whole").first.focus()
    for keys, now in (("x", [True, False, False]), ("jx", [True, True, False]), ("kx", [False, True, False])):
        page.keyboard.type(keys)
        assert ticked(page) == now
    expect(page.get_by_text("1 ticked")).to_be_visible()
    page.keyboard.type("kjjjjj")
    expect(page.locator("a.whole").last).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("input[name='id']").last).to_be_focused()
    page.keyboard.press("Space")
    assert ticked(page) == [False, True, True]
    page.keyboard.press("Control+x")
    assert ticked(page) == [False, True, True], "what the browser takes for itself is left to it"
    page.get_by_label("Search").focus()
    page.keyboard.press("End")
    page.keyboard.type(" xjk")
    assert page.get_by_label("Search").input_value() == "Example Shortcuts xjk"
    inbox(page, "Example Shortcuts")
    page.locator("a.whole").first.focus()
    page.keyboard.type("jj")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    assert page.url.endswith(f"/approvals/{ids[2]}")


def test_the_keyboard_alone_rejects_several_and_reads_what_is_missing(served: Any, watch: Any) -> None:
    asked(served, "Example Refuse", "900.00", "800.00")
    page = watch("controller", DESK, ignored="403")
    inbox(page, "Example Refuse")
    page.get_by_role("link", name="Tick all 2 on this page").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Untick all")).to_be_focused()
    expect(page.get_by_text("2 ticked")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Reject ticked")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Reject 2 requests: 1,700.00 USD")
    page.get_by_role("button", name="Reject 2 requests").focus()
    page.keyboard.press("Enter")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Say why you reject it").press("Enter")
    expect(page.get_by_label("Why you reject")).to_be_focused()
    page.keyboard.type("Asked twice.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You rejected 2 requests")


def test_what_htmx_swaps_in_can_be_ticked_as_well(served: Any, watch: Any) -> None:
    asked(served, "Example Swapped", "900.00", "800.00")
    page = watch("controller", DESK)
    page.goto("/approvals?tab=all")
    page.get_by_label("Search").press_sequentially("example swapped", delay=10)
    expect(page.locator("#found-words")).to_have_text("2 requests")
    expect(page.get_by_role("link", name="Tick all 2 on this page")).to_be_visible()
    expect(page.get_by_text("While the list has the focus")).to_be_visible()
    page.get_by_role("link", name="Tick all 2 on this page").click()
    expect(page.get_by_text("2 ticked")).to_be_visible()
    page.get_by_role("button", name="Approve ticked").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve 2 requests: 1,700.00 USD")
    page.go_back()
    expect(page.get_by_text("2 ticked")).to_be_visible()
    with page.expect_response(lambda answer: "sort=amount" in answer.url):
        page.get_by_label("Order").select_option("amount")
    expect(page.locator("tbody .figure").first).to_have_text("900.00 USD")
    assert ticked(page) == [True, True]
    expect(page.get_by_text("2 ticked")).to_be_visible()
