"""The pages in Chromium: from a new credit to its approval, at a desk and on a phone, with and without JavaScript."""

import mailbox
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from plixo.messages.approvals import Step
from tests.web.browsing import DESK, PHONE, ask, customer_with_invoice

pytestmark = pytest.mark.browser

SCREENS = [pytest.param(DESK, id="desk"), pytest.param(PHONE, id="phone")]


@pytest.mark.parametrize("screen", SCREENS)
def test_a_credit_is_asked_for_and_approved(served: Any, watch: Any, screen: dict[str, int]) -> None:
    customer, invoice = customer_with_invoice(served, f"Example Browser {screen['width']}")
    path = ask(watch("billing-admin", screen), customer, invoice, "600.00")
    controller = watch("controller", screen)
    controller.goto("/approvals?tab=mine")
    controller.get_by_role("link", name=f"Example Browser {screen['width']}").click()
    assert httpx.URL(controller.url).path == path
    controller.get_by_label("Comment").fill("Ours.")
    controller.get_by_role("button", name="Approve 600.00 USD").click()
    expect(controller.get_by_text("Your decision is recorded.")).to_be_visible()
    expect(controller.locator("#standing")).to_contain_text("Applied in Stripe")
    assert [note["total"] for note in served.house.books.credit_notes(invoice)] == [60_000]


def test_on_a_phone_the_decision_is_within_one_thumbs_scroll_and_nothing_runs_over_the_edge(
    served: Any, watch: Any
) -> None:
    customer, invoice = customer_with_invoice(served, "Example Thumb")
    path = ask(watch("billing-admin", PHONE), customer, invoice, "700.00")
    page = watch("controller", PHONE)
    page.goto(path)
    box = page.get_by_role("button", name="Reject").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < PHONE["height"] * 1.25
    for place in (
        path,
        "/approvals?tab=all",
        "/credits/new",
        "/customers",
        "/invoices",
        f"/invoices/{invoice}",
        "/audit",
        "/finance/sheet",
        "/approvals/measures",
    ):
        page.goto(place)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], place


def test_without_javascript_everything_still_works(served: Any, watch: Any) -> None:
    customer, invoice = customer_with_invoice(served, "Example Plain")
    admin = watch("billing-admin", DESK, java_script_enabled=False)
    admin.goto("/credits/new")
    admin.get_by_label("Customer", exact=True).select_option(customer)
    admin.get_by_role("button", name="Show this customer's invoices").click()
    admin.get_by_label("Lands on").select_option(invoice)
    admin.get_by_label("Amount, gross").fill("800.00")
    admin.get_by_label("Reason").select_option("goodwill")
    admin.get_by_role("button", name="Check it").click()
    admin.get_by_role("button", name="Change something").click()
    admin.get_by_label("Amount, gross").fill("850.00")
    admin.get_by_role("button", name="Check it").click()
    admin.get_by_role("button", name="Ask for it").click()
    path = httpx.URL(admin.url).path
    controller = watch("controller", DESK, java_script_enabled=False)
    controller.goto("/approvals?tab=all")
    controller.get_by_label("Search").fill("Example Plain")
    controller.get_by_role("button", name="Show").click()
    controller.get_by_role("link", name="Example Plain").click()
    assert httpx.URL(controller.url).path == path
    controller.get_by_label("Comment").fill("Not this one.")
    controller.get_by_role("button", name="Reject").click()
    expect(controller.locator("#standing")).to_contain_text("Rejected")


def test_the_inbox_is_filtered_as_one_types_and_says_so_to_who_listens(served: Any, watch: Any) -> None:
    customer, invoice = customer_with_invoice(served, "Example Filter")
    ask(watch("billing-admin", DESK), customer, invoice, "650.00")
    page = watch("controller", DESK)
    page.goto("/approvals?tab=all")
    page.get_by_label("Search").press_sequentially("example filter", delay=10)
    expect(page.locator("#found-words")).to_have_text("1 request")
    assert page.locator("#found-words").get_attribute("role") == "status"
    expect(page.locator("a.whole")).to_have_count(1)
    assert "q=example" in page.url
    page.get_by_label("State").select_option("rejected")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing matches.")).to_be_visible()


def test_errors_take_the_reader_to_the_field(watch: Any) -> None:
    page = watch("billing-admin", DESK)
    page.goto("/credits/new")
    page.get_by_label("Amount, gross").fill("12.345")
    page.get_by_role("button", name="Check it").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="USD has 2 decimals; write it like 4200.00.").click()
    expect(page.get_by_label("Amount, gross")).to_be_focused()
    expect(page.get_by_label("Amount, gross")).to_have_value("12.345")


def test_the_keyboard_alone_reaches_the_decision(served: Any, watch: Any) -> None:
    customer, invoice = customer_with_invoice(served, "Example Keys")
    path = ask(watch("billing-admin", DESK), customer, invoice, "640.00")
    page = watch("controller", DESK)
    page.goto(path)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "comment":
            break
    page.keyboard.type("By hand.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#standing")).to_contain_text("Applied in Stripe")


def test_a_mails_button_leads_to_the_decision(served: Any, watch: Any) -> None:
    customer, invoice = customer_with_invoice(served, "Example Mail")
    path = ask(watch("billing-admin", PHONE), customer, invoice, "660.00")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Please decide", "plixo@plixo.example", "controller@x.example"
    message.set_content(f"Read it and decide: {served.url}{path}")
    styled = "<style>a { color: red; }</style><script>document.title = 'ran'</script>"
    button = f'<a href="{served.url}{path}">Read it and decide</a>'
    message.add_alternative(f"<html><head>{styled}</head><body>{button}</body></html>", subtype="html")
    mailbox.Maildir(served.house.staff.settings.data / "mailbox").add(message.as_bytes())
    page = watch("controller", PHONE, ignored="Blocked script execution")
    page.goto("/mailbox")
    page.get_by_role("link", name="Please decide").click()
    inside = page.frame_locator("iframe.mail").get_by_role("link", name="Read it and decide")
    assert inside.evaluate("link => getComputedStyle(link).color") == "rgb(255, 0, 0)"
    inside.click()
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    assert httpx.URL(page.url).path == path


def test_what_stripe_is_told_shows_by_itself(served: Any, watch: Any) -> None:
    customer, invoice = customer_with_invoice(served, "Example Later")
    house = served.house
    house.temporal.away = True
    try:
        path = ask(watch("billing-admin", DESK), customer, invoice, "630.00")
        page = watch("finance", DESK)
        page.goto(path)
        expect(page.locator("#standing")).to_contain_text("Routing")
    finally:
        house.temporal.away = False
    served.run(house.temporal.approvals.open(Step(path.rpartition("/")[2])))
    expect(page.locator("#standing")).to_contain_text("Waiting on Controller", timeout=8000)


def test_a_question_on_a_phone_is_answered_and_what_was_asked_for_is_changed_and_approved(
    served: Any, watch: Any
) -> None:
    customer, invoice = customer_with_invoice(served, "Example Question")
    requester, controller = watch("billing-admin", PHONE), watch("controller", PHONE)
    path = ask(requester, customer, invoice, "800.00")
    controller.goto(path)
    controller.get_by_text("Ask for information", exact=True).click()
    controller.get_by_label("Your question").fill("Which outage?")
    controller.get_by_role("button", name="Ask it").click()
    expect(controller.get_by_text("The clock stands still until it is answered.").first).to_be_visible()
    requester.goto("/approvals?tab=mine")
    requester.get_by_role("link", name="Example Question").click()
    requester.get_by_label("Your answer").fill("The one of May.")
    requester.get_by_role("button", name="Answer", exact=True).click()
    expect(requester.locator("#standing")).to_contain_text("Waiting on Controller")
    requester.get_by_role("button", name="Change it").click()
    requester.get_by_label("Amount, gross").fill("750.00")
    requester.get_by_role("button", name="Check it").click()
    expect(requester.get_by_text("What was decided before is kept.")).to_be_visible()
    requester.get_by_role("button", name="Change it").click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text("750.00")
    controller.goto(path)
    expect(controller.locator("#decide")).to_contain_text("The one of May.")
    expect(controller.locator("#decide")).to_contain_text("the amount is 750.00 USD instead of 800.00 USD")
    controller.get_by_role("button", name="Approve 750.00 USD").click()
    expect(controller.locator("#standing")).to_contain_text("Applied in Stripe")
    assert [note["total"] for note in served.house.books.credit_notes(invoice)] == [75_000]


@pytest.mark.parametrize("screen", SCREENS)
def test_a_policy_is_drafted_tried_and_published_without_javascript(
    served: Any, watch: Any, screen: dict[str, int]
) -> None:
    customer, invoice = customer_with_invoice(served, f"Example Policy {screen['width']}")
    ask(watch("billing-admin", DESK), customer, invoice, "690.00")
    administrator = watch("administrator", screen, java_script_enabled=False)
    administrator.goto("/settings/policy")
    administrator.get_by_role("button", name="Draft a change").click()
    administrator.get_by_label("Controller approves alone, a credit").fill(f"{screen['width'] - 200}")
    administrator.get_by_label("Why").fill("Two people above it.")
    administrator.get_by_role("button", name="Draft it").click()
    expect(administrator.get_by_text("somebody else than you, publishes it")).to_be_visible()
    place = httpx.URL(administrator.url).path
    controller = watch("controller", screen, java_script_enabled=False)
    for page in ("/settings/policy", "/settings/policy/versions/1", "/settings/policy/rates", place):
        controller.goto(page)
        assert controller.locator("h1").count() == 1
        assert controller.evaluate("document.documentElement.scrollWidth") <= screen["width"], page
    controller.get_by_role("link", name="Try it on open and recent requests").click()
    expect(controller.get_by_text("requests would go another way")).to_be_visible()
    controller.goto(place)
    controller.get_by_role("button", name="Publish it").click()
    expect(controller.get_by_text("They are not re-planned")).to_be_visible()
    controller.get_by_role("button", name="Publish version").click()
    expect(controller.get_by_text("It holds from now on")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["with javascript", "without javascript"])
@pytest.mark.parametrize("screen", SCREENS)
def test_a_document_is_added_listed_and_taken_along(
    served: Any, watch: Any, screen: dict[str, int], *, script: bool
) -> None:
    customer, invoice = customer_with_invoice(served, f"Example Documents {screen['width']} {script}")
    path = ask(watch("billing-admin", DESK), customer, invoice, "670.00")
    controller = watch("controller", screen, java_script_enabled=script)
    controller.goto(path)
    content = f"%PDF-1.7 As agreed. {path} {script}".encode()
    for name, sent in (("macro.pdf", b"PK\x03\x04\x00"), ("x" * 80 + ".html", content)):
        file: Any = {"name": name, "mimeType": "application/pdf", "buffer": sent}
        controller.get_by_label("Add a document").set_input_files(file)
        controller.get_by_role("button", name="Add it").click()
        if name == "macro.pdf":
            expect(controller.get_by_role("alert")).to_contain_text("this looks like an Office file or an archive")
            controller.get_by_role("alert").get_by_role("link").click()
            assert controller.evaluate("document.activeElement.id") == "document"
    expect(controller.get_by_text("The document is added")).to_be_visible()
    controller.wait_for_load_state()  # its styles, too
    assert controller.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    with controller.expect_download() as coming:
        controller.get_by_role("link", name="x" * 80 + ".html.pdf").click()
    assert coming.value.suggested_filename == "x" * 80 + ".html.pdf"
    assert coming.value.path().read_bytes() == content
    assert httpx.URL(controller.url).path == path, "and the page is still there"
