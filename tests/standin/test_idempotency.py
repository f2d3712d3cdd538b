import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

from standin.handlers.operation import Operation
from standin.handlers.registry import OPERATIONS


def keyed(key: str) -> dict[str, str]:
    return {"idempotency_key": key}


def test_a_repeated_call_answers_the_same_and_does_nothing(
    stripe_client: stripe.StripeClient, standin: Any, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    before = standin.ledger()[-1]["seq"]
    ask = {"invoice": invoice.id, "amount": 1_000}
    first = stripe_client.v1.credit_notes.create(ask, keyed("again"))
    again = stripe_client.v1.credit_notes.create(ask, keyed("again"))
    assert again.to_dict() == first.to_dict()
    assert first.last_response.headers.get("idempotent-replayed") is None
    headers = again.last_response.headers
    assert headers["idempotent-replayed"] == "true"
    assert headers["original-request"] == first.last_response.headers["request-id"] != headers["request-id"]
    assert headers["idempotency-key"] == "again"
    (row,) = standin.ledger(before)
    assert (row["object"], row["id"], row["idempotency_key"], row["replayed"]) == (
        "credit_note", first.id, "again", False,
    )  # fmt: skip
    assert len(stripe_client.v1.credit_notes.list({"invoice": invoice.id}).data) == 1


@pytest.mark.parametrize("other", [{"name": "B"}, {"name": "A", "phone": "1"}, {}])
def test_a_key_reused_with_other_parameters_is_refused(
    stripe_client: stripe.StripeClient, standin: Any, other: dict[str, str]
) -> None:
    key = f"other-{len(other)}-{other.get('name')}"
    stripe_client.v1.customers.create({"name": "A"}, keyed(key))
    before = len(standin.ledger())
    with pytest.raises(stripe.IdempotencyError) as refusal:
        stripe_client.v1.customers.create(other, keyed(key))
    assert refusal.value.http_status == 400
    assert len(standin.ledger()) == before


def test_a_key_reused_on_another_path_is_refused(stripe_client: stripe.StripeClient) -> None:
    stripe_client.v1.customers.create({"name": "A"}, keyed("path"))
    with pytest.raises(stripe.IdempotencyError):
        stripe_client.v1.products.create({"name": "A"}, keyed("path"))


def test_a_key_in_flight_is_a_conflict(standin: Any) -> None:
    standin.plant(kind="slow", seconds=0.6, path="/v1/customers", nth=1)
    answers: list[httpx.Response] = []
    first = threading.Thread(
        target=lambda: answers.append(standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="flight"))
    )
    first.start()
    while not standin.http.get("/_faults").json()[0]["hits"]:
        pass
    conflict = standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="flight")
    first.join()
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert answers[0].status_code == 200
    repeated = standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="flight")
    assert repeated.json() == answers[0].json()


def test_two_threads_with_one_key_make_one_customer(standin: Any) -> None:
    before = len(standin.ledger())

    def ask() -> None:
        standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="race")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(standin.ledger()) == before + 1


def test_invalid_parameters_do_not_use_the_key_up(stripe_client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        stripe_client.v1.customers.create({"surname": "A"}, keyed("invalid"))
    with pytest.raises(stripe.InvalidRequestError):
        stripe_client.v1.invoices.create({"customer": "cus_nowhere"}, keyed("invalid"))
    assert stripe_client.v1.customers.create({"name": "A"}, keyed("invalid")).name == "A"


def test_a_missing_key_and_a_reading_key_do_not_use_the_key_up(standin: Any) -> None:
    reader = standin.client(standin.settings.read_key)
    with pytest.raises(stripe.PermissionError):
        reader.v1.customers.create({"name": "A"}, keyed("rights"))
    with pytest.raises(stripe.AuthenticationError):
        standin.client("sk_test_unknown").v1.customers.create({"name": "A"}, keyed("rights"))
    assert standin.client().v1.customers.create({"name": "B"}, keyed("rights")).name == "B"


@pytest.mark.parametrize("kind", ["429", "lock_timeout", "409", "500", "503", "502_html", "reset_before"])
def test_a_fault_in_front_of_the_api_does_not_use_the_key_up(
    stripe_client: stripe.StripeClient, standin: Any, kind: str
) -> None:
    standin.plant(kind=kind, path="/v1/customers", nth=1)
    with pytest.raises(stripe.StripeError):
        stripe_client.v1.customers.create({"name": "A"}, keyed(f"front-{kind}"))
    made = stripe_client.v1.customers.create({"name": "B"}, keyed(f"front-{kind}"))
    assert made.name == "B"
    assert "idempotent-replayed" not in made.last_response.headers


def test_a_refusal_by_the_state_of_the_books_is_kept_under_the_key(
    stripe_client: stripe.StripeClient, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    ask = {"invoice": invoice.id, "amount": 10_001}
    first, again = (_refused(stripe_client.v1.credit_notes.create, ask, "state") for _ in range(2))
    assert first.user_message == again.user_message
    assert again.headers["idempotent-replayed"] == "true"


def _refused(create: Callable[..., Any], ask: dict[str, Any], key: str) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as refusal:
        create(ask, keyed(key))
    return refusal.value


def test_a_declined_card_stays_declined_under_its_key(stripe_client: stripe.StripeClient, standin: Any) -> None:
    ask = {"amount": 1_000, "currency": "usd", "confirm": True, "payment_method": "pm_card_chargeDeclined"}
    before = len(standin.ledger())
    first, again = (_refused(stripe_client.v1.payment_intents.create, ask, "declined") for _ in range(2))
    assert isinstance(first, stripe.CardError)
    assert isinstance(again, stripe.CardError)
    assert again.json_body == first.json_body
    assert len(standin.ledger()) == before + 1


def test_a_failure_inside_is_kept_under_the_key_and_changes_nothing(
    stripe_client: stripe.StripeClient, standin: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = OPERATIONS["PostCustomers"]

    def broken(books: Any, call: Any) -> None:
        honest.run(books, call)
        raise ZeroDivisionError

    monkeypatch.setitem(OPERATIONS, "PostCustomers", Operation(broken, honest.honoured))
    before = len(standin.ledger())
    first = standin.post("/v1/customers", {"name": "A", "email": "broken@example.com"}, Idempotency_Key="broken")
    assert (first.status_code, first.json()["error"]["type"]) == (500, "api_error")
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    again = standin.post("/v1/customers", {"name": "A", "email": "broken@example.com"}, Idempotency_Key="broken")
    assert (again.status_code, again.json()) == (500, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len(standin.ledger()) == before
    assert stripe_client.v1.customers.list({"email": "broken@example.com"}).data == []


def test_a_key_is_kept_for_a_day_and_then_forgotten(stripe_client: stripe.StripeClient, standin: Any) -> None:
    first = stripe_client.v1.customers.create({"name": "A"}, keyed("day"))
    standin.advance(24 * 3600 - 60)
    assert stripe_client.v1.customers.create({"name": "A"}, keyed("day")).id == first.id
    standin.advance(3600)
    assert stripe_client.v1.customers.create({"name": "A"}, keyed("day")).id != first.id


@pytest.mark.parametrize(("length", "status"), [(1, 200), (255, 200), (256, 400)])
def test_a_key_has_up_to_255_characters(standin: Any, length: int, status: int) -> None:
    assert standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="k" * length).status_code == status


def test_an_empty_key_is_refused(standin: Any) -> None:
    assert standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="").status_code == 400


def test_without_a_key_every_call_is_a_new_one(standin: Any) -> None:
    made = {standin.post("/v1/customers", {"name": "A"}).json()["id"] for _ in range(2)}
    assert len(made) == 2


def test_a_key_on_a_delete_is_ignored(standin: Any, stripe_client: stripe.StripeClient) -> None:
    made = stripe_client.v1.customers.create({"name": "A"})
    headers = {"Authorization": f"Bearer {standin.settings.write_key}", "Idempotency-Key": "gone"}
    assert standin.http.delete(f"/v1/customers/{made.id}", headers=headers).status_code == 200
    assert standin.http.delete(f"/v1/customers/{made.id}", headers=headers).status_code == 400
