"""Whatever is sent, the stand-in refuses or does; it never stumbles."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

AWKWARD = st.sampled_from(
    ["", "0", "-1", "1.5", "NaN", "Infinity", "1e400", str(10**18), str(10**400), "9" * 5_000, "true", "\x00", "é",
     "{{7*7}}", "=cmd()", "'; DROP TABLE objects; --", "%", "usd", "USD", "kwd", "cus_ExamplePress",
     "in_ExamplePress0070", "in_ExamplePress0071", "[]", "😀", "x" * 6_000]
)  # fmt: skip
NAMES = st.sampled_from(
    ["amount", "currency", "customer", "invoice", "metadata", "metadata[a]", "metadata[a][b]", "lines", "lines[0]",
     "lines[0][type]", "lines[0][amount]", "lines[0][tax_rates][]", "limit", "created", "created[gte]",
     "starting_after", "expand[]", "expand", "email", "name", "quantity", "unit_amount_decimal", "credit_amount",
     "percentage", "display_name", "inclusive", "payment_method", "confirm", "effective_at", "days_until_due",
     "collection_method", "__proto__", "a[", "]", "[a]", "a[b][c][d][e][f][g]", "invoice_settings[footer]",
     "address[line1]", "shipping[address][line1]", "shipping[name]", "pricing[price]", "period[start]"]
)  # fmt: skip
PATHS = [
    "/v1/customers", "/v1/customers/cus_ExamplePress", "/v1/customers/cus_ExamplePress/balance_transactions",
    "/v1/invoices", "/v1/invoices/in_ExamplePress0070", "/v1/invoiceitems", "/v1/credit_notes",
    "/v1/credit_notes/preview", "/v1/payment_intents", "/v1/tax_rates", "/v1/prices", "/v1/products", "/v1/events",
    "/v1/charges", "/v1/invoices/in_ExamplePress0070/pay",
]  # fmt: skip


@pytest.fixture(scope="module")
def shared_standin(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = launch(tmp_path_factory.mktemp("standin") / "books.sqlite", seed="demo")
    yield running
    running.stop()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.dictionaries(NAMES, AWKWARD, max_size=5))
def test_no_form_makes_it_stumble(standin: Any, method: str, path: str, form: dict[str, str]) -> None:
    answer = standin.post(path, form) if method == "POST" else standin.get(path, **form)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["message"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_bytes_make_it_stumble(standin: Any, body: bytes) -> None:
    headers = {"Authorization": "Bearer sk_test_plixo_standin", "Content-Type": "application/x-www-form-urlencoded"}
    assert standin.http.post("/v1/customers", content=body, headers=headers).status_code < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.text(max_size=30))
def test_no_address_makes_it_stumble(standin: Any, tail: str) -> None:
    url = standin.http.base_url.copy_with(raw_path=f"/v1/customers/{quote(tail)}".encode())
    headers = {"Authorization": "Bearer sk_test_plixo_standin"}
    assert standin.http.get(url, headers=headers).status_code < 500
