from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.web.test_several import NEVER_MADE, stored

HERE = "/api/v1/decisions"


async def look(caller: httpx.AsyncClient, verdict: str, *ids: str) -> Any:
    answer = await caller.post(f"{HERE}/check", json={"verdict": verdict, "approval_ids": ids})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def decide(caller: httpx.AsyncClient, verdict: str, rows: Any, comment: str = "") -> httpx.Response:
    return await caller.post(HERE, json={"verdict": verdict, "comment": comment, "rows": rows})


async def test_several_are_checked_decided_and_told_apart(house: Any) -> None:
    one, two = await house.asked(request_id="a", amount="900.00"), await house.asked(request_id="b", amount="700.00")
    own = await house.asked("controller", request_id="c", reason="goodwill")
    controller = await house.caller("controller")
    seen = await look(controller, "approve", one, own, two, NEVER_MADE)
    assert seen["verdict"] == "approve"
    assert seen["sums"] == [{"amount": "1600.00", "amount_minor": 160_000, "currency": "USD"}]
    assert [(row["approval"]["approval_id"], row["then"]) for row in seen["decidable"]] == [
        (one, "It is applied in Stripe at once."),
        (two, "It is applied in Stripe at once."),
    ]
    assert [(left["approval_id"], left["fresh_sign_in_needed"]) for left in seen["left_out"]] == [
        (own, False),
        (NEVER_MADE, False),
    ]
    assert seen["left_out"][0]["why"].startswith("Nobody decides on their own request")
    assert seen["left_out"][1]["approval"] is None
    rows = [row["shown"] for row in seen["decidable"]]
    assert await stored(house, one) == []
    answer = await decide(controller, "approve", [*rows, {**rows[0], "approval_id": own}])
    assert answer.status_code == 200
    told = answer.json()
    assert told["all_decided"] is False
    assert [(row["approval_id"], row["answer"], row["code"]) for row in told["outcomes"]] == [
        (one, "accepted", ""),
        (two, "accepted", ""),
        (own, "conflict", "decision_out_of_date"),
    ]
    assert [row["approval"] and row["approval"]["state"] for row in told["outcomes"]] == ["executed", "executed", None]
    again = (await decide(controller, "approve", rows)).json()
    assert again["all_decided"] is True
    assert await stored(house, one) == [("p-controller", "approve", "recorded")]


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize("changed", [{"round": 1}, {"digest": "0" * 64}, {"amount_minor": 1}], ids=str)
async def test_a_row_that_says_something_else_than_what_stands_is_not_decided(
    house: Any, changed: dict[str, Any]
) -> None:
    approval_id = await house.asked()
    controller = await house.caller("controller")
    (row,) = [one["shown"] for one in (await look(controller, "approve", approval_id))["decidable"]]
    told = (await decide(controller, "approve", [row | changed])).json()
    assert (told["all_decided"], told["outcomes"][0]["answer"]) == (False, "conflict")
    assert await stored(house, approval_id) == []


@pytest.mark.asvs("7.5.3")
async def test_large_amounts_need_a_fresh_token(house: Any) -> None:
    approval_id = await house.asked(amount="10000.01")
    controller = await house.caller("controller")
    rows = [one["shown"] for one in (await look(controller, "reject", approval_id))["decidable"]]
    house.clock.ahead = timedelta(minutes=16)
    (left,) = (await look(controller, "reject", approval_id))["left_out"]
    assert left["fresh_sign_in_needed"] is True
    (outcome,) = (await decide(controller, "reject", rows, "No.")).json()["outcomes"]
    assert outcome["code"] == "fresh_sign_in_needed"


async def test_a_rejection_without_a_comment_rejects_none(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.caller("controller")
    rows = [one["shown"] for one in (await look(controller, "reject", approval_id))["decidable"]]
    answer = await decide(controller, "reject", rows)
    assert (answer.status_code, answer.json()["error"]["fields"][0]["field"]) == (403, "comment")
    assert await stored(house, approval_id) == []


ROW = {"approval_id": NEVER_MADE, "round": 0, "digest": "0" * 64, "amount_minor": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "approve", "rows": []},
        {"verdict": "approve", "rows": [ROW] * 51},
        {"verdict": "withdraw", "rows": [ROW]},
        {"verdict": "approve", "rows": [{**ROW, "round": -1}]},
        {"verdict": "approve", "rows": [{**ROW, "digest": "x"}]},
        {"verdict": "approve", "rows": [{**ROW, "amount_minor": -1}]},
        {"verdict": "approve", "rows": [{**ROW, "approval_id": "x"}]},
        {"verdict": "approve", "rows": [{"approval_id": NEVER_MADE}]},
        {"verdict": "approve", "rows": [{**ROW, "more": 1}]},
        {"verdict": "approve", "rows": [ROW, {**ROW, "round": 1}]},
    ],
    ids=["none", "many", "verdict", "round", "digest", "amount", "id", "not shown", "a field more", "twice"],
)
async def test_what_has_another_shape_is_refused(house: Any, body: dict[str, Any]) -> None:
    controller = await house.caller("controller")
    assert (await controller.post(HERE, json=body)).status_code == 422


@pytest.mark.parametrize("ids", [[], ["x"], ["\x00"], [NEVER_MADE] * 51], ids=["none", "no id", "NUL", "many"])
async def test_ids_that_are_none_are_refused(house: Any, ids: list[str]) -> None:
    controller = await house.caller("controller")
    answer = await controller.post(f"{HERE}/check", json={"verdict": "approve", "approval_ids": ids})
    assert answer.status_code == 422


async def test_nobody_decides_without_a_token(house: Any) -> None:
    nobody = await house.caller()
    assert (await decide(nobody, "approve", [ROW])).status_code == 401
    assert (await nobody.post(f"{HERE}/check", json={})).status_code == 401
