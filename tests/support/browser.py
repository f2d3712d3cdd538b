"""Chromium for tests: skips where there is none, and never in CI."""

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@asynccontextmanager
async def open_browser() -> "AsyncIterator[Browser]":
    program = shutil.which("chromium")
    if program is None or importlib.util.find_spec("playwright") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium here, and CI never skips", pytrace=False)
        pytest.skip("there is no Chromium here")
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only where it is there

    flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        try:
            yield browser
        finally:
            await browser.close()
