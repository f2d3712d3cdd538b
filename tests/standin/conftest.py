"""A stand-in in this process, on a free port, driven by the official SDK."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from standin.contract.check import Contract
from standin.inprocess import InProcess, start
from standin.settings import StandinSettings


@dataclass
class Standin:
    """A running stand-in and ways to talk to it."""

    running: InProcess
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=10)

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def settings(self) -> StandinSettings:
        return self.running.settings

    def client(self, key: str | None = None) -> stripe.StripeClient:
        return stripe.StripeClient(
            key or self.settings.write_key, base_addresses={"api": self.url}, max_network_retries=0
        )

    def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """A write without the SDK, to see status and headers as they are."""
        authorised = {"Authorization": f"Bearer {self.settings.write_key}"}
        authorised |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, data=form or {}, headers=authorised)

    def get(self, path: str, **params: Any) -> httpx.Response:
        authorised = {"Authorization": f"Bearer {self.settings.write_key}"}
        return self.http.get(path, params=params, headers=authorised)

    def plant(self, **rule: Any) -> dict[str, Any]:
        answer = self.http.post("/_faults", json=rule)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def ledger(self, after: int = 0) -> list[dict[str, Any]]:
        return self.http.get("/_ledger", params={"after": after}).json()

    def advance(self, seconds: int) -> None:
        assert self.http.post("/_clock", json={"advance_seconds": seconds}).status_code == 200

    def stop(self) -> None:
        self.http.close()
        self.running.stop()


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture(scope="session")
def launch(contract: Contract) -> Callable[..., Standin]:
    """Starts a stand-in on a file; the caller stops it."""

    def launched(database: Path, **more: Any) -> Standin:
        return Standin(start(StandinSettings(database=database, **more), contract=contract))

    return launched


@pytest.fixture(scope="module")
def shared_standin(launch: Callable[..., Standin], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    running = launch(tmp_path_factory.mktemp("standin") / "books.sqlite")
    yield running
    running.stop()


@pytest.fixture
def standin(shared_standin: Standin) -> Iterator[Standin]:
    """One stand-in for all tests of a file; each test makes its own customers, and leaves no fault behind."""
    yield shared_standin
    shared_standin.http.delete("/_faults")


@pytest.fixture
def stripe_client(standin: Standin) -> stripe.StripeClient:
    return standin.client()


@pytest.fixture
def customer(stripe_client: stripe.StripeClient) -> str:
    return stripe_client.v1.customers.create({"name": "Example Clinics", "email": "clinics@example.com"}).id


@pytest.fixture
def bill(stripe_client: stripe.StripeClient, customer: str) -> Callable[..., stripe.Invoice]:
    """Makes an invoice of one line or several, in the status that is asked for."""

    def billed(
        *nets: int, currency: str = "usd", rates: tuple[float, ...] = (), status: str = "open", on: str = customer
    ) -> stripe.Invoice:
        v1 = stripe_client.v1
        ids = [
            v1.tax_rates.create({"display_name": "Tax", "percentage": rate, "inclusive": False}).id for rate in rates
        ]
        invoice = v1.invoices.create({"customer": on, "currency": currency, "default_tax_rates": ids})
        for net in nets:
            v1.invoice_items.create({"customer": on, "invoice": invoice.id, "amount": net, "currency": currency})
        if status != "draft":
            v1.invoices.finalize_invoice(invoice.id)
        if status == "paid":
            v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        if status == "void":
            v1.invoices.void_invoice(invoice.id)
        if status == "uncollectible":
            v1.invoices.mark_uncollectible(invoice.id)
        return v1.invoices.retrieve(invoice.id)

    return billed
