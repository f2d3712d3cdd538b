"""What a command sends, and what it says when no answer comes."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]
REQUEST = ("credit", "request", "--customer", "cus_1", "--amount", "0.10", "--currency", "KWD", "--reason", "goodwill")
APPROVAL: dict[str, Any] = {
    "approval_id": "CR-" + "A" * 26,
    "request_id": "R-1",
    "state": "waiting",
    "state_text": "Waiting on Legal",
    "customer_name": "[red]Example[/red]\x1b[31m",
    "amount_minor": 420_000,
    "agreed_minor": 420_000,
    "currency": "USD",
    "base_minor": 420_000,
    "base_currency": "USD",
    "rate": None,
    "rate_as_of": None,
    "amounts": {"net_minor": 400_000, "tax_minor": 20_000, "gross_minor": 420_000, "currency": "USD"},
    "reason_text": "Goodwill",
    "memo": "",
    "note": "",
    "target": {"kind": "invoice", "target_id": "in_1", "number": "INV-0042"},
    "requester": {"person_id": "p-ada", "name": "Ada"},
    "path": ["Controller and Legal", "CFO"],
    "why": "Above.",
    "notes": ["The CFO as well."],
    "waits_for": ["legal"],
    "created_at": "2026-08-03T14:00:00Z",
    "due_at": "2026-08-03T14:00:00Z",
    "stripe_object": "",
    "explanation": "",
    "page": "http://127.0.0.1:8321/approvals/CR",
    "created": True,
    "changed": "",
    "started": True,
}


def test_an_amount_travels_as_it_was_typed(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "credits", APPROVAL, 201)
    plixo(*REQUEST, "--request-id", "R-1", "--note", "-5 of them", "--memo", "--sorry")
    assert api.bodies("credits") == [
        {
            "customer": "cus_1",
            "amount": "0.10",
            "currency": "KWD",
            "reason": "goodwill",
            "invoice": "",
            "note": "-5 of them",
            "memo": "--sorry",
            "request_id": "R-1",
        },
    ]
    assert api.asked[0].headers["authorization"] == "Bearer token-of-ada"


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), httpx.ReadError("cut"), httpx.WriteError("cut")])
def test_a_lost_answer_says_how_to_ask_again_without_asking_twice(
    plixo: Plixo, api: FakeApi, lost: httpx.HTTPError
) -> None:
    api.on("POST", "credits", lost)
    ran = plixo(*REQUEST)
    (sent,) = api.bodies("credits")
    assert ran.code == 1
    assert f"Ask again with --request-id {sent['request_id']}: it stays one request." in ran.err


def test_json_is_the_apis_answer_and_nothing_else(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "credits", APPROVAL, 201)
    ran = plixo(*REQUEST, "--json")
    assert ran.document == APPROVAL
    assert ran.err == ""


def test_a_customers_name_is_neither_mark_up_nor_an_order_to_the_terminal(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "credits", APPROVAL, 201)
    ran = plixo(*REQUEST)
    assert "[red]Example[/red]" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"created": False}, "nothing was asked twice"),
        ({"started": False}, "starts by itself as soon as Temporal can be reached"),
        ({"explanation": "Nobody decided in time."}, "Nobody decided in time."),
        ({}, "Net, tax, gross 4,000.00 USD · 200.00 USD · 4,200.00 USD"),
        ({}, "Path Controller and Legal, then CFO"),
        ({}, "Why Above. The CFO as well."),
        ({}, "overdue"),
    ],
)
def test_what_became_of_asking_is_said(plixo: Plixo, api: FakeApi, changed: dict[str, Any], said: str) -> None:
    api.on("POST", "credits", APPROVAL | changed, 201)
    assert said in " ".join(plixo(*REQUEST).out.split())


def test_a_list_says_how_to_see_more(plixo: Plixo, api: FakeApi) -> None:
    api.on("GET", "approvals", {"approvals": [APPROVAL], "total": 60, "page": 2, "pages": 3})
    ran = plixo("approvals", "list", "--page", "2", "--tab", "groups", "--q", "a b&c")
    assert "Page 2 of 3; --page 3 shows more." in ran.out
    assert dict(api.asked[0].url.params) == {"tab": "groups", "q": "a b&c", "sort": "due", "page": "2"}


EMPTY = {"approvals": [], "page": 1, "pages": 1}


@pytest.mark.parametrize(
    ("words", "path", "answer", "said"),
    [
        (("approvals", "list"), "approvals", EMPTY, "Nothing waits here; --tab all"),
        (("credit", "list"), "approvals", EMPTY, "credit request --help` says how"),
        (("customers", "list"), "customers", {"customers": []}, "There is none like that in Stripe."),
        (("invoices", "list"), "invoices", {"invoices": []}, "There is none like that in Stripe."),
        (("people", "list"), "people", {"people": []}, "Nobody works here yet"),
    ],
)
def test_an_empty_list_says_what_would_be_in_it(  # noqa: PLR0917 - pytest hands it what it asks for
    plixo: Plixo,
    api: FakeApi,
    words: tuple[str, ...],
    path: str,
    answer: Any,
    said: str,
) -> None:
    api.on("GET", path, answer)
    api.on("GET", "absences", {"absences": []})
    assert said in " ".join(plixo(*words).out.split())


def test_a_preview_says_how_many_in_whose_place_and_who_could_not(plixo: Plixo, api: FakeApi) -> None:
    seats = {"seats": [], "one_rejection_ends": False, "groups": ["legal"]}
    seen = {
        **APPROVAL,
        "customer": {"name": "Example"},
        "automatic": False,
        "stages": [{**seats, "text": "2 of Controller", "due_hours": 8, "deciders": [{"name": "Chief"}]}],
        "nobody": ["legal"],
        "too_few": ["2 of Controller"],
        "remarks": ["Ann of Controller could not: asked for it."],
        "duplicates": [],
    }
    api.on("POST", "credits/preview", seen)
    told = plixo("credit", "preview", *REQUEST[2:]).out
    for words in (
        "2 of Controller",
        "Ann of Controller could not: asked for it.",
        "Nobody of Legal could decide on it: it would wait.",
        "2 of Controller must agree, and too few could: it would wait.",
    ):
        assert words in told
