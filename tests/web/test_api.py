import json
from datetime import timedelta
from typing import Any

import pytest

from plixo.signing.keys import load_public_keys
from plixo.signing.tokens import StaffVerifier
from plixo.store.audit_file import verify_document


async def test_a_credit_goes_from_preview_to_stripe(house: Any) -> None:
    admin, controller = await house.caller("billing_admin"), await house.caller("controller")
    customer = house.books.customer("Example Api")
    invoice = house.books.invoice(customer, 900_000)
    form = house.form(customer=customer, invoice=invoice)
    seen = (await admin.post("/api/v1/credits/preview", json=form)).json()
    assert seen["path"] == ["Controller"]
    assert seen["stages"][0]["deciders"] == [{"person_id": "p-controller", "name": "Controller"}]
    assert (seen["amount"], seen["amount_minor"], seen["currency"]) == ("4200.00", 420_000, "USD")
    made = await admin.post("/api/v1/credits", json=form)
    assert made.status_code == 201
    asked = made.json()
    assert asked["created"] is True
    assert asked["started"] is True
    again = await admin.post("/api/v1/credits", json=form)
    assert again.status_code == 200
    assert again.json()["approval_id"] == asked["approval_id"]
    assert again.json()["created"] is False
    path = f"/api/v1/approvals/{asked['approval_id']}"
    waiting = (await controller.get(path)).json()
    assert (waiting["state"], waiting["state_text"]) == ("waiting", "Waiting on Controller")
    assert waiting["waits_for"] == ["controller"]
    assert waiting["may_decide"] is True
    answer = await controller.post(f"{path}/decisions", json={"verdict": "approve", "comment": "Yes."})
    assert answer.json()["answer"] == "accepted"
    twice = await controller.post(f"{path}/decisions", json={"verdict": "approve", "comment": "Yes."})
    assert twice.status_code == 200
    shown = (await admin.get(path)).json()
    assert shown["state_text"] == "Applied in Stripe"
    assert shown["stripe_object"] == house.books.credit_notes(invoice)[0]["id"]
    assert shown["decisions"][0]["comment"] == "Yes."
    assert shown["timeline"][0]["event"] == "requested"


async def test_refusals_have_one_shape_and_their_status(house: Any) -> None:
    admin, controller = await house.caller("billing_admin"), await house.caller("controller")
    made = (await admin.post("/api/v1/credits", json=house.form())).json()
    path = f"/api/v1/approvals/{made['approval_id']}"
    own = await admin.post(f"{path}/decisions", json={"verdict": "approve"})
    assert (own.status_code, own.json()["error"]["code"]) == (403, "own_request")
    silent = await controller.post(f"{path}/decisions", json={"verdict": "reject"})
    assert (silent.status_code, silent.json()["error"]["fields"][0]["field"]) == (403, "comment")
    foreign = await controller.post(f"{path}/withdrawal", json={})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "not_requester")
    assert (await admin.post(f"{path}/withdrawal", json={"comment": "Mine."})).json()["answer"] == "accepted"
    late = await controller.post(f"{path}/decisions", json={"verdict": "approve"})
    assert late.status_code in {403, 409}
    unknown = await controller.get("/api/v1/approvals/CR-AAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "approval_unknown")
    nowhere = await controller.get("/api/v1/nope")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")
    wrong = await controller.put("/api/v1/me")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    for answer in (own, silent, foreign, late, unknown, nowhere, wrong):
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "fields", "request_id"}
        assert error["request_id"] == answer.headers["x-request-id"]


READING = ["approvals", "customers", "invoices", "policy", "people", "me", "status"]


@pytest.mark.parametrize("path", READING)
async def test_nothing_is_read_without_a_token(house: Any, path: str) -> None:
    nobody = await house.caller()
    answer = await nobody.get(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("Bearer ", "Bearer x", "Basic YTpi", "bearer " + "x" * 5000, "Bearer \udcff"):
        sent = header.encode("utf-8", "surrogateescape")
        assert (await nobody.get(f"/api/v1/{path}", headers={"authorization": sent})).status_code == 401


@pytest.mark.asvs("3.5.1")
async def test_a_cookie_is_no_token_and_a_token_is_no_cookie(house: Any) -> None:
    visitor = await house.visitor("controller")
    cookie = visitor.cookies["plixo-dev"]
    assert (await visitor.get("/api/v1/me")).status_code == 401
    assert (await visitor.post("/api/v1/credits", json=house.form())).status_code == 401
    assert (await visitor.get("/api/v1/me", headers={"authorization": f"Bearer {cookie}"})).status_code == 401
    caller = await house.caller("controller")
    token = caller.headers["authorization"].removeprefix("Bearer ")
    page = await house.open_client(cookies={"plixo-dev": token})
    assert (await page.get("/approvals")).status_code == 303


async def test_a_token_ends_by_itself(house: Any) -> None:
    caller = await house.caller("controller")
    assert (await caller.get("/api/v1/me")).json()["person_id"] == "p-controller"
    house.clock.ahead = timedelta(hours=13)
    assert (await caller.get("/api/v1/me")).status_code == 401


@pytest.mark.asvs("7.5.3")
async def test_a_large_decision_needs_a_fresh_token(house: Any) -> None:
    approval_id = await house.asked(amount="10000.01")
    caller = await house.caller("controller")
    house.clock.ahead = timedelta(minutes=16)
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/decisions", json={"verdict": "approve"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "fresh_sign_in_needed")


@pytest.mark.parametrize("body", [{}, {"verdict": "withdraw"}, {"verdict": "approve", "amount": 1}, {"verdict": None}])
async def test_a_decision_of_another_shape_is_refused(house: Any, body: dict[str, Any]) -> None:
    approval_id = await house.asked()
    caller = await house.caller("controller")
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/decisions", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "misshapen"


async def test_lists_are_filtered_and_counted(house: Any) -> None:
    approval_id = await house.asked(customer="cus_ExampleLogistics")
    await house.asked(request_id="r-2", amount="20.00", customer="cus_ExampleStudio")
    caller = await house.caller("controller")
    found = (await caller.get("/api/v1/approvals")).json()
    assert (found["total"], found["page"], found["pages"]) == (2, 1, 1)
    for query in ("tab=mine", "state=waiting", "q=logist", "customer=cus_ExampleLogistics"):
        found = (await caller.get(f"/api/v1/approvals?{query}")).json()
        assert [one["approval_id"] for one in found["approvals"]] == [approval_id], query
    for query in ("tab=x", "state=x", "page=0", "page=x", "sort=x", "q=" + "x" * 101):
        assert (await caller.get(f"/api/v1/approvals?{query}")).status_code == 422


@pytest.mark.asvs("8.2.2")
async def test_support_reads_their_own_requests_alone(house: Any) -> None:
    others = await house.asked()
    own = await house.asked("support", request_id="s")
    support = await house.caller("support")
    found = (await support.get("/api/v1/approvals")).json()
    assert [one["approval_id"] for one in found["approvals"]] == [own]
    assert (await support.get(f"/api/v1/approvals/{others}")).status_code == 404
    assert (await support.get(f"/api/v1/approvals/{others}/audit")).status_code == 404
    assert (await support.get(f"/api/v1/approvals/{own}/audit")).status_code == 403


async def test_customers_and_invoices_are_stripes(house: Any) -> None:
    caller = await house.caller("billing_admin")
    found = (await caller.get("/api/v1/customers?q=kuwait")).json()["customers"]
    assert [one["customer_id"] for one in found] == ["cus_ExampleKuwait"]
    invoices = (await caller.get("/api/v1/invoices?customer=cus_ExampleKuwait")).json()["invoices"]
    assert [(one["number"], one["total"], one["total_minor"]) for one in invoices] == [
        ("INV-0085", "1250.500", 1_250_500)
    ]
    for customer in ("cus_Nobody", "\x00", "x"):
        answer = await caller.get("/api/v1/invoices", params={"customer": customer})
        assert answer.status_code == 422
        assert answer.json()["error"]["fields"][0]["field"] == "customer"


async def test_the_policy_is_told_as_it_was_published(house: Any) -> None:
    caller = await house.caller("support")
    policy = (await caller.get("/api/v1/policy")).json()
    assert policy["reference"] == house.staff.desk.policy.reference
    assert policy["rules"]
    assert policy["limits"] == json.loads(house.staff.desk.policy.content)["limits"]


async def test_status_says_what_is_away(house: Any) -> None:
    caller = await house.caller("operator")
    assert (await caller.get("/api/v1/status")).json()["ok"] is True
    house.temporal.away = True
    status = (await caller.get("/api/v1/status")).json()
    assert (status["ok"], status["parts"]["temporal"]) == (False, "cannot be reached")


async def test_while_stripe_is_away_the_api_says_so(house: Any) -> None:
    caller = await house.caller("billing_admin")
    form = house.form()
    house.books.fault("500")
    for answer in (await caller.post("/api/v1/credits", json=form), await caller.get("/api/v1/customers")):
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "stripe_unavailable"
        assert answer.headers["retry-after"]
    assert not house.temporal.started


@pytest.mark.asvs("16.4.2")
async def test_an_exported_audit_file_proves_itself(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.caller("controller")
    await controller.post(f"/api/v1/approvals/{approval_id}/decisions", json={"verdict": "approve"})
    document = (await controller.get(f"/api/v1/approvals/{approval_id}/audit")).json()
    keys = house.staff.settings.public_keys
    verifier = StaffVerifier(load_public_keys(keys))
    checked = verify_document(document, verifier)
    assert (checked.ok, checked.requests, checked.signatures) == (True, 1, 2)
    document["requests"][0]["chain"][0]["detail"]["amount"] = "1.00 USD"
    assert not verify_document(document, verifier).ok


async def test_dev_hands_out_a_token_by_role(house: Any) -> None:
    nobody = await house.caller()
    answer = await nobody.post("/api/v1/dev/token", json={"role": "controller"})
    assert answer.json()["person"]["person_id"] == "p-controller"
    wrong = await nobody.post("/api/v1/dev/token", json={"role": "king"})
    assert (wrong.status_code, wrong.json()["error"]["fields"][0]["field"]) == (422, "role")
