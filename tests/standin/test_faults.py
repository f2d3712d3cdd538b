import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import stripe


def test_done_and_then_reset_leaves_one_effect_that_the_key_finds_again(
    stripe_client: stripe.StripeClient, standin: Any, bill: Callable[..., stripe.Invoice]
) -> None:
    invoice = bill(10_000)
    before = standin.ledger()[-1]["seq"]
    standin.plant(kind="reset_after", method="POST", path="/v1/credit_notes", nth=1)
    ask = {"invoice": invoice.id, "amount": 2_500, "metadata": {"plixo_effect": "e-1"}}
    with pytest.raises(stripe.APIConnectionError):
        stripe_client.v1.credit_notes.create(ask, {"idempotency_key": "lost"})
    note = stripe_client.v1.credit_notes.create(ask, {"idempotency_key": "lost"})
    assert note.last_response.headers["idempotent-replayed"] == "true"
    (row,) = standin.ledger(before)
    assert (row["id"], row["metadata"]) == (note.id, {"plixo_effect": "e-1"})


@pytest.mark.parametrize(("kind", "done"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_is_one_on_the_wire(standin: Any, kind: str, done: int) -> None:
    standin.plant(kind=kind, path="/v1/customers", nth=1)
    before = len(standin.ledger())
    with pytest.raises(httpx.ReadError) as broken:
        standin.post("/v1/customers", {"name": "A"})
    reasons = []
    cause: BaseException | None = broken.value
    while cause:
        reasons.append(type(cause))
        cause = cause.__cause__ or cause.__context__
    assert ConnectionResetError in reasons
    assert len(standin.ledger()) == before + done
    assert standin.post("/v1/customers", {"name": "A"}).status_code == 200


def test_a_cut_body_breaks_off_in_the_middle(standin: Any) -> None:
    standin.plant(kind="cut_body", path="/v1/customers", nth=1)
    before = len(standin.ledger())
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete message body|without sending complete message"):
        standin.post("/v1/customers", {"name": "A"})
    assert len(standin.ledger()) == before + 1


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut_body"])
def test_the_sdk_with_httpx_sees_a_broken_connection(standin: Any, kind: str) -> None:
    http = stripe.HTTPXClient(allow_sync_methods=True, timeout=5)
    client = stripe.StripeClient(
        standin.settings.write_key, base_addresses={"api": standin.url}, max_network_retries=0, http_client=http
    )
    standin.plant(kind=kind, path="/v1/customers", nth=1)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "A"})


def test_done_and_then_500_is_done(standin: Any) -> None:
    standin.plant(kind="done_500", path="/v1/customers", nth=1)
    before = len(standin.ledger())
    answer = standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="done-500")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
    assert len(standin.ledger()) == before + 1
    assert standin.post("/v1/customers", {"name": "A"}, Idempotency_Key="done-500").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("429", 429, "rate_limit"), ("lock_timeout", 429, "lock_timeout"), ("409", 409, None), ("500", 500, None),
     ("503", 503, None)],
)  # fmt: skip
def test_a_refusal_has_stripes_shape_and_does_nothing(standin: Any, kind: str, status: int, code: str | None) -> None:
    standin.plant(kind=kind, nth=1)
    before = len(standin.ledger())
    answer = standin.post("/v1/customers", {"name": "A"})
    assert answer.status_code == status
    assert answer.json()["error"].get("code") == code
    assert answer.json()["error"]["message"]
    assert "retry-after" not in answer.headers
    assert len(standin.ledger()) == before


def test_the_sdk_reads_a_rate_limit_with_its_wait(standin: Any, stripe_client: stripe.StripeClient) -> None:
    standin.plant(kind="429", nth=1, retry_after=7, headers={"Stripe-Should-Retry": "true"})
    with pytest.raises(stripe.RateLimitError) as limited:
        stripe_client.v1.customers.create({"name": "A"})
    assert limited.value.error.code == "rate_limit"
    assert limited.value.headers["retry-after"] == "7"
    assert limited.value.headers["stripe-should-retry"] == "true"


def test_a_502_is_a_page_and_no_json(standin: Any) -> None:
    standin.plant(kind="502_html", nth=1)
    answer = standin.post("/v1/customers", {"name": "A"})
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert "<html>" in answer.text


@pytest.mark.parametrize("kind", ["delay", "slow"])
def test_a_slow_answer_comes_late_and_once(standin: Any, kind: str) -> None:
    standin.plant(kind=kind, seconds=0.3, nth=1)
    before, start = len(standin.ledger()), time.monotonic()
    assert standin.post("/v1/customers", {"name": "A"}).status_code == 200
    assert time.monotonic() - start >= 0.3
    assert len(standin.ledger()) == before + 1


def test_a_late_answer_is_of_something_done_long_before(standin: Any) -> None:
    standin.plant(kind="done_late", path="/v1/customers", seconds=1.5, nth=1)
    before = len(standin.ledger())
    with ThreadPoolExecutor() as caller:
        answer = caller.submit(standin.post, "/v1/customers", {"name": "A"})
        while len(standin.ledger()) == before:
            assert not answer.done()
        assert not answer.done()
    assert answer.result().json()["id"] == standin.ledger()[-1]["id"]


def test_a_caller_that_gives_up_is_served_nevertheless(standin: Any) -> None:
    standin.plant(kind="delay", seconds=0.4, nth=1)
    before = len(standin.ledger())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{standin.url}/v1/customers",
            data={"name": "A"},
            headers={"Authorization": f"Bearer {standin.settings.write_key}"},
            timeout=0.1,
        )
    deadline = time.monotonic() + 5
    while len(standin.ledger()) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(standin.ledger()) == before + 1


def test_a_rule_strikes_the_nth_matching_call_only(standin: Any) -> None:
    standin.plant(kind="503", method="POST", path="/v1/cust*", nth=2)
    standin.post("/v1/products", {"name": "A"})
    standin.get("/v1/customers")
    statuses = [standin.post("/v1/customers", {"name": "A"}).status_code for _ in range(4)]
    assert statuses == [200, 503, 200, 200]
    (rule,) = standin.http.get("/_faults").json()
    assert (rule["calls"], rule["hits"]) == (4, 1)


def test_a_rule_with_times_strikes_that_often(standin: Any) -> None:
    standin.plant(kind="503", nth=2, times=2)
    assert [standin.get("/v1/customers").status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_probability_strikes_the_same_calls_under_the_same_seed(standin: Any) -> None:
    def struck(seed: int) -> list[int]:
        standin.http.delete("/_faults")
        standin.plant(kind="503", probability=0.3, seed=seed)
        return [at for at in range(60) if standin.get("/v1/customers").status_code == 503]

    first = struck(7)
    assert 5 <= len(first) <= 35
    assert struck(7) == first
    assert struck(8) != first


def test_rules_are_cleared_one_by_one_or_all(standin: Any) -> None:
    first, second = standin.plant(kind="503"), standin.plant(kind="500")
    assert standin.http.delete(f"/_faults/{first['id']}").json() == {"cleared": 1}
    assert standin.get("/v1/customers").status_code == 500
    assert standin.http.delete(f"/_faults/{first['id']}").status_code == 404
    assert [rule["id"] for rule in standin.http.get("/_faults").json()] == [second["id"]]
    assert standin.http.delete("/_faults").json() == {"cleared": 1}
    assert standin.get("/v1/customers").status_code == 200


@pytest.mark.parametrize(
    "rule",
    [{}, {"kind": "flood"}, {"kind": "503", "chance": 1}, {"kind": "503", "nth": "2"}, {"kind": "503", "nth": 0},
     {"kind": "503", "probability": 1.5}, {"kind": "503", "times": True}, {"kind": "503", "hits": 3},
     {"kind": "503", "headers": {"a": 1}}, {"kind": "delay", "seconds": "1"}, {"kind": "503", "_random": 1}],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(standin: Any, rule: dict[str, Any]) -> None:
    answer = standin.http.post("/_faults", json=rule)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert standin.http.get("/_faults").json() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_rule_that_is_no_json_object_is_refused(standin: Any, body: bytes) -> None:
    assert standin.http.post("/_faults", content=body).status_code == 400


def test_faults_spare_the_stand_ins_own_pages(standin: Any) -> None:
    standin.plant(kind="503")
    assert standin.http.get("/_health").status_code == 200
    assert standin.http.get("/_ledger").status_code == 200
