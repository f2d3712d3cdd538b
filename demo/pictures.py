"""The pictures in `docs/img`: the main pages as they are, at desk and phone width, light and dark.

`make pictures` plays the story in a folder of its own and photographs what it leaves.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console

from demo.places import CannotStart, Ports, held
from demo.stack import Stack, running
from demo.story import open_story

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "img"
OUTAGE, CHEATING = 2, 4
"""The scenes whose requests are shown: one that was decided, and the one that still waits."""

SCREENS: Final = {"desk": (1280, 860), "phone": (390, 844)}


@dataclass(frozen=True)
class Picture:
    """One page to photograph.

    Attributes:
        name: Of the file.
        role: Who looks; empty for the way in.
        path: On the console.
        screens: Which sizes.
        dark: Also in dark colours.
        tab: What to click on before the picture is taken, in words.
    """

    name: str
    role: str
    path: str
    screens: tuple[str, ...] = ("desk", "phone")
    dark: bool = False
    tab: str = ""


def main() -> int:
    """Remake every picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Pictures need Chromium: install the package chromium.", file=sys.stderr)  # noqa: T201 - a program
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(_photograph(Path(folder), chromium))
        except CannotStart as problem:
            print(problem, file=sys.stderr)  # noqa: T201 - a program
            return 1
    return 0


async def _photograph(data: Path, chromium: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with held(data):
        async with (
            running(data, Ports().or_free()) as stack,
            open_story(stack, Console(quiet=True)) as story,
            _browser(chromium) as browser,
        ):
            for scene in story.scenes:
                await scene()
            of_scene = {scene: found for found, scene in story.teller.scenes.items()}
            for picture in _pictures(waiting=of_scene[CHEATING], decided=of_scene[OUTAGE]):
                for screen in picture.screens:
                    for scheme in ("light", "dark") if picture.dark else ("light",):
                        await _take(browser, stack, picture, screen, scheme)


def _pictures(*, waiting: str, decided: str) -> tuple[Picture, ...]:
    temporal = f"/temporal/namespaces/default/workflows/credit%2F{waiting}"
    return (
        Picture("inbox", "p-legal", "/approvals", dark=True),
        Picture("approval", "p-legal", f"/approvals/{waiting}", dark=True),
        Picture("applied", "p-controller", f"/approvals/{decided}"),
        Picture("new-credit", "p-billing-admin", "/credits/new?customer=cus_ExampleLogistics"),
        Picture("temporal-ui", "p-operator", temporal, ("desk",), tab="User Metadata"),
    )


async def _take(browser: Browser, stack: Stack, picture: Picture, screen: str, scheme: str) -> None:
    width, height = SCREENS[screen]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    if picture.role:
        await _sign_in(page, stack, picture.role)
    await page.goto(stack.console_url + picture.path)
    if picture.tab:
        await page.get_by_text(picture.tab, exact=True).first.click()
        await page.wait_for_timeout(3000)
    suffix = "-dark" if scheme == "dark" else ""
    await page.screenshot(path=FOLDER / f"{picture.name}-{screen}{suffix}.png")
    await context.close()


async def _sign_in(page: Page, stack: Stack, person: str) -> None:
    await page.goto(f"{stack.console_url}/sign-in")
    await page.locator(f"button[name=person][value='{person}']").click()
    await page.wait_for_load_state()


@asynccontextmanager
async def _browser(chromium: str) -> AsyncIterator[Browser]:
    flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


if __name__ == "__main__":
    sys.exit(main())
