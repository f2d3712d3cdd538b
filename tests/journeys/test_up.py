"""`plixo up` as a person has it: the form, the mail's link, Stripe, Temporal UI, Ctrl-C, and parts that die."""

import base64
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from temporalio.client import WorkflowExecutionStatus

from demo.letters import letter_about, link_in
from demo.places import Ports
from demo.stack import STANDIN_READ_KEY
from demo.waiting import until
from plixo.config import Settings
from plixo.temporal.client import connect
from tests.support.browser import DESK, PHONE, open_browser
from tests.support.program import Up, free_port, processes, run

pytestmark = pytest.mark.journey

STOPPED_WITHIN = 20.0
SUMMARY = "Credit 4,200.00 USD, Example Logistics"


@pytest.fixture(scope="session")
def one_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "data", free_port())
    try:
        yield up
    finally:
        up.end()


@pytest.fixture
def up(one_up: Up) -> Up:
    """Running, whatever the test before did to it."""
    if not one_up.running:
        one_up.start()
    return one_up


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def test_it_prints_where_everything_is_and_everything_answers(up: Up) -> None:
    assert set(up.addresses) == {"console", "mailbox", "temporal ui", "ledger"}
    async with httpx.AsyncClient(follow_redirects=True) as client:
        for address in (*up.addresses.values(), f"{up.addresses['console']}/readyz"):
            assert (await client.get(address)).status_code == 200, address
    assert up.err == ""
    assert len(processes(str(up.data))) == 5, "itself, Temporal, the stand-in, the worker, the console"


@pytest.mark.browser
async def test_a_credit_asked_for_in_the_form_and_approved_from_the_mail_is_everywhere(
    up: Up, browser: Browser
) -> None:
    await _ask_in_the_form(up, browser, amount="4200.00", note="The outage of May.")
    made = (await _api(up, "GET", "approvals", "billing_admin"))["approvals"][0]
    approval_id = made["approval_id"]

    await _approve_from_the_mail(up, browser, approval_id)
    ended = await _until_state(up, approval_id, "executed")

    entries = await _ledger(up, approval_id)
    assert [(one["object"], one["id"], one["amount"]) for one in entries] == [
        ("credit_note", ended["stripe_object"], 420000)
    ]
    notes = await _stripe(up, "/v1/credit_notes", customer="cus_ExampleLogistics", invoice="in_ExampleLogistics0042")
    assert [(one["id"], one["total"]) for one in notes["data"]] == [(ended["stripe_object"], 420000)]
    await _see_it_in_temporal(up, browser, approval_id)


async def test_an_open_request_survives_ctrl_c_and_is_decided_after_the_next_start(up: Up) -> None:
    made = await _ask(up, "1700.00", request_id="survives")
    await _until_state(up, made["approval_id"], "waiting")
    _stop(up)

    up.start()
    assert (await _approve(up, made["approval_id"])).json()["answer"] == "accepted"
    await _until_state(up, made["approval_id"], "executed")

    assert [one["amount"] for one in await _ledger(up, made["approval_id"])] == [-170000]


async def test_a_worker_killed_while_stripe_works_is_started_again_and_credits_once(up: Up) -> None:
    """The first try ends in silence, so Temporal waits for a heartbeat before it asks the new worker."""
    made = await _ask(up, "1800.00", request_id="worker-killed")
    await _until_state(up, made["approval_id"], "waiting")
    worker, lines = up.part("worker"), up.err.count("\n")
    await _make_stripe_slow(up, seconds=3)
    assert (await _approve(up, made["approval_id"])).json()["answer"] == "accepted"
    await _until_state(up, made["approval_id"], "executing")

    os.kill(worker, signal.SIGKILL)
    up.until_said("The worker runs again.", err=True)

    assert up.err.splitlines()[lines:] == [
        f"plixo: The worker stopped: ended by SIGKILL (its log: {up.data / 'logs' / 'worker.log'}). Starting it again.",
        "plixo: The worker runs again.",
    ]
    assert up.part("worker") != worker
    await _until_state(up, made["approval_id"], "executed")
    assert [one["amount"] for one in await _ledger(up, made["approval_id"])] == [-180000]


def test_a_demo_does_not_move_aside_what_is_in_use(up: Up) -> None:
    said = run("demo", "--data", str(up.data))

    assert (said.status, said.out) == (1, "")
    assert said.err == f"plixo: {up.data} is in use by another Plixo; stop it, or choose another with --data.\n"
    assert (up.data / "plixo.db").exists()
    assert up.running


def test_a_part_that_dies_again_and_again_ends_it_with_one_line(up: Up) -> None:
    times = up.err.count("The console runs again.")
    for more in (1, 2):
        os.kill(up.part("plixo web"), signal.SIGKILL)
        up.until_said("The console runs again.", err=True, times=times + more)
    os.kill(up.part("plixo web"), signal.SIGKILL)

    assert up.wait() == 1
    log = up.data / "logs" / "console.log"
    words = f"plixo: The console stopped 3 times within 60 s: ended by SIGKILL (its log: {log})"
    assert up.err.splitlines()[-1] == words
    assert "Traceback" not in up.err
    assert processes(str(up.data)) == {}


def test_ctrl_c_while_it_starts_stops_it_as_well(one_up: Up) -> None:
    if one_up.running:
        _stop(one_up)
    one_up.start(wait=False)
    _wait_for_a_child(one_up)

    _stop(one_up)


def _wait_for_a_child(up: Up) -> None:
    ends = time.monotonic() + 30
    while not any("temporal" in words for words in processes(str(up.data / "temporal.db")).values()):
        assert time.monotonic() < ends, "no part was ever started"
        time.sleep(0.05)


def _stop(up: Up) -> None:
    """Ctrl-C; it ends well, in time, and alone."""
    began = time.monotonic()
    up.interrupt()
    assert up.wait() == 0, up.err
    assert time.monotonic() - began < STOPPED_WITHIN
    assert up.err.count("Traceback") == 0
    assert processes(str(up.data)) == {}
    assert Ports.following(up.port).taken() == []


async def _ask_in_the_form(up: Up, browser: Browser, *, amount: str, note: str) -> None:
    page = await _signed_in(up, browser, "p-billing-admin", DESK)
    await page.goto(f"{up.addresses['console']}/credits/new")
    await page.get_by_label("Customer", exact=True).select_option("cus_ExampleLogistics")
    invoices = page.get_by_label("Lands on")
    await expect(invoices.locator("option[value=in_ExampleLogistics0042]")).to_be_attached()
    await invoices.select_option("in_ExampleLogistics0042")
    await expect(page.locator("#amount-hint")).to_contain_text("can still be credited")
    await page.get_by_label("Amount, gross").fill(amount)
    await page.get_by_label("Reason").select_option("service_outage")
    await page.get_by_label("Note for colleagues").fill(note)
    await page.get_by_role("button", name="Check it").click()
    await expect(page.get_by_role("heading", name="Who decides")).to_be_visible()
    await page.get_by_role("button", name="Ask for it").click()
    await expect(page.get_by_text("Whoever decides has been written to.")).to_be_visible()
    await page.context.close()


async def _approve_from_the_mail(up: Up, browser: Browser, approval_id: str) -> None:
    async def look() -> object | None:
        return letter_about(up.data / "mailbox", approval_id, "controller@plixo.example")

    mail: Any = await until("the mail to the Controller", look)
    page = await (await browser.new_context(viewport=PHONE)).new_page()
    await page.goto(link_in(mail))
    await page.locator("button[name=person][value=p-controller]").click()
    await expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    await page.get_by_label("Comment").fill("The outage was ours.")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("Your decision is recorded.")).to_be_visible()
    await page.context.close()


async def _signed_in(up: Up, browser: Browser, person: str, size: Any) -> Page:
    page = await (await browser.new_context(viewport=size)).new_page()
    await page.goto(f"{up.addresses['console']}/sign-in")
    await page.locator(f"button[name=person][value={person}]").click()
    return page


async def _see_it_in_temporal(up: Up, browser: Browser, approval_id: str) -> None:
    """Through the client, as an operator sees it in Temporal UI, and as anybody sees it at its own address."""
    settings = Settings(env="dev", data=up.data, temporal_address=f"127.0.0.1:{up.port + 1}")
    temporal = await connect(settings)
    found = await temporal.get_workflow_handle(f"credit/{approval_id}").describe()
    await temporal.get_workflow_handle(f"credit/{approval_id}").result()
    assert found.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}
    assert await found.static_summary() == SUMMARY
    path = f"/namespaces/default/workflows/{quote(found.id, safe='')}"
    await _see_it_as_an_operator(up, browser, path)
    await _see_nothing_without_a_sign_in(up, browser, path)


async def _see_it_as_an_operator(up: Up, browser: Browser, path: str) -> None:
    page = await (await browser.new_context(viewport=DESK)).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    await page.goto(f"{up.addresses['temporal ui']}{path}")
    await page.locator("button[name=person][value=p-operator]").click()
    await page.get_by_role("tab", name="User Metadata").click(timeout=40_000)
    summary = page.frame_locator("iframe").first.get_by_text(SUMMARY)
    await expect(summary).to_be_visible(timeout=40_000)
    await page.get_by_role("link", name="← Plixo").click()
    await expect(page.get_by_role("heading", name="Approvals", level=1)).to_be_visible()
    await expect(page.get_by_role("link", name="Temporal")).to_be_visible()
    assert complaints == []
    await page.context.close()


async def _see_nothing_without_a_sign_in(up: Up, browser: Browser, path: str) -> None:
    """Its own port is open to everybody on this machine: it shows what Temporal keeps, which is ciphertext."""
    own = f"http://127.0.0.1:{up.port + 2}/temporal"
    page = await (await browser.new_context(viewport=DESK)).new_page()
    async with page.expect_response(lambda answer: "/codec/decode" in answer.url, timeout=40_000) as decoded:
        await page.goto(f"{own}{path}")
    assert not (await decoded.value).ok
    await page.get_by_role("tab", name="User Metadata").click(timeout=40_000)
    await expect(page.get_by_text("No summary available")).to_be_visible(timeout=40_000)
    seen = [await page.content()]
    async with httpx.AsyncClient() as client:
        seen += [(await client.get(f"{own}/api/v1{path}{call}")).raise_for_status().text for call in ("", "/history")]
    assert not [text for text in seen for plain in _plain_in(text) if "Logistics" in plain]
    assert any("executionConfig" in text for text in seen)
    await page.context.close()


def _plain_in(text: str) -> Iterator[str]:
    """A text, and whatever in it is readable once base64 is taken off."""
    yield text
    for found in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        with suppress(ValueError):
            yield base64.b64decode(found).decode(errors="replace")


async def _ask(up: Up, amount: str, *, request_id: str) -> dict[str, Any]:
    """A credit to a customer's balance that the Controller has to decide."""
    credit = {"customer": "cus_ExampleStudio", "amount": amount, "currency": "USD", "reason": "plan_change"}
    more = {"invoice": "", "note": "A journey.", "memo": "", "request_id": request_id}
    return await _api(up, "POST", "credits", "billing_admin", **credit, **more)


async def _approve(up: Up, approval_id: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=up.addresses["console"], timeout=30) as client:
        headers = await _token(client, "controller")
        body = {"verdict": "approve", "comment": ""}
        return await client.post(f"/api/v1/approvals/{approval_id}/decisions", json=body, headers=headers)


async def _until_state(up: Up, approval_id: str, state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        shown = await _api(up, "GET", f"approvals/{approval_id}", "billing_admin")
        return shown if shown["state"] == state else None

    return await until(f"{approval_id} to be {state}", look, every=0.1)


async def _api(up: Up, method: str, path: str, role: str, **body: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=up.addresses["console"], timeout=30) as client:
        headers = await _token(client, role)
        answer = await client.request(method, f"/api/v1/{path}", json=body or None, headers=headers)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def _token(client: httpx.AsyncClient, role: str) -> dict[str, str]:
    answer = await client.post("/api/v1/dev/token", json={"role": role})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['token']}"}


async def _make_stripe_slow(up: Up, *, seconds: float) -> None:
    """The next credit to a balance is under way for this long."""
    fault = {"method": "POST", "path": "/v1/customers/*/balance_transactions", "nth": 1, "kind": "slow"}
    async with httpx.AsyncClient() as client:
        where = up.addresses["ledger"].replace("_ledger", "_faults")
        (await client.post(where, json=fault | {"seconds": seconds})).raise_for_status()


async def _ledger(up: Up, approval_id: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        entries = (await client.get(up.addresses["ledger"])).json()
    return [entry for entry in entries if (entry["metadata"] or {}).get("plixo_approval") == approval_id]


async def _stripe(up: Up, path: str, **asked: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {STANDIN_READ_KEY}"}
    async with httpx.AsyncClient(base_url=up.addresses["ledger"].removesuffix("/_ledger"), headers=headers) as client:
        found: dict[str, Any] = (await client.get(path, params=asked)).raise_for_status().json()
    return found
