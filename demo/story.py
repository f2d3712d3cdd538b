"""The story of a day in billing, played for real, and of a long week in which nobody is there."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue

from demo import closing, weeks
from demo.actors import Actor, Unexpected
from demo.browser import Browser
from demo.letters import letter_about, link_in
from demo.stack import Stack
from demo.telling import Teller
from demo.waiting import until
from plixo.messages.approvals import Decide

ROLES: Final = ("billing_admin", "controller", "legal")
_ENDED: Final = {"executed", "rejected", "withdrawn", "returned", "needs_attention"}


@dataclass
class Story:
    """Everything the scenes need.

    Attributes:
        stack: The running parts.
        teller: Prints what happens.
        actors: The people, by role.
        browser: Opens pages as a person would; over HTTP where there is no Chromium.
        temporal: For the forger, who writes to Temporal directly and has no payload keys.
        closed: What the close found, ready to be printed as JSON.
        weeks: What became of the long week's requests, and what the checker found there.
    """

    stack: Stack
    teller: Teller
    actors: Mapping[str, Actor]
    browser: Browser
    temporal: Client
    closed: dict[str, Any] = field(default_factory=dict)
    weeks: dict[str, Any] = field(default_factory=dict)

    @property
    def scenes(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """In their order."""
        return (
            self.within_authority,
            self.the_controller_decides,
            self.the_third_goes_to_the_controller,
            self.cheating,
            self.two_must_agree,
            self.the_answer_is_lost,
            self.rejected_and_withdrawn,
            self.the_close,
            self.the_long_week,
        )

    async def within_authority(self) -> None:
        """Scene 1: nobody is asked."""
        self.teller.scene("Example Clinics, 180.00 USD, a duplicate charge: within the billing admin's own authority")
        made = await self._ask("cus_ExampleClinics", "180.00", "duplicate_charge", invoice="in_ExampleClinics0031")
        ended = await self._until_ended(made)
        self.teller.say(f"Nobody was asked. Applied in Stripe as {ended['stripe_object']}.")

    async def the_controller_decides(self) -> None:
        """Scene 2: preview, mail, the page on a phone, decided."""
        self.teller.scene("Example Logistics, 4,200.00 USD for an outage, on an invoice of 12,600.00 USD")
        credit = _credit("cus_ExampleLogistics", "4200.00", "service_outage", invoice="in_ExampleLogistics0042")
        preview = await self.actors["billing_admin"].preview(credit)
        self.teller.say(f"Preview: {' then '.join(preview['path'])} would decide. {preview['why']}")
        made = await self._ask_for(credit)
        approval_id = made["approval_id"]
        mail = await self._letter(approval_id, "controller")
        self.teller.say(f"Mail to {mail['To']}: {mail['Subject']}")
        how = await self.browser.decide(self.actors["controller"], link_in(mail), "approve", "The outage was ours.")
        self.teller.say(f"The Controller followed the link {how}, read the page, and approved.")
        ended = await self._until_ended(made)
        note = await self._stripe(f"/v1/credit_notes/{ended['stripe_object']}")
        gross, net, tax = note["total"], note["total_excluding_tax"], note["total"] - note["total_excluding_tax"]
        self.teller.say(
            f"Credit note {note['id']}: net {_usd(net)}, tax {_usd(tax)}, gross {_usd(gross)} USD; "
            f"what it is about: {self.stack.console_url}/approvals/{approval_id}",
        )

    async def the_third_goes_to_the_controller(self) -> None:
        """Scene 3: each is small; together they are not."""
        self.teller.scene("Example Studio, three times 450.00 USD: the third would pass 1,000.00 in 30 days")
        for _ in range(2):
            made = await self._ask("cus_ExampleStudio", "450.00", "goodwill")
            await self._until_ended(made)
            self.teller.say(f"450.00 USD applied in Stripe automatically ({made['approval_id']}).")
        third = await self._ask("cus_ExampleStudio", "450.00", "goodwill")
        waiting = await self._until_waiting(third)
        self.teller.say(f"The third waits for {waiting['waits_for_text']}. {waiting['why']}")
        await self._approve(third, "controller")
        await self._until_ended(third)
        self.teller.say("The Controller approved it.")

    async def cheating(self) -> None:
        """Scene 4: one's own request, and a decision forged straight into Temporal."""
        self.teller.scene("Cheating: one's own request, and a forged decision sent straight to Temporal")
        credit = _credit("cus_ExamplePress", "950.00", "pricing_error")
        made = await self._ask_for(credit, "controller")
        await self._until_waiting(made)
        own = await self.actors["controller"].decide(made["approval_id"], "approve")
        _must_refuse(own, 403)
        self.teller.say(f"The Controller on their own request: {own.json()['error']['message']}")
        said = await self._forge(made["approval_id"])
        self.teller.say(f"A forged decision, by update and by signal: {said}")
        trail = [entry["event"] for entry in (await self._show(made))["timeline"]]
        refused = trail.count("decision_refused")
        if refused < 3:  # noqa: PLR2004 - their own, the update, the signal
            raise Unexpected(f"the trail tells of {refused} refusals: {trail}")
        self.teller.say(f"All {refused} refusals are in the audit trail. The request still waits for Legal: decide it.")

    async def two_must_agree(self) -> None:
        """Scene 5: Legal and the Controller, two different people; Legal wants to know something first."""
        self.teller.scene("Example Foods, 38,000.00 USD, a contract concession: Legal and the Controller both")
        invoice = "in_ExampleFoods0061"
        made = await self._ask("cus_ExampleFoods", "38000.00", "contract_concession", invoice=invoice)
        await self._until_waiting(made)
        question = await self.actors["legal"].decide(made["approval_id"], "ask", "Which clause promises it?")
        _must_be(question, "accepted")
        held = await self._show(made)
        self.teller.say(f"Legal asks: “Which clause promises it?” It {_now(held)}; the clock stands still.")
        answer = await self.actors["billing_admin"].decide(made["approval_id"], "answer", "Clause 7 of the renewal.")
        _must_be(answer, "accepted")
        self.teller.say("The billing admin answered: “Clause 7 of the renewal.”")
        await self._approve(made, "legal")
        half = await self._show(made)
        self.teller.say(f"Legal approved; it is {half['state']} and waits for {half['waits_for_text']}.")
        await self._approve(made, "controller")
        ended = await self._until_ended(made)
        self.teller.say(f"The Controller approved. Applied in Stripe as {ended['stripe_object']}.")

    async def the_answer_is_lost(self) -> None:
        """Scene 6: Stripe does it, its answer is lost, and the worker dies."""
        self.teller.scene("Example Press, 2,400.00 USD: Stripe's answer is lost and the worker is killed in the middle")
        fault = {"method": "POST", "path": "/v1/credit_notes", "nth": 1, "kind": "reset_after"}
        await self._standin("POST", "/_faults", fault)
        invoice = "in_ExamplePress0070"
        made = await self._ask("cus_ExamplePress", "2400.00", "billing_error", invoice=invoice)
        await self._until_waiting(made)
        await self._approve(made, "controller")
        await until("Stripe to have done it", lambda: self._in_ledger(made["approval_id"]), every=0.01)
        await until("its answer to be missed", lambda: self._answer_missed(made["approval_id"]), every=0.01)
        pid = self.stack.worker.pid
        await self.stack.worker.kill()
        self.teller.say(f"Stripe made the credit note, the answer never came, and worker {pid} was killed (SIGKILL).")
        await self.stack.restart(self.stack.worker)
        ended = await self._until_ended(made)
        found = await self._in_ledger(made["approval_id"])
        self.teller.say(f"A new worker asked again under the same key: {ended['stripe_object']}, {len(found)} credit.")

    async def rejected_and_withdrawn(self) -> None:
        """Scene 7: one rejected with a comment, one withdrawn, one approved for less, one returned and changed."""
        self.teller.scene("One rejected, one withdrawn, one approved for a smaller amount, one returned and changed")
        invoice = "in_ExampleClinics0031"
        first = await self._ask("cus_ExampleClinics", "640.00", "cancellation", invoice=invoice)
        await self._until_waiting(first)
        said = await self.actors["controller"].decide(first["approval_id"], "reject", "They cancelled after the term.")
        _must_be(said, "accepted")
        ended = await self._until_ended(first)
        self.teller.say(f"{ended['state_text']}: “{ended['decisions'][0]['comment']}”")
        second = await self._ask("cus_ExampleStudio", "900.00", "plan_change")
        await self._until_waiting(second)
        _must_be(await self.actors["billing_admin"].withdraw(second["approval_id"]), "accepted")
        ended = await self._until_ended(second)
        self.teller.say(f"{ended['state_text']} by who asked for it.")
        third = await self._ask("cus_ExampleClinics", "900.00", "goodwill", invoice="in_ExampleClinics0031")
        await self._until_waiting(third)
        said = await self.actors["controller"].decide(third["approval_id"], "approve", "Half was ours.", "450.00")
        _must_be(said, "accepted")
        ended = await self._until_ended(third)
        self.teller.say(f"{ended['state_text']}: the Controller approved {_usd(ended['agreed_minor'])} of 900.00 USD.")

        await self._returned_and_changed()

    async def _returned_and_changed(self) -> None:
        invoice = "in_ExampleClinics0031"
        made = await self._ask("cus_ExampleClinics", "600.00", "service_outage", invoice=invoice)
        await self._until_waiting(made)
        words = "The outage was shorter: ask for 550.00."
        _must_be(await self.actors["controller"].decide(made["approval_id"], "return", words), "accepted")
        back = await self._show(made)
        self.teller.say(f"{back['state_text']} by the Controller: “{words}”")
        _must_be(await self.actors["billing_admin"].amend(made["approval_id"], amount="550.00"), "accepted")
        self.teller.say("The billing admin changed it to 550.00 USD; it waits for the Controller again.")
        await self._approve(made, "controller")
        ended = await self._until_ended(made)
        self.teller.say(f"{ended['state_text']}: {_usd(ended['agreed_minor'])} USD, as it was asked for at last.")

    async def the_close(self) -> None:
        """Scene 8: both sides tie, and an auditor proves it without us."""
        self.teller.scene("The close: what Stripe holds against what was approved, and the audit file verified offline")
        signing = asyncio.ensure_future(closing.checkpoint(self.stack, self.temporal))
        tied = await closing.reconcile(self.stack)
        for one in tied["currencies"]:
            approved, held, difference = (_usd(one[f"{name}_minor"]) for name in ("approved", "held", "difference"))
            words = f"{one['objects']} objects, approved {approved}, Stripe holds {held}, difference {difference}"
            self.teller.say(f"{one['currency']}: {words}.")
        taken = await closing.take_out(self.stack, await signing)
        self.teller.say(
            f"Temporal's schedule asked for a checkpoint, and the console signed it: {taken.checkpoint.name}."
        )
        self.teller.say(f"The audit log as a page: {taken.page}")
        proved = await closing.verify_offline(taken)
        read = f"{proved['requests']} requests, {proved['entries']} entries, {proved['signatures']} signatures"
        self.teller.say(f"Verified with nothing but the file, the checkpoint and the public keys: {read}, all whole.")
        self.closed = {"currencies": tied["currencies"], "audit": {**proved, "source": str(taken.audit)}}

    async def the_long_week(self) -> None:
        """Scene 9: nobody answers, and time is skipped; in a house of its own, which is checked like this one."""
        self.teller.scene("A long week, with time skipped: nobody is there to decide")
        with tempfile.TemporaryDirectory(prefix="plixo-weeks-") as folder:
            report = await weeks.play(Path(folder), self.teller)
        self.weeks = {"approvals": report.approvals, "check": {"ok": report.ok, "findings": list(report.findings)}}
        self.teller.say("The independent checker finds nothing wrong." if report.ok else f"Found: {report.findings}")

    async def _ask(self, customer: str, amount: str, reason: str, *, invoice: str = "") -> dict[str, Any]:
        return await self._ask_for(_credit(customer, amount, reason, invoice=invoice))

    async def _ask_for(self, credit: Mapping[str, str], role: str = "billing_admin") -> dict[str, Any]:
        request_id = f"demo-{len(self.teller.scenes) + 1}"
        made = await self.actors[role].request({**credit, "request_id": request_id})
        self.teller.asked(made["approval_id"])
        return made

    async def _approve(self, made: Mapping[str, Any], role: str) -> None:
        _must_be(await self.actors[role].decide(made["approval_id"], "approve"), "accepted")

    async def _forge(self, approval_id: str) -> str:
        """Write to Temporal as somebody who got hold of its address would: without our keys, so in plain."""
        handle = self.temporal.get_workflow_handle(f"credit/{approval_id}")
        forged = Decide(approval_id, "DE-FORGED")
        try:
            answer = await handle.execute_update("decide", forged, result_type=RawValue)
        except WorkflowUpdateFailedError as refusal:
            raise Unexpected("the forged update failed instead of being refused") from refusal
        await handle.signal("submit_decision", forged)
        if answer.payload.metadata["encoding"] != b"binary/encrypted":
            raise Unexpected("the forger can read what became of the forged decision")

        async def traces() -> list[str] | None:
            timeline = (await self._show({"approval_id": approval_id}))["timeline"]
            found = [entry["text"].partition(": ")[2] for entry in timeline if entry["event"] == "decision_refused"]
            return found if len(found) >= 3 else None  # noqa: PLR2004 - their own, the update, the signal

        return (await until("the trail of the forged signal", traces))[-1]

    async def _answer_missed(self, approval_id: str) -> bool:
        """Whether Temporal knows that the first try failed: a worker killed before that costs 15 s of silence more."""
        found = await self.temporal.get_workflow_handle(f"credit/{approval_id}").describe()
        tries = found.raw_description.pending_activities
        return not tries or any(one.HasField("last_failure") for one in tries)

    async def _show(self, made: Mapping[str, Any]) -> dict[str, Any]:
        return await self.actors["billing_admin"].show(made["approval_id"])

    async def _until_ended(self, made: Mapping[str, Any]) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            shown = await self._show(made)
            return shown if shown["state"] in _ENDED else None

        return await until(f"{made['approval_id']} to end", look)

    async def _until_waiting(self, made: Mapping[str, Any]) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            shown = await self._show(made)
            return shown if shown["state"] == "waiting" else None

        return await until(f"{made['approval_id']} to wait for somebody", look)

    async def _letter(self, approval_id: str, role: str) -> Any:  # noqa: ANN401 - a mail
        address = f"{role}@plixo.example"
        mailbox = self.stack.data / "mailbox"

        async def look() -> object | None:
            return letter_about(mailbox, approval_id, address)

        return await until(f"a mail to {address}", look)

    async def _in_ledger(self, approval_id: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            entries = (await client.get("/_ledger")).json()
        return [entry for entry in entries if (entry.get("metadata") or {}).get("plixo_approval") == approval_id]

    async def _standin(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            (await client.request(method, path, json=dict(body))).raise_for_status()

    async def _stripe(self, path: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.stack.standin_url) as client:
            answer = await client.get(path, headers={"Authorization": "Bearer rk_test_plixo_standin"})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


@asynccontextmanager
async def open_story(stack: Stack, console: Console) -> AsyncIterator[Story]:
    """The story, with its people signed in; they leave at the end of the block."""
    async with AsyncExitStack() as exits:
        actors = {}
        for role in ROLES:
            actors[role] = await Actor.sign_in(stack.console_url, role)
            exits.push_async_callback(actors[role].close)
        temporal = await Client.connect(stack.settings.temporal_address)
        yield Story(stack, Teller(console), actors, Browser.find(), temporal)


def _credit(customer: str, amount: str, reason: str, *, invoice: str = "") -> dict[str, str]:
    note = f"Played by the demo: {reason.replace('_', ' ')}."
    return {
        "customer": customer,
        "amount": amount,
        "currency": "USD",
        "reason": reason,
        "invoice": invoice,
        "note": note,
        "memo": "",
        "request_id": "demo-preview",
    }


def _now(shown: Mapping[str, Any]) -> str:
    return f"{shown['state_text'].lower()} now"


def _usd(minor: int) -> str:
    return f"{minor / 100:,.2f}"


def _must_be(answer: httpx.Response, wanted: str) -> None:
    if answer.status_code >= 400 or answer.json()["answer"] != wanted:  # noqa: PLR2004 - HTTP's own line
        raise Unexpected(f"a decision was to be {wanted}: {answer.status_code} {answer.text[:300]}")


def _must_refuse(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise Unexpected(f"this was to be refused with {status}: {answer.status_code} {answer.text[:300]}")
