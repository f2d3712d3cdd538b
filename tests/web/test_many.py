"""What an import asks of the API."""

from typing import Any

import pytest

from plixo.store import approvals
from web.limiting import Lane


async def test_one_of_many_says_so_and_is_kept_as_such(house: Any) -> None:
    admin = await house.caller("billing_admin")
    made = (await admin.post("/api/v1/credits", json=house.form() | {"bulk": True})).json()
    async with house.staff.desk.ledger.read() as session:
        record = await approvals.load(session, made["approval_id"], lock=False)
    assert record
    assert record.bulk


async def test_which_of_ones_own_ids_were_used_is_told_at_once(house: Any) -> None:
    admin, other = await house.caller("billing_admin"), await house.caller("controller")
    form = house.form()
    made = (await admin.post("/api/v1/credits", json=form)).json()
    asked = {"request_ids": [form["request_id"], f"{house.tag}-never", form["request_id"]]}
    found = (await admin.post("/api/v1/credits/known", json=asked)).json()
    assert found == {
        "known": [
            {
                "request_id": form["request_id"],
                "approval_id": made["approval_id"],
                "state": "waiting",
                "state_text": "Waiting on Controller",
                "path": ["Controller"],
            },
        ],
    }
    assert (await other.post("/api/v1/credits/known", json=asked)).json() == {"known": []}


@pytest.mark.parametrize("ids", [["a\0b"], [""], ["x" * 101], ["a"] * 501, "a"])
async def test_ids_that_are_none_are_refused(house: Any, ids: Any) -> None:
    admin = await house.caller("billing_admin")
    assert (await admin.post("/api/v1/credits/known", json={"request_ids": ids})).status_code == 422


async def test_when_too_many_wait_one_of_many_is_told_when_to_come_back_and_others_go_on(house: Any) -> None:
    admin = await house.caller("billing_admin")
    house.app.state.lane, before = Lane(1, waiting=-1), house.app.state.lane
    many = await admin.post("/api/v1/credits", json=house.form() | {"bulk": True})
    assert (many.status_code, many.headers["retry-after"]) == (429, "1")
    assert many.json()["error"]["code"] == "too_many_tries"
    preview = await admin.post("/api/v1/credits/preview", json=house.form() | {"bulk": True})
    assert preview.status_code == 429
    assert (await admin.post("/api/v1/credits", json=house.form())).status_code == 201
    house.app.state.lane = before
