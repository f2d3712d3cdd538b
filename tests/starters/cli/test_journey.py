"""People's commands against the real console, Temporal, workers and stand-in."""

import asyncio
import io
import re
import socket
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from starters.cli import tokens
from starters.cli.world import WORLD, World
from tests.starters.cli.conftest import Ran
from tests.support.house import House
from web.app import create_app

Plixo = Callable[..., Ran]


@dataclass(frozen=True)
class Served:
    """The real console, and a command line that talks to it."""

    house: House
    address: str
    plixo: Plixo

    async def run(self, *words: str) -> Ran:
        return await asyncio.to_thread(self.plixo, *words, "--api", self.address)

    async def done(self, *words: str) -> Any:
        """A command with --json that must do what it is told."""
        ran = await self.run(*words, "--json")
        assert (ran.code, ran.err) == (0, "")
        return ran.document

    async def until(self, approval_id: str, state: str) -> Any:
        for _ in range(100):
            found = await self.done("credit", "show", approval_id, "--as", "controller")
            if found["state"] == state:
                return found
            await asyncio.sleep(0.1)
        pytest.fail(f"{approval_id} is {found['state']}, not {state}")


@pytest.fixture
async def served(house: House, plixo: Plixo) -> AsyncIterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(house.staff), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    yield Served(house, f"http://127.0.0.1:{listener.getsockname()[1]}", plixo)
    server.should_exit = True
    await running


def request(**changed: str) -> tuple[str, ...]:
    usual = {
        "customer": "cus_ExampleLogistics",
        "amount": "4200.00",
        "currency": "USD",
        "reason": "service_outage",
        "note": "The outage of May.",
        "request-id": "OUTAGE-7",
    }
    return tuple(f"--{name}={value}" for name, value in (usual | changed).items())


async def test_a_credit_goes_from_the_command_line_to_stripe(served: Served) -> None:
    asked = await served.done("credit", "request", *request(), "--as", "billing_admin")
    name = asked["approval_id"]
    assert (asked["amount_minor"], asked["currency"], asked["created"]) == (420_000, "USD", True)
    await served.until(name, "waiting")

    again = await served.done("credit", "request", *request(), "--as", "billing_admin")
    assert (again["approval_id"], again["created"]) == (name, False)

    inbox = await served.run("approvals", "list", "--as", "controller")
    assert name in inbox.out
    assert "4,200.00 USD" in inbox.out
    assert f"Next: plixo approvals show {name} --as controller" in inbox.out

    own = await served.run("approvals", "approve", name, "--as", "billing_admin")
    assert (own.code, own.out) == (1, "")
    assert "Nobody decides on their own request" in own.err

    decided = await served.run("approvals", "approve", name, "--comment", "As agreed", "--as", "controller")
    assert decided.code == 0
    assert decided.out.startswith("Your decision is recorded.")
    done = await served.until(name, "executed")
    assert done["state_text"] == "Applied in Stripe"
    assert [row["id"] for row in await served.house.ledger()] == [done["stripe_object"]]


async def test_several_are_approved_with_one_command(served: Served) -> None:
    names = []
    for amount in ("900.00", "800.00"):
        form = request(amount=amount, **{"request-id": f"several-{amount}"})
        names.append((await served.done("credit", "request", *form, "--as", "billing_admin"))["approval_id"])
    for name in names:
        await served.until(name, "waiting")
    told = await served.done("approvals", "approve", *names, "--yes", "--comment", "Both", "--as", "controller")
    assert [(one["approval_id"], one["answer"]) for one in told["outcomes"]] == [(name, "accepted") for name in names]
    assert told["all_decided"]
    done = [await served.until(name, "executed") for name in names]
    assert sorted(row["id"] for row in await served.house.ledger()) == sorted(one["stripe_object"] for one in done)
    own = await served.run("approvals", "reject", *names, "--yes", "--comment", "No", "--as", "billing_admin")
    assert own.code == 1
    assert own.out.count("It is done: Stripe has it.") == 2


async def test_what_people_read_of_a_request_fits_eighty_columns_and_says_what_is_next(served: Served) -> None:
    asked = await served.run("credit", "request", *request(), "--as", "billing_admin")
    name = asked.out.partition("Request ")[2].split()[0]
    await served.until(name, "waiting")
    shown = await served.run("approvals", "show", name, "--as", "billing_admin")
    assert "Credit Example Logistics 4,200.00 USD to their balance: Waiting on Controller" in " ".join(
        shown.out.split()
    )
    assert f"Next: plixo approvals approve {name} --as controller" in shown.out
    lists = [
        await served.run(*words, "--as", "billing_admin")
        for words in (
            ("credit", "list"),
            ("credit", "preview", *request()),
            ("customers", "list"),
            ("invoices", "list"),
            ("policy", "show"),
            ("people", "list"),
            ("status",),
        )
    ]
    for ran in (asked, shown, *lists):
        assert ran.code == 0
        assert "Next: plixo " in ran.out
        assert "\x1b" not in ran.out
        read = ran.out.partition("\nNext: ")[0]
        assert max(len(line) for line in read.splitlines()) <= 80


async def test_a_request_without_an_id_gets_one_and_says_it(served: Served) -> None:
    words = [word for word in request(amount="20.00") if not word.startswith("--request-id")]
    first = await served.done("credit", "request", *words, "--as", "billing_admin")
    second = await served.done("credit", "request", *words, "--as", "billing_admin")
    assert first["request_id"].startswith("cli-")
    assert first["approval_id"] != second["approval_id"]


async def test_withdrawing_and_rejecting_end_a_request(served: Served) -> None:
    first = await served.done("credit", "request", *request(), "--as", "billing_admin")
    await served.until(first["approval_id"], "waiting")
    gone = await served.done("credit", "withdraw", first["approval_id"], "--as", "billing_admin")
    assert gone["approval"]["state"] == "withdrawn"
    late = await served.run("approvals", "approve", first["approval_id"], "--as", "controller")
    assert late.code == 1
    assert late.err == "plixo: The request is withdrawn already.\n"

    second = await served.done("credit", "request", *request(**{"request-id": "8"}), "--as", "billing_admin")
    await served.until(second["approval_id"], "waiting")
    silent = await served.run("approvals", "reject", second["approval_id"], "--as", "controller")
    assert silent.code == 1
    assert "--comment: Say why you reject it" in silent.err
    said = await served.done("approvals", "reject", second["approval_id"], "--comment=No", "--as", "controller")
    assert said["approval"]["state"] == "rejected"
    assert await served.house.ledger() == []


async def test_in_dev_a_role_signs_in_and_a_worn_out_token_says_so(served: Served) -> None:
    who = await served.done("login", "--as", "finance")
    assert who["person"]["groups"] == ["finance"]
    assert who["kept_in"] == str(tokens.place())
    assert stat.S_IMODE(tokens.place().stat().st_mode) == 0o600
    status = await served.done("status")
    assert status["person"]["groups"] == ["finance"]
    assert status["status"]["ok"]
    tokens.keep(served.address, "worn-out")
    ended = await served.run("status")
    assert (ended.code, ended.out) == (1, "")
    assert "Nobody is signed in" in ended.err


async def test_login_is_confirmed_in_the_console(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """The code that the command line shows is confirmed by whoever is signed in to the console."""
    shown: list[str] = []

    def confirm(_seconds: float) -> None:
        shown.append(capfd.readouterr().out)
        found = re.search(r"code=([A-Z0-9-]+) and confirm the code \1\.", shown[0])
        with httpx.Client(base_url=served.address, headers={"Origin": served.address}) as browser:
            browser.post("/sign-in", data={"person": "p-controller"})
            assert browser.post("/cli/confirm", data={"code": found[1] if found else ""}).status_code == 200

    before = WORLD.set(World(sleep=confirm))
    try:
        ran = await served.run("login")
    finally:
        WORLD.reset(before)
    assert ran.code == 0
    assert len(shown) == 1
    assert "as Controller (Controller)" in " ".join(ran.out.split())
    assert (await served.done("status"))["person"]["groups"] == ["controller"]


LONG = "x" * (1 << 20)
REFUSED = [
    ({"customer": ""}, "--customer: Choose the customer"),
    ({"customer": "cus_Nobody"}, "--customer: "),
    ({"customer": "in_1"}, "--customer: That is no customer id; Stripe's start with cus_."),
    ({"customer": LONG}, "--customer: "),
    ({"amount": ""}, "--amount: Give the amount in USD, such as 4200.00."),
    ({"amount": "0"}, "--amount: The amount must be above zero."),
    ({"amount": "-5"}, "--amount: The amount must be above zero; a credit is never negative."),
    ({"amount": "NaN"}, "--amount: 'NaN' is not an amount"),
    ({"amount": "Infinity"}, "--amount: 'Infinity' is not an amount"),
    ({"amount": "1e3"}, "--amount: '1e3' is not an amount"),
    ({"amount": "1000000000000000000"}, "--amount: Stripe takes at most 999,999.99 USD at once"),
    ({"amount": "1.001"}, "--amount: USD has 2 decimals"),
    ({"amount": "1.5", "currency": "JPY"}, "--amount: JPY has no decimals"),
    ({"amount": "1.2345", "currency": "KWD"}, "--amount: KWD has 3 decimals"),
    ({"amount": "1\x00"}, "--amount: '1?' is not an amount"),
    ({"currency": ""}, "--currency: Give the currency as three letters"),
    ({"currency": "XXX"}, "--currency: 'XXX' is no currency that Stripe takes; USD is one."),
    ({"currency": "EUR", "invoice": "in_ExampleLogistics0042"}, "--currency: "),
    ({"reason": ""}, "--reason: Choose a reason"),
    ({"reason": "because"}, "--reason: That is no reason code; choose one of billing_error"),
    ({"reason": "other", "note": "short"}, "--note: The reason 'other' needs a note of 20 characters or more"),
    ({"invoice": "in_Nothing"}, "--invoice: "),
    ({"invoice": "cus_1"}, "--invoice: That is no invoice id; Stripe's start with in_."),
    ({"invoice": "in_ExampleLogistics0042", "customer": "cus_ExampleStudio"}, "--invoice: "),
    ({"invoice": "in_ExampleLogistics0042", "amount": "999999.99"}, "--amount: "),
    ({"note": LONG}, "--note: Keep the note under 2,000 characters."),
    ({"note": "a\x00b"}, "--note: The note holds control characters; type it as plain text."),
    ({"note": "a\x1b[2Jb"}, "--note: The note holds control characters; type it as plain text."),
    ({"note": "a\u202eb"}, "--note: The note holds control characters; type it as plain text."),
    ({"note": "{{7*7}}"}, "--note: The note looks like a template or a formula; write it in words."),
    ({"note": "=cmd()"}, "--note: The note looks like a template or a formula; write it in words."),
    ({"memo": "x" * 301}, "--memo: Keep the memo under 300 characters."),
    ({"memo": "a\x00b"}, "--memo: The memo holds control characters"),
    ({"memo": "{{7*7}}"}, "--memo: The memo looks like a template"),
    ({"memo": "=cmd()"}, "--memo: The memo looks like a template"),
    ({"request-id": "a b"}, "--request-id: Give a request id of 1 to 100 letters"),
    ({"request-id": "x" * 101}, "--request-id: Give a request id of 1 to 100 letters"),
]


async def test_every_bad_input_gets_a_line_that_names_the_field_and_nothing_is_made(served: Served) -> None:
    house = served.house
    customer = (await house.stripe("POST", "/v1/customers", name="Example Other", email="o@example.com"))["id"]
    draft = (await house.stripe("POST", "/v1/invoices", customer=customer, currency="usd"))["id"]
    void = await _invoice(house, customer, "finalize", "void")
    theirs = [({"customer": customer, "invoice": one}, "--invoice: ") for one in (draft, void)]
    await served.done("login", "--as", "billing_admin")
    for command in ("request", "preview"):
        for changed, said in [*REFUSED, *theirs]:
            ran = await served.run("credit", command, *request(**changed))
            shown = {name: value[:20] for name, value in changed.items()}
            assert (ran.code, ran.out) == (1, ""), shown
            assert ran.err.startswith(f"plixo: {said}"), (shown, ran.err)
            assert ran.err.count("\n") == 1, shown
    assert (await served.done("credit", "list"))["total"] == 0
    assert await house.ledger() == []


async def _invoice(house: House, customer: str, *steps: str) -> str:
    made = str((await house.stripe("POST", "/v1/invoices", customer=customer, currency="usd"))["id"])
    await house.stripe("POST", "/v1/invoiceitems", customer=customer, invoice=made, amount=5000, currency="usd")
    for step in steps:
        await house.stripe("POST", f"/v1/invoices/{made}/{step}")
    return made


async def test_every_wrong_field_is_named_at_once(served: Served) -> None:
    wrong = request(customer="x", amount="NaN", currency="XXX", reason="y", note="=cmd()")
    ran = await served.run("credit", "request", *wrong, "--as", "billing_admin")
    for option in ("--customer: ", "--currency: ", "--amount: ", "--reason: ", "--note: "):
        assert option in ran.err


async def test_a_note_is_read_from_standard_input(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Written\nelsewhere"))
    asked = await served.done("credit", "request", *request(note="-", amount="20"), "--as", "billing_admin")
    assert asked["note"] == "Written\nelsewhere"
