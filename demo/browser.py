"""Opening a page as a person would: in Chromium on a phone-sized screen, or over HTTP where there is none."""

import importlib.util
import shutil
from dataclasses import dataclass

from demo.actors import Actor


@dataclass(frozen=True)
class Browser:
    """How pages are opened.

    Attributes:
        chromium: The program; None to post the page's own form over HTTP.
    """

    chromium: str | None

    @classmethod
    def find(cls) -> "Browser":
        """Chromium, where both the program and the library that drives it are there."""
        driver = importlib.util.find_spec("playwright") is not None
        return cls(shutil.which("chromium") if driver else None)

    async def decide(self, actor: Actor, link: str, verdict: str, comment: str) -> str:
        """Follow a mail's link, sign in, read the page, decide with its form; how it was opened, in words."""
        if self.chromium is None:
            await actor.decide_on_page(link, verdict, comment)
            return "over HTTP"
        await _in_chromium(self.chromium, actor, link, verdict, comment)
        return "in Chromium, on a screen of 390 by 844"


async def _in_chromium(program: str, actor: Actor, link: str, verdict: str, comment: str) -> None:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only where it is there

    flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        try:
            page = await browser.new_page(viewport={"width": 390, "height": 844})
            await page.goto(link)
            if "/sign-in" in page.url:
                await page.locator(f"button[name=person][value='{actor.person_id}']").click()
            await page.locator("[name=comment]").first.fill(comment)
            await page.locator(f"button[name=verdict][value={verdict}]").first.click()
            await page.wait_for_load_state()
        finally:
            await browser.close()
