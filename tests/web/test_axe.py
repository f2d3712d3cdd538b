"""Every main page held against WCAG 2.2 A and AA by axe-core, at desk and phone width, light and dark."""

import mailbox
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from plixo.domain.approval import State
from plixo.domain.payments import CallRefused
from plixo.store import approvals
from tests.web import axe
from tests.web.browsing import DESK, PHONE, windows
from tests.web.test_policy import draft

pytestmark = pytest.mark.browser

LOOKS: Any = [
    (DESK, "light", ()),
    (DESK, "dark", ("color-contrast",)),
    (PHONE, "dark", ()),
    (PHONE, "light", ("color-contrast",)),
]
"""Every rule at each width; what depends on light and dark, the contrast, in each of the four."""

NEVER_MADE = "CR-AAAAAAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Stage:
    """What the pages show: requests in every state, a draft of a policy, a mail.

    Attributes:
        waiting: Waits for the Controller; another is pending for the same customer.
        others: Requests by what they are.
        draft: Id of a policy draft.
        invoice: One with a credit note.
    """

    waiting: str
    others: dict[str, str]
    draft: str
    invoice: str

    @property
    def several(self) -> str:
        """The address of the page that checks all of them."""
        ids = "&".join(f"id={one}" for one in (self.waiting, *self.others.values(), NEVER_MADE))
        return f"/approvals/decisions?back=/approvals&{ids}&verdict="


async def set_up(house: Any) -> Stage:
    customer = house.books.customer("Example Axe")
    invoice = house.books.invoice(customer, 9_000_000)

    async def asked(name: str, role: str = "billing_admin", **how: str) -> str:
        found: str = await house.asked(role, request_id=f"axe-{name}", customer=customer, invoice=invoice, **how)
        return found

    controller = await house.visitor("controller")
    others = {
        "own": await asked("own", "controller", reason="goodwill"),
        "rejected": await asked("rejected", amount="700.00"),
        "applied": await asked("applied", amount="800.00"),
    }
    said = {"rejected": {"verdict": "reject", "comment": "Asked twice."}, "applied": {"verdict": "approve"}}
    for name, words in said.items():
        await controller.post(f"/approvals/{others[name]}/decisions", data=words)
    others["stuck"] = await stuck(controller, await asked("stuck", amount="900.00"))
    waiting = await asked("waiting", amount="4200.00", note="Down for two days.", memo="For the outage")
    # The last one: with so much asked for the customer, whatever else is asked would be for two people to decide.
    others["both"] = await asked("both", amount="38000.00", reason="contract_concession", note="Clause 7.")
    await check_states(house, others)
    made = await draft(house)
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Please decide", "plixo@plixo.example", "controller@x.example"
    message.set_content("Read it and decide.")
    message.add_alternative("<html><body><p>Read it and decide.</p></body></html>", subtype="html")
    mailbox.Maildir(house.staff.settings.data / "mailbox").add(message.as_bytes())
    return Stage(waiting, others, made["draft_id"], invoice)


async def check_states(house: Any, others: dict[str, str]) -> None:
    async with house.staff.desk.ledger.read() as session:
        found = {name: await approvals.load(session, one, lock=False) for name, one in others.items()}
    assert {name: record and record.approval.state for name, record in found.items()} == {
        "own": State.WAITING,
        "rejected": State.REJECTED,
        "applied": State.EXECUTED,
        "stuck": State.NEEDS_ATTENTION,
        "both": State.WAITING,
    }


async def stuck(controller: Any, approval_id: str) -> str:
    """A request that Stripe refused for good."""

    async def refused(*_: object) -> None:
        raise CallRefused("It is locked for good.", "locked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plixo.stripe.gateway.StripeGateway.apply", refused)
        await controller.post(f"/approvals/{approval_id}/decisions", data={"verdict": "approve"})
    return approval_id


@pytest.fixture(scope="module")
def stage(served: Any) -> Stage:
    made: Stage = served.run(set_up(served.house))
    return made


@pytest.fixture(scope="module")
def window(chromium: Any, served: Any) -> Iterator[Callable[[str], Page]]:
    """One window for each role, used again; refused forms and pages that are not there are what is looked at."""
    found: dict[str, Page] = {}
    with windows(chromium, served.url) as opened:

        def of(role: str) -> Page:
            if role not in found:
                found[role] = opened(role, DESK, reduced_motion="reduce", ignored="Failed to load resource")
            return found[role]

        yield of


def rejecting(page: Page, stage: Stage) -> None:
    page.goto(f"/approvals/{stage.waiting}")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_be_visible()


def rejecting_several(page: Page, stage: Stage) -> None:
    page.goto(f"{stage.several}reject")
    page.get_by_role("button", name="Reject 2 requests").click()
    expect(page.get_by_role("alert")).to_be_visible()


def decided_several(page: Page, stage: Stage) -> None:
    """Some are decided, and one has changed since."""
    page.goto(f"{stage.several}reject")
    page.evaluate("""() => {
        const row = document.querySelector(`input[name="row"]`);
        row.value = row.value.replace("/0/", "/7/");
        document.querySelector(`input[name="row"]:last-of-type`)?.remove();
    }""")
    page.get_by_label("Why you reject").fill("Another one is asked for.")
    page.get_by_role("button", name="Reject 2 requests").click()
    expect(page.get_by_text("Not decided:")).to_be_visible()


def filled_in(page: Page, amount: str) -> None:
    page.goto("/credits/new?customer=cus_ExampleLogistics")
    page.get_by_label("Amount, gross").fill(amount)
    page.get_by_label("Reason").select_option("service_outage")
    page.get_by_role("button", name="Check it").click()


def wrong_credit(page: Page, _stage: Stage) -> None:
    filled_in(page, "12.345")
    expect(page.get_by_role("alert")).to_be_visible()


def checked_credit(page: Page, _stage: Stage) -> None:
    filled_in(page, "4200.00")
    expect(page.get_by_role("heading", name="What Stripe will be sent")).to_be_visible()


def at(place: str) -> Callable[[Page, Stage], None]:
    def gone(page: Page, stage: Stage) -> None:
        known = {"waiting": stage.waiting, "draft": stage.draft, "invoice": stage.invoice, "several": stage.several}
        page.goto(place.format(**known, **stage.others))

    return gone


PAGES = {
    "sign-in": ("nobody", at("/sign-in")),
    "inbox": ("controller", at("/approvals?tab=all")),
    "inbox, all ticked": ("controller", at("/approvals?tab=all&ticked=all")),
    "inbox, nothing matches": ("controller", at("/approvals?tab=all&q=zzz")),
    "approval to decide": ("controller", at("/approvals/{waiting}")),
    "approval, refused": ("controller", rejecting),
    "approval of one's own": ("controller", at("/approvals/{own}")),
    "approval, applied": ("finance", at("/approvals/{applied}")),
    "approval, rejected": ("controller", at("/approvals/{rejected}")),
    "approval, needs attention": ("controller", at("/approvals/{stuck}")),
    "several, checked": ("controller", at("{several}approve")),
    "several, refused": ("controller", rejecting_several),
    "several, none": ("finance", at("{several}approve")),
    "several, decided": ("controller", decided_several),
    "new credit": ("billing-admin", at("/credits/new?customer=cus_ExampleLogistics")),
    "new credit, refused": ("billing-admin", wrong_credit),
    "credit, checked": ("billing-admin", checked_credit),
    "measures": ("controller", at("/approvals/measures")),
    "customers": ("billing-admin", at("/customers")),
    "customer": ("billing-admin", at("/customers/cus_ExampleLogistics")),
    "invoices": ("billing-admin", at("/invoices")),
    "invoice": ("billing-admin", at("/invoices/{invoice}")),
    "finance sheet": ("finance", at("/finance/sheet")),
    "policy": ("administrator", at("/settings/policy")),
    "policy, a version": ("administrator", at("/settings/policy/versions/1")),
    "policy, a new draft": ("administrator", at("/settings/policy/new")),
    "policy, a draft": ("controller", at("/settings/policy/drafts/{draft}")),
    "policy, a simulation": ("controller", at("/settings/policy/drafts/{draft}/simulation")),
    "policy, before publishing": ("controller", at("/settings/policy/drafts/{draft}/publish")),
    "exchange rates": ("administrator", at("/settings/policy/rates")),
    "audit": ("finance", at("/audit")),
    "mailbox": ("controller", at("/mailbox")),
    "command line's login": ("controller", at("/cli/confirm?code=BCDF-GHJK")),
    "failure": ("controller", at("/approvals/" + NEVER_MADE)),
}


@pytest.mark.parametrize("name", PAGES)
def test_no_rule_of_wcag_22_aa_is_broken(window: Any, stage: Stage, name: str) -> None:
    role, go = PAGES[name]
    page = signed_out(window) if role == "nobody" else window(role)
    go(page, stage)
    broken = {}
    for screen, scheme, rules in LOOKS:
        page.set_viewport_size(screen)
        page.emulate_media(color_scheme=scheme)
        found = axe.run(page, *rules)["violations"]
        if found:
            broken[f"{screen['width']} {scheme}"] = found
    assert broken == {}


def signed_out(window: Any) -> Page:
    """A window of somebody who is not signed in any more."""
    page: Page = window("operator")
    page.get_by_role("button", name="Sign out").click()
    return page


SMALL = "{ flex: 'none', padding: 0, width: '9px', height: '9px', overflow: 'hidden', margin: 0, border: 0 }"
PLANTED = {
    "image-alt": "main.append(Object.assign(new Image(), { src: '/static/icon.svg' }))",
    "color-contrast": "document.querySelector('h1').style.color = '#bbb'",
    "label": "document.querySelector('label[for=comment]').remove()",
    "target-size": """const row = document.querySelector('.buttons');
        row.style.gap = 0;
        for (const one of row.children) Object.assign(one.style, small)""",
    "document-title": "document.title = ''",
}


@pytest.mark.parametrize("rule", PLANTED)
def test_what_is_planted_is_found(window: Any, stage: Stage, rule: str) -> None:
    page = window("controller")
    page.goto(f"/approvals/{stage.waiting}")
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    assert {"color-contrast", "label", "target-size"} <= set(axe.run(page)["passed"])
    page.evaluate(f"() => {{ const main = document.querySelector('main'), small = {SMALL}; {PLANTED[rule]}; }}")
    assert rule in axe.run(page)["violations"]
