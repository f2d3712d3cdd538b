"""Settings > Policy, in pages and in the API."""

import copy
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from starters.trust import policy_body

DRAFT = r"/settings/policy/drafts/(PD-[A-Z2-7]{26})"


def limits(house: Any, controller: int = 3000) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(house.staff.desk.policy.plain_limits)
    found["approve"]["credit"]["controller"] = controller
    return found


async def draft(house: Any, **changed: Any) -> dict[str, Any]:
    caller = await house.caller("administrator")
    body = {"limits": limits(house), "table": house.staff.desk.policy.plain_table, "note": "Less alone."} | changed
    answer = await caller.post("/api/v1/policy/drafts", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def publish(house: Any, draft_id: str, role: str = "controller") -> Any:
    return await (await house.caller(role)).post(f"/api/v1/policy/drafts/{draft_id}/publication")


async def test_a_policy_is_drafted_tried_published_and_gone_back_from(house: Any) -> None:
    waiting = await house.asked()
    made = await draft(house)
    assert (made["kind"], made["base_version"], made["may_publish"]) == ("policy", 1, False)
    assert made["differences"] == [
        {"what": "Controller approves", "before": "25,000 USD a credit", "after": "3,000 USD a credit"}
    ]
    controller = await house.caller("controller")
    assert (await controller.get(f"/api/v1/policy/drafts/{made['draft_id']}")).json()["may_publish"] is True
    tried = (await controller.post("/api/v1/policy/simulations", json={"draft": made["draft_id"]})).json()
    (one,) = tried["changed"]
    assert (one["approval_id"], one["before"], one["after"]) == (waiting, ["Controller"], ["Controller and Legal"])
    assert tried["counts"] == {"others_asked": 1}
    assert (await publish(house, made["draft_id"])).json()["version"] == 2
    routed = await controller.get(f"/api/v1/approvals/{await house.asked(request_id='r-2')}")
    assert (routed.json()["path"], routed.json()["policy"][:2]) == (["Controller and Legal"], "2@")
    assert (await controller.get(f"/api/v1/approvals/{waiting}")).json()["path"] == ["Controller"]
    assert (await controller.get("/api/v1/policy")).json()["published_by"]["name"] == "Controller"
    detail = (await controller.get("/api/v1/policy/versions/2?against=1")).json()
    assert detail["differences"] == made["differences"]
    again = await draft(house, again=1, limits=None, table=None)
    assert (await publish(house, again["draft_id"], "cfo")).json()["version"] == 3
    listed = (await controller.get("/api/v1/policy/versions")).json()["versions"]
    assert [(one["version"], bool(one["published_by"])) for one in listed] == [(3, True), (2, True), (1, False)]
    found = (await controller.get("/api/v1/policy/drafts")).json()["drafts"]
    assert [one["version"] for one in found] == [3, 2]


async def test_a_simulation_tells_how_far_it_is_line_by_line(house: Any) -> None:
    await house.asked()
    caller = await house.caller("administrator")
    body = {"limits": limits(house), "table": house.staff.desk.policy.plain_table}
    answer = await caller.post("/api/v1/policy/simulations?progress=true", json=body)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert lines[-1]["result"]["looked"] == 1
    plain = await caller.post("/api/v1/policy/simulations", json=body)
    assert lines[-1]["result"] == plain.json()


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("role", ["support", "billing_admin", "operator"])
async def test_drafts_and_simulations_are_not_for_everybody(house: Any, role: str) -> None:
    made = await draft(house)
    caller, visitor = await house.caller(role), await house.visitor(role)
    for path in ("drafts", f"drafts/{made['draft_id']}"):
        assert (await caller.get(f"/api/v1/policy/{path}")).status_code == 403
    assert (await caller.post("/api/v1/policy/simulations", json={"draft": made["draft_id"]})).status_code == 403
    for path in ("", "/new", f"/drafts/{made['draft_id']}", f"/drafts/{made['draft_id']}/simulation", "/rates"):
        assert (await visitor.get(f"/settings/policy{path}")).status_code == 404
    assert "/settings/policy" not in (await visitor.get("/approvals")).text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": ""}, "limits"),
        ({"limits": {}, "table": {}}, "limits.base_currency"),
        ({"again": 1, "limits": {}}, "again"),
        ({"again": 9}, "version"),
        ({"again": 1}, "limits"),
    ],
)
async def test_what_cannot_be_drafted_is_refused_with_its_field(house: Any, body: dict[str, Any], field: str) -> None:
    answer = await (await house.caller("administrator")).post("/api/v1/policy/drafts", json=body)
    assert answer.status_code in {404, 422}
    assert answer.json()["error"]["fields"][0]["field"] == field


@pytest.mark.asvs("2.3.5")
async def test_pages_lead_from_a_draft_to_its_publication(house: Any) -> None:
    await house.asked()
    administrator, controller = await house.visitor("administrator"), await house.visitor("controller")
    form = (await administrator.get("/settings/policy/new")).text
    assert 'name="limits.approve.credit.controller" value="25000"' in form
    sent = {"limits.approve.credit.controller": "3,000", "note": "Less alone."}
    answer = await administrator.post("/settings/policy/drafts", data=sent)
    place = answer.headers["location"].partition("?")[0]
    assert re.fullmatch(DRAFT, place)
    assert "Administrators" not in (await administrator.get(answer.headers["location"])).text
    own = (await administrator.get(place)).text
    assert "A Controller or the CFO publishes; you are Administrator." in own
    assert "25,000 USD a credit" in own
    assert f'href="{place}/publish"' in (await controller.get(place)).text
    tried = (await controller.get(f"{place}/simulation?days=7")).text
    assert "<strong>1 of 1 requests would go another way</strong>, 1 of them open" in tried
    assert "<code>above-controller</code>" in tried
    asked = (await controller.get(f"{place}/publish")).text
    assert "1 of 1 open request would go another way." in asked
    assert "They are not re-planned" in asked
    assert "Version 1 routes" in (await controller.get("/settings/policy")).text
    done = await controller.post(f"{place}/publish")
    assert done.headers["location"] == f"{place}?said=published"
    assert "It holds from now on" in (await controller.get(done.headers["location"])).text
    shown = (await controller.get("/settings/policy")).text
    assert "Version 2 routes" in shown
    assert "3,000 USD a credit" in shown
    older = (await administrator.get("/settings/policy/versions/1")).text
    assert "Draft version 1 again" in older
    assert "Draft version 1 again" not in (await controller.get("/settings/policy/versions/1")).text
    audit = (await controller.get("/audit")).text
    assert "published policy version 2" in audit
    assert "do not hold" not in audit


async def test_a_wrong_number_and_a_wrong_table_come_back_with_what_was_typed(house: Any) -> None:
    administrator = await house.visitor("administrator")
    answer = await administrator.post("/settings/policy/drafts", data={"limits.sums.days": "often", "note": "Kept."})
    assert answer.status_code == 422
    assert 'value="often" inputmode="numeric" autocomplete="off" aria-invalid="true"' in answer.text
    assert "Kept." in answer.text
    for table in ("{", '{"nodes": 1}'):
        answer = await administrator.post("/settings/policy/drafts", data={"table": table})
        assert answer.status_code == 422
        assert '<a href="#table">' in answer.text
    unchanged = await administrator.post("/settings/policy/drafts", data={})
    assert "says just that already" in unchanged.text
    refused = await (await house.visitor("cfo")).post("/settings/policy/drafts", data={"limits.sums.days": "31"})
    assert refused.status_code == 403


@pytest.mark.asvs("7.5.3")
async def test_an_old_sign_in_publishes_nothing_and_is_told_how(house: Any) -> None:
    made = await draft(house)
    controller, caller = await house.visitor("controller"), await house.caller("controller")
    house.clock.ahead = timedelta(minutes=16)
    place = f"/settings/policy/drafts/{made['draft_id']}"
    assert f"/sign-in?next={place}&amp;fresh=yes" in (await controller.get(place)).text
    assert (await controller.post(f"{place}/publish")).status_code == 403
    answer = await caller.post(f"/api/v1/policy/drafts/{made['draft_id']}/publication")
    assert answer.json()["error"]["fields"][0]["code"] == "fresh_sign_in_needed"


async def test_rates_are_drafted_published_used_and_shown(house: Any) -> None:
    administrator, cfo = await house.visitor("administrator"), await house.visitor("cfo")
    wrong = await administrator.post("/settings/policy/rates", data={"rates": "currency,rate,as_of\nEUR,0,2026-01-01"})
    assert wrong.status_code == 422
    assert '<a href="#rates">Rate 1:' in wrong.text
    today = house.clock().date().isoformat()
    sent = {"rates": f"currency,rate,as_of\nEUR,1.25,{today}", "note": "The central bank."}
    place = (await administrator.post("/settings/policy/rates", data=sent)).headers["location"].partition("?")[0]
    assert "EUR is counted at these rates from now on" in (await cfo.get(f"{place}/publish")).text
    assert (await cfo.post(f"{place}/publish")).status_code == 303
    rates = (await (await house.caller("finance")).get("/api/v1/policy/rates")).json()
    assert [(one["currency"], one["rate"], one["stale"]) for one in rates["rates"]] == [("EUR", "1.25", False)]
    approval_id = await house.asked(currency="EUR", amount="800.00")
    shown = (await (await house.visitor("controller")).get(f"/approvals/{approval_id}")).text
    assert "For the limits it counts as" in shown
    assert "at 1.25, the rate of" in shown
    record = (await (await house.caller("finance")).get(f"/api/v1/approvals/{approval_id}")).json()
    assert (record["rate"], record["base_minor"], record["base_currency"]) == ("1.25", 100_000, "USD")


async def test_who_was_shown_another_path_is_told(house: Any) -> None:
    admin = await house.visitor("billing_admin")
    form = house.form()
    checked = (await admin.post("/credits/check", data=form)).text
    found = re.search(r'name="previewed" value="([^"]+)"', checked)
    assert found
    await publish(house, (await draft(house))["draft_id"])
    answer = await admin.post("/credits", data=form | {"previewed": found[1]})
    assert answer.headers["location"].endswith("?said=changed")
    page = (await admin.get(answer.headers["location"])).text
    assert "Who decides is not what you were shown" in page
    assert "When it was checked, Controller would have been asked; now it is Controller and Legal." in page
    caller = await house.caller("billing_admin")
    other = house.form(request_id="r-2", customer=form["customer"])
    asked = (await caller.post("/api/v1/credits", json=other | {"previewed": found[1]})).json()
    assert asked["changed"].endswith("Policy version 2 has followed version 1 since.")
    third = house.form(request_id="r-3", customer=form["customer"]) | {"previewed": "x"}
    refused = await caller.post("/api/v1/credits", json=third)
    assert refused.json()["error"]["fields"][0]["field"] == "previewed"


async def test_a_version_published_elsewhere_holds_here_at_once(house: Any) -> None:
    """Another process publishes: this one, which parsed the policy at its start, routes by the new one."""
    made = await draft(house)
    async with house.staff.desk.ledger.begin() as tx:
        statement = (
            "insert into policies (version, hash, content, published_at, signed) "
            "select 2, hash, content, created_at, :signed from policy_drafts where draft_id = :draft"
        )
        now = house.clock()
        body = policy_body(2, made["hash"], "p-administrator", "p-controller", now)
        signed = house.staff.desk.signer.sign("policy", body, now=now)
        await tx.session.execute(text(statement), {"draft": made["draft_id"], "signed": signed})
    caller = await house.caller("billing_admin")
    seen = (await caller.post("/api/v1/credits/preview", json=house.form())).json()
    assert seen["path"] == ["Controller and Legal"]
    assert (await caller.get("/api/v1/status")).json()["policy"].startswith("2@")


async def test_whoever_may_not_draft_is_refused_whatever_they_send(house: Any) -> None:
    table = copy.deepcopy(house.staff.desk.policy.plain_table)
    content = next(node for node in table["nodes"] if node["type"] == "decisionTableNode")["content"]
    content["rules"][0][content["inputs"][0]["id"]] = "len(map([1..1000000], #)) > 0"
    body = {"limits": limits(house), "table": table, "note": "x"}
    for role, status in (("support", 403), ("administrator", 422)):
        answer = await (await house.caller(role)).post("/api/v1/policy/drafts", json=body)
        assert answer.status_code == status, answer.text
    finance = await house.caller("finance")
    answer = await finance.post("/api/v1/policy/simulations", json={"limits": limits(house), "table": table})
    assert answer.json()["error"]["fields"][0]["field"] == "table.route.no-exchange-rate: Reason"


async def test_a_newest_policy_that_cannot_be_used_stops_asking_and_nothing_else(house: Any) -> None:
    waiting = await house.asked()
    async with house.staff.desk.ledger.begin() as tx:
        statement = (
            "insert into policies (version, hash, content, published_at) "
            """values (2, 'x', '{"limits":{},"table":{}}', '2026-01-01 00:00:00.000000')"""
        )
        await tx.session.execute(text(statement))
    caller = await house.caller("billing_admin")
    for place in ("/api/v1/policy", f"/api/v1/approvals/{waiting}", "/api/v1/policy/versions"):
        assert (await caller.get(place)).status_code == 200
    page = await house.visitor("controller")
    for place in ("/approvals", f"/approvals/{waiting}", "/settings/policy"):
        assert (await page.get(place)).status_code == 200
    assert (await page.get("/settings/policy/versions/2")).status_code == 409
    asked = await caller.post("/api/v1/credits/preview", json=house.form(request_id="r-2"))
    assert (asked.status_code, asked.json()["error"]["code"]) == (409, "policy_unusable")
    made = await draft(house)
    assert (made["base_version"], made["outdated"]) == (2, False)
    assert (await publish(house, made["draft_id"])).json()["version"] == 3
    assert (await caller.post("/api/v1/credits/preview", json=house.form(request_id="r-2"))).status_code == 200


async def test_what_differs_without_words_is_told_all_the_same(house: Any) -> None:
    table = copy.deepcopy(house.staff.desk.policy.plain_table)
    table["edges"][0]["id"] = "another"
    made = await draft(house, limits=house.staff.desk.policy.plain_limits, table=table)
    assert [one["what"] for one in made["differences"]] == ["Something else"]
    made = await draft(house, table=table)
    assert [one["what"] for one in made["differences"]] == ["Controller approves", "Something else"]
    later = limits(house) | {"office": "Mon-Fri 10:00-16:00 UTC"}
    made = await draft(house, limits=later)
    assert [one["what"] for one in made["differences"]] == ["Controller approves", "Something else"]


async def test_fallbacks_quorums_order_and_rejections_are_chosen_on_the_page(house: Any) -> None:
    visitor = await house.visitor("administrator")
    form = (await visitor.get("/settings/policy/new")).text
    assert '<option value="cfo" selected>CFO</option>' in form
    assert '<option value="side_by_side" selected>Side by side</option>' in form
    typed = {
        "limits.fallback.legal": "",
        "limits.stages.both.order": "legal_first",
        "limits.stages.both.0.seats.controller": "2",
        "limits.stages.controller.0.one_rejection_ends": "no",
    }
    answer = await visitor.post("/settings/policy/drafts", data={**typed, "note": "Legal first."})
    assert answer.status_code == 303, answer.text
    shown = (await visitor.get(answer.headers["location"])).text
    for words in ("Legal, then 2 of Controller", "it waits, and says so", "Controller (one rejection does not end it)"):
        assert words in shown
    wrong = await visitor.post("/settings/policy/drafts", data={"limits.fallback.legal": "finance"})
    assert wrong.status_code == 422
    assert "Where nobody of Legal can decide: choose one of Nobody else: it waits, CFO, Controller." in wrong.text
