"""Every bad input of the issue, on the form and on the API: a refusal that names the field, and nothing half made."""

import html
import json
from typing import Any

import pytest
from sqlalchemy import text

BIG = "x" * (1024 * 1024)

FIELDS: list[tuple[str, dict[str, str], str, str]] = [
    ("an empty customer", {"customer": " "}, "customer", "customer_missing"),
    ("a customer that is none", {"customer": "42"}, "customer", "customer_invalid"),
    ("an unknown customer", {"customer": "cus_Nobody"}, "customer", "customer_unknown"),
    ("NUL in the customer", {"customer": "cus_\x00"}, "customer", "customer_invalid"),
    ("no amount", {"amount": ""}, "amount", "amount_missing"),
    ("zero", {"amount": "0"}, "amount", "amount_not_positive"),
    ("zero with decimals", {"amount": "0.00"}, "amount", "amount_not_positive"),
    ("a negative amount", {"amount": "-5"}, "amount", "amount_not_positive"),
    ("NaN", {"amount": "NaN"}, "amount", "amount_not_a_number"),
    ("infinity", {"amount": "Infinity"}, "amount", "amount_not_a_number"),
    ("an exponent", {"amount": "1e3"}, "amount", "amount_not_a_number"),
    ("10^18", {"amount": "1" + "0" * 18}, "amount", "amount_too_large"),
    ("a thousand digits", {"amount": "9" * 1000}, "amount", "amount_not_a_number"),
    ("digits of another script", {"amount": "٤٢"}, "amount", "amount_not_a_number"),
    ("three decimals of dollars", {"amount": "1.001"}, "amount", "amount_too_precise"),
    ("decimals of yen", {"amount": "1.5", "currency": "JPY"}, "amount", "amount_too_precise"),
    ("four decimals of dinars", {"amount": "1.0001", "currency": "KWD"}, "amount", "amount_too_precise"),
    ("NUL in the amount", {"amount": "4\x002"}, "amount", "amount_not_a_number"),
    ("a formula as the amount", {"amount": "=1+1"}, "amount", "amount_not_a_number"),
    ("no currency", {"currency": ""}, "currency", "currency_missing"),
    ("an unknown currency", {"currency": "XYZ"}, "currency", "currency_unknown"),
    ("NUL as the currency", {"currency": "\x00"}, "currency", "currency_unknown"),
    ("no reason", {"reason": ""}, "reason", "reason_missing"),
    ("an unknown reason", {"reason": "because"}, "reason", "reason_unknown"),
    ("other without a note", {"reason": "other", "note": "short"}, "note", "note_too_short"),
    ("a note of 1 MiB", {"note": BIG}, "note", "note_too_long"),
    ("NUL in the note", {"note": "a\x00b"}, "note", "note_control_characters"),
    ("a bell in the note", {"note": "a\x07b"}, "note", "note_control_characters"),
    ("a right-to-left mark in the note", {"note": "a\u202eb"}, "note", "note_control_characters"),
    ("a template as the note", {"note": "{{7*7}}"}, "note", "note_not_plain"),
    ("a formula as the note", {"note": "=cmd()"}, "note", "note_not_plain"),
    ("a memo of 1 MiB", {"memo": BIG}, "memo", "memo_too_long"),
    ("NUL in the memo", {"memo": "\x00"}, "memo", "memo_control_characters"),
    ("a template as the memo", {"memo": "{{7*7}}"}, "memo", "memo_not_plain"),
    ("a formula as the memo", {"memo": "=cmd()"}, "memo", "memo_not_plain"),
    ("no request id", {"request_id": ""}, "request_id", "request_id_invalid"),
    ("line breaks in the request id", {"request_id": "a\r\nb"}, "request_id", "request_id_invalid"),
    ("a request id of 1 MiB", {"request_id": BIG}, "request_id", "request_id_invalid"),
    ("an invoice that is none", {"invoice": "INV-0042"}, "invoice", "invoice_invalid"),
    ("an unknown invoice", {"invoice": "in_Nothing"}, "invoice", "invoice_unknown"),
    ("another customer's invoice", {"invoice": "in_ExampleFoods0061"}, "invoice", "invoice_of_another"),
    ("a void invoice", {"customer": "cus_ExamplePress", "invoice": "in_ExamplePress0072"}, "invoice", "invoice_void"),
    ("a draft invoice", {"customer": "cus_ExamplePress", "invoice": "in_ExamplePress0071"}, "invoice", "invoice_draft"),
    (
        "another currency than the invoice's",
        {"customer": "cus_ExampleTokyo", "invoice": "in_ExampleTokyo0080", "amount": "50"},
        "currency",
        "currency_differs",
    ),
    (
        "more than is creditable",
        {"customer": "cus_ExampleGmbH", "invoice": "in_ExampleGmbH0090", "amount": "11900.01", "currency": "EUR"},
        "amount",
        "amount_above_creditable",
    ),
]
CASES = [pytest.param(changed, field, code, id=name) for name, changed, field, code in FIELDS]
GOOD = {"customer": "cus_ExampleLogistics", "amount": "42.00", "currency": "USD", "reason": "goodwill"}


def wrong(changed: dict[str, str]) -> dict[str, str]:
    return {**GOOD, "request_id": "bad-1", "invoice": "", "note": "", "memo": "", **changed}


async def nothing_was_made(house: Any) -> bool:
    async with house.staff.desk.ledger.read() as session:
        rows = (await session.execute(text("select count(*) from approvals"))).scalar_one()
        audit = (await session.execute(text("select count(*) from audit"))).scalar_one()
    return not house.temporal.started and rows == 0 and audit == 0


@pytest.mark.parametrize(("changed", "field", "code"), CASES)
async def test_the_api_names_the_field_and_makes_nothing(
    house: Any, changed: dict[str, str], field: str, code: str
) -> None:
    caller = await house.caller("billing_admin")
    for path in ("/api/v1/credits/preview", "/api/v1/credits"):
        answer = await caller.post(path, json=wrong(changed))
        assert answer.status_code == 422, answer.text
        error = answer.json()["error"]
        assert error["code"] == code
        assert [problem["field"] for problem in error["fields"]] == [field]
        assert error["fields"][0]["message"].endswith(".")
    assert await nothing_was_made(house)


@pytest.mark.parametrize(("changed", "field", "code"), CASES)
async def test_the_form_says_it_at_the_field_and_keeps_what_was_typed(
    house: Any, changed: dict[str, str], field: str, code: str
) -> None:
    assert code
    visitor = await house.visitor("billing_admin")
    for path in ("/credits/check", "/credits"):
        answer = await visitor.post(path, data=wrong(changed))
        assert answer.status_code == 422
        page = answer.text
        assert "There is a problem" in page
        if field == "request_id":
            assert 'name="request_id" value="web-' in page
            continue
        assert f'<a href="#{field}">' in page
        assert f'id="{field}-fault"' in page
        assert f'aria-describedby="{field}' in page
        for typed in (value for value in changed.values() if value.strip() and value != BIG):
            assert typed in html.unescape(page)
    assert await nothing_was_made(house)


@pytest.mark.parametrize("missing", ["customer", "amount", "currency", "reason", "request_id"])
async def test_a_missing_field_is_named(house: Any, missing: str) -> None:
    caller = await house.caller("billing_admin")
    visitor = await house.visitor("billing_admin")
    form = wrong({})
    del form[missing]
    answer = await caller.post("/api/v1/credits", json=form)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["error"]["fields"]] == [missing]
    assert (await visitor.post("/credits", data=form)).status_code == 422
    assert await nothing_was_made(house)


async def test_everything_wrong_is_said_at_once_in_the_forms_order(house: Any) -> None:
    caller = await house.caller("billing_admin")
    answer = await caller.post("/api/v1/credits", json={})
    fields = [problem["field"] for problem in answer.json()["error"]["fields"]]
    assert fields == ["customer", "currency", "amount", "reason", "request_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"amount": 42.5},
        {"amount": None},
        {"amount": ["42"]},
        {"customer": {"id": "cus_1"}},
        {"amount": float("1e18")},
        {"amuont": "42"},
        {"note": "\ud800"},
    ],
)
async def test_a_body_of_another_shape_is_refused_by_its_field(house: Any, body: dict[str, Any]) -> None:
    caller = await house.caller("billing_admin")
    answer = await caller.post(
        "/api/v1/credits", content=json.dumps({**wrong({}), **body}), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert next(iter(body)) in [problem["field"] for problem in answer.json()["error"]["fields"]]
    assert await nothing_was_made(house)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"amount": NaN}', b"null", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(house: Any, content: bytes) -> None:
    caller = await house.caller("billing_admin")
    answer = await caller.post("/api/v1/credits", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["message"]
    assert await nothing_was_made(house)


@pytest.mark.asvs("1.3.7")
async def test_what_is_typed_is_never_markup(house: Any) -> None:
    visitor = await house.visitor("billing_admin")
    planted = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    answer = await visitor.post("/credits/check", data=wrong({"note": planted, "amount": planted, "customer": planted}))
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert planted in html.unescape(answer.text)


async def test_a_note_that_looks_dangerous_but_is_plain_is_kept_as_it_is(house: Any) -> None:
    note = "<b>5 > 3</b> & ${7*7} %{x} '; drop table approvals; --"
    approval_id = await house.asked(note=note)
    controller = await house.visitor("controller")
    page = (await controller.get(f"/approvals/{approval_id}")).text
    assert note in html.unescape(page)
    assert "<b>5" not in page
