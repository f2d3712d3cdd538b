"""Handing on, nudging, and being away, as people meet them: pages and API."""

from datetime import timedelta
from typing import Any

import pytest

from tests.web.test_approval_page import plain


def day(house: Any, days: int) -> str:
    return (house.clock().date() + timedelta(days=days)).isoformat()


async def test_a_part_is_handed_on_from_the_page_and_decided_by_the_colleague(house: Any) -> None:
    approval_id = await house.asked()
    controller, finance = await house.visitor("controller"), await house.visitor("finance")
    page = plain(await controller.get(f"/approvals/{approval_id}"))
    assert "Hand it to a colleague" in page
    assert "Re-assign it" not in page
    assert "Hand it to a colleague" not in plain(await finance.get(f"/approvals/{approval_id}"))
    sent = await controller.post(f"/approvals/{approval_id}/delegation", data={"to": "p-finance", "comment": "Please"})
    assert sent.headers["location"] == f"/approvals/{approval_id}?said=handed"
    shown = plain(await finance.get(f"/approvals/{approval_id}"))
    assert "Your decision" in shown
    assert "Controller, Finance can decide" in shown
    decided = await finance.post(f"/approvals/{approval_id}/decisions", data={"verdict": "approve", "comment": ""})
    assert decided.headers["location"].endswith("?said=accepted")
    told = plain(await finance.get(f"/approvals/{approval_id}"))
    assert "handed it to a colleague" in told
    assert "approved it for Controller, as delegate of" in told


async def test_what_cannot_be_handed_on_is_said_at_the_field(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor("controller")
    answer = await controller.post(f"/approvals/{approval_id}/delegation", data={"to": "p-billing-admin"})
    assert answer.status_code == 403
    assert "Billing Admin asked for it; nobody decides on their own request." in plain(answer)


async def test_an_administrator_re_assigns_where_nobody_is_here(house: Any) -> None:
    approval_id = await house.asked()
    administrator = await house.visitor("administrator")
    assert "Re-assign it" in plain(await administrator.get(f"/approvals/{approval_id}"))
    given = {"to": "p-cfo", "comment": "On leave"}
    early = await administrator.post(f"/approvals/{approval_id}/reassignment", data=given)
    assert (early.status_code, "Controller is here and can decide" in plain(early)) == (403, True)
    controller = await house.visitor("controller")
    await controller.post("/settings/absence", data={"until": day(house, 3), "delegate": "p-support-nobody"})
    await controller.post("/settings/absence", data={"until": day(house, 3), "delegate": "p-finance"})
    done = await administrator.post(f"/approvals/{approval_id}/reassignment", data=given)
    assert done.headers["location"] == f"/approvals/{approval_id}?said=handed"
    cfo = await house.visitor("cfo")
    assert "Your decision" in plain(await cfo.get(f"/approvals/{approval_id}"))


async def test_whoever_asked_nudges_once_and_reads_when_again(house: Any) -> None:
    approval_id = await house.asked()
    admin = await house.visitor("billing_admin")
    assert "Nudge whoever decides" in plain(await admin.get(f"/approvals/{approval_id}"))
    first = await admin.post(f"/approvals/{approval_id}/nudge")
    assert first.headers["location"] == f"/approvals/{approval_id}?said=nudged"
    again = await admin.post(f"/approvals/{approval_id}/nudge")
    assert (again.status_code, "They were nudged today already" in plain(again)) == (403, True)


async def test_my_absence_is_entered_seen_by_everybody_and_ended(house: Any) -> None:
    controller, finance = await house.visitor("controller"), await house.visitor("finance")
    approval_id = await house.asked()
    empty = await controller.post("/settings/absence", data={"until": "", "delegate": "p-finance"})
    assert empty.status_code == 422
    assert "Write the date like" in plain(empty)
    entered = await controller.post("/settings/absence", data={"until": day(house, 3), "delegate": "p-finance"})
    assert entered.headers["location"] == "/settings/absence?said=away"
    assert "You are away" in plain(await controller.get("/settings/absence"))
    assert "Finance decides in their place" in plain(await finance.get("/settings/people"))
    assert approval_id in (await finance.get("/approvals?tab=mine")).text
    assert "Your decision" in plain(await finance.get(f"/approvals/{approval_id}"))
    back = await controller.post("/settings/absence/return")
    assert back.headers["location"] == "/settings/absence?said=back"
    assert "Your decision" not in plain(await finance.get(f"/approvals/{approval_id}"))
    assert "Finance decides" not in plain(await finance.get("/settings/people"))


async def test_only_administrators_enter_an_absence_of_others(house: Any) -> None:
    sent = {"until": day(house, 3), "delegate": "p-legal", "person": "p-controller"}
    finance, administrator = await house.visitor("finance"), await house.visitor("administrator")
    assert (await finance.post("/settings/absence", data=sent)).status_code == 403
    assert 'name="person"' not in (await finance.get("/settings/absence")).text
    assert 'name="person"' in (await administrator.get("/settings/absence")).text
    assert (await administrator.post("/settings/absence", data=sent)).status_code == 303
    assert (await finance.post("/settings/absence/return", data={"person": "p-controller"})).status_code == 403
    assert (await administrator.post("/settings/absence/return", data={"person": "p-controller"})).status_code == 303


async def test_the_api_does_the_same(house: Any) -> None:
    approval_id = await house.asked()
    controller, finance = await house.caller("controller"), await house.caller("finance")
    administrator, admin = await house.caller("administrator"), await house.caller("billing_admin")
    path = f"/api/v1/approvals/{approval_id}"
    handed = await controller.post(f"{path}/delegation", json={"to": "finance@plixo.example"})
    assert (handed.status_code, handed.json()["answer"]) == (200, "accepted")
    assert (await finance.get(path)).json()["may_decide"] is True
    assert (await admin.post(f"{path}/nudge", json={})).json()["answer"] == "accepted"
    refused = await administrator.post(f"{path}/reassignment", json={"to": "p-administrator", "comment": "Me"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "colleague_self")
    away = await controller.post("/api/v1/absences", json={"last": day(house, 2), "delegate": "p-operator"})
    assert (away.status_code, away.json()["person"]["name"], away.json()["away"]) == (200, "Controller", True)
    loop = await (await house.caller("operator")).post(
        "/api/v1/absences", json={"last": day(house, 2), "delegate": "p-controller"}
    )
    assert (loop.status_code, loop.json()["error"]["code"]) == (422, "absence_loop")
    listed = (await finance.get("/api/v1/absences")).json()["absences"]
    assert [(one["person"]["name"], one["delegate"]["name"]) for one in listed] == [("Controller", "Operator")]
    assert (await controller.post("/api/v1/absences/return", json={})).json()["away"] is False
    assert (await controller.post("/api/v1/absences/return", json={})).status_code == 409


@pytest.mark.parametrize("place", ["/settings/people", "/settings/absence"])
async def test_the_pages_ask_for_a_sign_in(house: Any, place: str) -> None:
    assert (await (await house.visitor()).get(place)).status_code == 303
