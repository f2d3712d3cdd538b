"""Chromium on the served application: pages that keep every complaint, and what tests do on them again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Watched:
    """A page whose every complaint is kept: console errors, refused styles and scripts, failed requests."""

    def __init__(self, page: Page, ignored: str) -> None:
        self.page = page
        self.ignored = ignored
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(httpx.URL(request.url).host))

    def _said(self, message: Any) -> None:
        # A refused form is answered with 422; the browser calls that an error of the page.
        if message.type in {"error", "warning"} and "422" not in message.text and self.ignored not in message.text:
            self.complaints.append(message.text)


class Windows:
    """Windows of the browser, each somebody's."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url
        self.contexts: list[BrowserContext] = []
        self.pages: list[Watched] = []

    def __call__(self, role: str, screen: Any, *, ignored: str = "\0", **options: Any) -> Page:
        """A window of somebody of that role, signed in."""
        context = self.browser.new_context(viewport=screen, base_url=self.url, **options)
        self.contexts.append(context)
        watched = Watched(context.new_page(), ignored)
        self.pages.append(watched)
        watched.page.goto("/sign-in")
        watched.page.locator(f"button[value='p-{role}']").click()
        expect(watched.page.get_by_role("heading", level=1)).to_have_text("Approvals")
        return watched.page


@contextmanager
def windows(browser: Browser, url: str) -> Iterator[Windows]:
    """Windows that close with the block; none may have complained, or asked another host for anything."""
    opened = Windows(browser, url)
    yield opened
    complaints = [complaint for watched in opened.pages for complaint in watched.complaints]
    hosts = {host for watched in opened.pages for host in watched.hosts}
    for context in opened.contexts:
        context.close()
    assert complaints == []
    assert hosts <= {"127.0.0.1"}


def ask(page: Page, customer: str, invoice: str, amount: str) -> str:
    """Fill in the form, check, ask; the request's path."""
    page.goto("/credits/new")
    page.get_by_label("Customer", exact=True).select_option(customer)
    choice = page.get_by_label("Lands on")
    expect(choice.locator(f"option[value='{invoice}']")).to_be_attached()
    choice.select_option(invoice)
    expect(page.get_by_text("can still be credited on")).to_be_visible()
    page.get_by_label("Amount, gross").fill(amount)
    page.get_by_label("Reason").select_option("service_outage")
    page.get_by_label("Note for colleagues").fill("Down for two days.")
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name="What Stripe will be sent")).to_be_visible()
    page.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_text("Asked for. Whoever decides has been written to.")).to_be_visible()
    return httpx.URL(page.url).path


def customer_with_invoice(served: Any, name: str) -> tuple[str, str]:
    books = served.house.books
    customer = books.customer(name)
    return customer, books.invoice(customer, 900_000)
