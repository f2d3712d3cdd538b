"""Inbox and request by keyboard alone: every control is reached and its focus seen; no colour stands alone."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.web.browsing import DESK, PHONE
from tests.web.test_axe import Stage, set_up

pytestmark = pytest.mark.browser

CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])"
MARK = """controls => {
    for (const one of document.querySelectorAll("details")) one.open = true;
    return [...document.querySelectorAll(controls)].filter((one) => one.checkVisibility() && !one.disabled)
        .map((one, number) => (one.dataset.walk = number, one.outerHTML.slice(0, 80)));
}"""
FOCUSED = """() => {
    const one = document.activeElement;
    if (one.dataset.walk === undefined) return null;
    const hits = (x, y) => {
        const hit = document.elementFromPoint(x, y);
        return hit !== null && (one.contains(hit) || hit.contains(one) && !hit.matches("body, html"));
    };
    const own = one.getBoundingClientRect();
    const parts = [0.1, 0.5, 0.9];
    const free = parts.some((w) => parts.some((h) => hits(own.x + own.width * w, own.y + own.height * h)));
    const box = (one.matches(".whole") ? one.closest("tr") : one).getBoundingClientRect();
    const edge = 8, left = Math.max(box.x - edge, 0), top = Math.max(box.y - edge, 0);
    const right = Math.min(box.right + edge, innerWidth), bottom = Math.min(box.bottom + edge, innerHeight);
    return { number: +one.dataset.walk, free, clip: { x: left, y: top, width: right - left, height: bottom - top } };
}"""
"""Which control has the focus, whether a part of it is free of whatever lies over it, and where it shows that."""


@pytest.fixture(scope="module")
def stage(served: Any) -> Stage:
    made: Stage = served.run(set_up(served.house))
    return made


def picture(page: Page, clip: Any) -> bytes:
    """A part of the page once it has come to rest: as two pictures in a row show it."""
    before = b""
    for _ in range(10):
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        taken = page.screenshot(clip=clip, animations="disabled")
        if taken == before:
            return taken
        before = taken
    pytest.fail("the page moves by itself")


def walk(page: Page) -> tuple[list[str], list[int], list[str], list[str]]:
    """Tab through the page once.

    Returns:
        The controls in the page's order, the numbers of those that were reached in the order they were, those whose
        focus is not to be seen, and those that something covers.
    """
    controls: list[str] = page.evaluate(MARK, CONTROLS)
    reached: list[int] = []
    unseen, covered = [], []
    page.keyboard.press("Tab")
    while (now := page.evaluate(FOCUSED)) and now["number"] not in reached:
        name = controls[now["number"]]
        reached.append(now["number"])
        if not now["free"]:
            covered.append(name)
        with_focus = picture(page, now["clip"])
        page.evaluate("document.activeElement.blur()")  # the next Tab goes on from here all the same
        if picture(page, now["clip"]) == with_focus:
            unseen.append(name)
        page.keyboard.press("Tab")
    return controls, reached, unseen, covered


INBOX, WAITING, OWN, CHECKED = "/approvals?tab=all", "/approvals/{waiting}", "/approvals/{own}", "{several}reject"
WALKS = {
    "inbox at a desk": (INBOX, DESK),
    "inbox on a phone": (INBOX, PHONE),
    "approval at a desk": (WAITING, DESK),
    "approval on a phone": (WAITING, PHONE),
    "approval of one's own": (OWN, DESK),
    "several, checked": (CHECKED, PHONE),
}


@pytest.mark.parametrize("name", WALKS)
def test_every_control_is_reached_by_tab_in_order_and_its_focus_is_seen(watch: Any, stage: Stage, name: str) -> None:
    place, screen = WALKS[name]
    page = watch("controller", screen, reduced_motion="reduce")
    page.goto(place.format(waiting=stage.waiting, several=stage.several, **stage.others))
    controls, reached, unseen, covered = walk(page)
    assert len(controls) > 10
    assert [controls[number] for number in sorted(set(range(len(controls))) - set(reached))] == [], "never reached"
    assert reached == sorted(reached), "the order of the page is the order of Tab"
    assert unseen == [], "has no visible focus"
    assert covered == [], "something lies over it"


def test_a_focus_that_is_not_seen_and_one_that_is_covered_are_found(watch: Any, stage: Stage) -> None:
    page = watch("controller", DESK, reduced_motion="reduce")
    page.goto(f"/approvals/{stage.waiting}")
    page.evaluate("""() => {
        const [first, second, third] = document.querySelectorAll(".bar nav a");
        first.style.outline = "none";
        const over = document.body.appendChild(document.createElement("div"));
        const box = second.getBoundingClientRect();
        Object.assign(over.style, { position: "fixed", left: `${box.x}px`, top: `${box.y}px`, background: "white" });
        Object.assign(over.style, { width: `${box.width}px`, height: `${box.height}px` });
        third.tabIndex = -1;
    }""")
    controls, reached, unseen, covered = walk(page)
    assert len(reached) == len(controls) - 1
    assert [one.count('href="/approvals"') for one in unseen][:1] == [1]
    assert [one.count('href="/credits/new"') for one in covered] == [1]


TONES = ".badge, .notice, .late, li.bad, .fault, [aria-current]"
WORDLESS = """tones => [...document.querySelectorAll(tones)].filter((one) => {
    const words = one.textContent.replace(/[^\\p{L}]/gu, "");
    const shape = /[\\u25a0-\\u25ff\\u2190-\\u21ff\\u2713\\u2715]/u.test(one.textContent);
    const line = parseFloat(getComputedStyle(one).borderBottomWidth) > 0 || one.matches(".notice, .late, .fault");
    return words.length < 3 || !(shape || line);
}).map((one) => one.outerHTML.slice(0, 120))"""


def test_nothing_is_said_by_colour_alone(served: Any, watch: Any, stage: Stage) -> None:
    """What has a colour of its own has words as well, and states a shape; the page one is on has a line under it."""
    page = watch("controller", DESK)
    served.house.clock.ahead = timedelta(hours=9)
    try:
        found: set[str] = set()
        for place in ("/approvals?tab=all", *(f"/approvals/{one}" for one in (stage.waiting, *stage.others.values()))):
            page.goto(place)
            assert page.evaluate(WORDLESS, TONES) == [], place
            for tone in ("late", "badge wait", "badge bad", "badge good", "notice bad"):
                found |= {tone} if page.locator("." + tone.replace(" ", ".")).count() else set()
        assert found == {"late", "badge wait", "badge bad", "badge good", "notice bad"}
        page.goto("/approvals?tab=all")
        assert all("Was due" in one for one in page.locator(".late").all_inner_texts())
        assert page.locator(".late").count()
    finally:
        served.house.clock.ahead = timedelta()
