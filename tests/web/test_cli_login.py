import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text


async def begun(house: Any) -> tuple[httpx.AsyncClient, dict[str, Any]]:
    client = await house.caller()
    answer = await client.post("/api/v1/logins")
    assert answer.status_code == 201
    return client, answer.json()


async def confirm(visitor: httpx.AsyncClient, code: str) -> httpx.Response:
    return await visitor.post("/cli/confirm", data={"code": code})


async def fetch(client: httpx.AsyncClient, login: dict[str, Any]) -> httpx.Response:
    return await client.post("/api/v1/logins/token", json={"device_code": login["device_code"]})


async def test_a_command_line_is_signed_in_by_whoever_confirms_its_code(house: Any) -> None:
    client, login = await begun(house)
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", login["user_code"])
    waiting = await fetch(client, login)
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (428, "not_confirmed")
    visitor = await house.visitor("legal")
    page = await visitor.get(login["verify_url"])
    assert f'value="{login["user_code"]}"' in page.text
    assert "acts as <strong>Legal</strong>" in page.text
    assert (await fetch(client, login)).status_code == 428
    assert "is signed in" in (await confirm(visitor, login["user_code"].lower().replace("-", " "))).text
    done = await fetch(client, login)
    assert done.json()["person"]["person_id"] == "p-legal"
    me = await client.get("/api/v1/me", headers={"authorization": f"Bearer {done.json()['token']}"})
    assert me.json()["name"] == "Legal"


async def test_a_token_is_handed_out_once(house: Any) -> None:
    client, login = await begun(house)
    await confirm(await house.visitor("legal"), login["user_code"])
    assert (await fetch(client, login)).status_code == 200
    assert (await fetch(client, login)).status_code == 404


async def test_a_code_is_confirmed_once(house: Any) -> None:
    client, login = await begun(house)
    await confirm(await house.visitor("legal"), login["user_code"])
    assert (await confirm(await house.visitor("cfo"), login["user_code"])).status_code == 404
    assert (await fetch(client, login)).json()["person"]["person_id"] == "p-legal"


async def test_a_login_that_nobody_confirms_ends(house: Any) -> None:
    client, login = await begun(house)
    house.clock.ahead = timedelta(minutes=11)
    assert (await confirm(await house.visitor("legal"), login["user_code"])).status_code == 404
    assert (await fetch(client, login)).status_code == 404


async def test_a_login_carries_when_its_person_proved_who_they_are(house: Any) -> None:
    approval_id = await house.asked(amount="10000.01")
    visitor = await house.visitor("controller")
    house.clock.ahead = timedelta(minutes=16)
    client, login = await begun(house)
    await confirm(visitor, login["user_code"])
    token = (await fetch(client, login)).json()["token"]
    answer = await client.post(
        f"/api/v1/approvals/{approval_id}/decisions",
        json={"verdict": "approve"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.json()["error"]["code"] == "fresh_sign_in_needed"


@pytest.mark.parametrize("code", ["", "AAAA", "BCDF-GHJK", "\x00", "<b>", "B" * 5000])
async def test_a_code_that_nobody_waits_under_confirms_nothing(house: Any, code: str) -> None:
    client, login = await begun(house)
    visitor = await house.visitor("legal")
    assert (await visitor.get("/cli/confirm", params={"code": code})).status_code == 200
    answer = await confirm(visitor, code)
    assert answer.status_code == 404
    assert "<b>" not in answer.text
    assert (await fetch(client, login)).status_code == 428


async def test_only_who_is_signed_in_confirms(house: Any) -> None:
    client, login = await begun(house)
    nobody = await house.visitor()
    assert (await confirm(nobody, login["user_code"])).status_code == 303
    asked = await nobody.get(login["verify_url"])
    assert asked.headers["location"] == f"/sign-in?next=/cli/confirm%3Fcode%3D{login['user_code']}"
    assert (await fetch(client, login)).status_code == 428


@pytest.mark.asvs("2.4.1")
async def test_guessing_codes_stops_the_guesser_and_nobody_else(house: Any) -> None:
    guesser, other = await house.visitor("support"), await house.visitor("legal")
    answers = [(await confirm(guesser, "BCDF-GHJK")).status_code for _ in range(12)]
    assert answers[:10] == [404] * 10
    assert answers[10:] == [429, 429]
    client, login = await begun(house)
    assert (await confirm(other, login["user_code"])).status_code == 200
    assert (await fetch(client, login)).status_code == 200


@pytest.mark.asvs("2.4.1")
async def test_asking_too_often_stops_that_login_and_no_other(house: Any) -> None:
    client, login = await begun(house)
    _, other = await begun(house)
    answers = {(await fetch(client, login)).status_code for _ in range(61)}
    assert answers == {428, 429}
    assert (await fetch(client, other)).status_code == 428


@pytest.mark.asvs("6.5.2")
async def test_the_devices_secret_is_kept_by_the_device_alone(house: Any) -> None:
    _, login = await begun(house)
    async with house.staff.desk.ledger.read() as session:
        rows = (await session.execute(text("select * from logins"))).all()
    assert len(rows) == 1
    assert login["device_code"] not in str(rows)
