from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe


def test_a_restricted_key_reads(standin: Any, customer: str) -> None:
    reader = standin.client(standin.settings.read_key)
    assert reader.v1.customers.retrieve(customer).id == customer
    assert reader.v1.customers.list().data


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/customers"), ("POST", "/v1/customers/{}"), ("DELETE", "/v1/customers/{}"),
     ("POST", "/v1/customers/{}/balance_transactions")],
)  # fmt: skip
def test_a_restricted_key_never_writes(standin: Any, customer: str, method: str, path: str) -> None:
    before = len(standin.ledger())
    form = {"amount": "1", "currency": "usd"} if path.endswith("transactions") else {}
    headers = {"Authorization": f"Bearer {standin.settings.read_key}"}
    answer = standin.http.request(method, path.format(customer), data=form, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "more_permissions_required_for_application"
    assert len(standin.ledger()) == before


def test_the_sdk_knows_the_refusal_of_a_restricted_key(standin: Any) -> None:
    with pytest.raises(stripe.PermissionError) as refusal:
        standin.client(standin.settings.read_key).v1.products.create({"name": "A"})
    assert refusal.value.http_status == 403


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer sk_test_other", "Basic c2s6", "sk_test_plixo_standin"])
def test_without_a_known_key_nothing_is_answered(standin: Any, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = standin.http.get("/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_wrong_key_is_not_repeated_in_full(standin: Any) -> None:
    answer = standin.http.get("/v1/customers", headers={"Authorization": "Bearer sk_test_abcdefghijklmnop"})
    assert "abcdefghijklmnop" not in answer.text


def test_every_answer_carries_a_request_id_and_the_version_asked_for(standin: Any) -> None:
    first = standin.get("/v1/customers")
    second = standin.http.get("/v1/customers", headers={"Stripe-Version": "2026-08-26.dahlia"})
    assert first.headers["stripe-version"] == "2026-10-28.endive"
    assert second.headers["stripe-version"] == "2026-08-26.dahlia"
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["request-id"] != second.headers["request-id"]


def test_keys_are_settings(launch: Any, tmp_path: Path) -> None:
    running = launch(tmp_path / "books.sqlite", write_key="sk_test_mine", read_key="rk_test_mine")
    try:
        assert running.client("sk_test_mine").v1.customers.create({"name": "A"}).id
        with pytest.raises(stripe.AuthenticationError):
            running.client("sk_test_plixo_standin").v1.customers.list()
    finally:
        running.stop()


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("PUT", "/v1/customers"), ("GET", "/")])
def test_an_unknown_address_is_404_in_stripes_shape(standin: Any, method: str, path: str) -> None:
    answer: httpx.Response = standin.http.request(method, path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"
