import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from starlette.responses import Response

from plixo.bootstrap import Staff
from plixo.config import Settings
from plixo.store import people
from web import identity
from web.app import create_app

COOKIE = "plixo-dev"


@pytest.mark.asvs("6.3.6")
@pytest.mark.asvs("6.5.5")
async def test_a_page_sends_whoever_is_not_signed_in_to_the_sign_in_and_back(house: Any) -> None:
    approval_id = await house.asked()
    controller = await house.visitor()
    refused = await controller.get(f"/approvals/{approval_id}")
    assert refused.status_code == 303
    assert refused.headers["location"] == f"/sign-in?next=/approvals/{approval_id}"
    form = await controller.get(refused.headers["location"])
    assert f'name="next" value="/approvals/{approval_id}"' in form.text
    back = await controller.post(
        "/sign-in", data={"person": "p-controller", "next": f"/approvals/{approval_id}"}, follow_redirects=True
    )
    assert "Your decision" in back.text


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/credits", "/credits/new"),
        ("/credits/check", "/credits/new"),
        ("/approvals/CR-X/decisions", "/approvals/CR-X"),
        ("/cli/confirm", "/cli/confirm"),
    ],
)
async def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(house: Any, path: str, back: str) -> None:
    nobody = await house.visitor()
    answer = await nobody.post(path, data={"verdict": "approve"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={back}")


async def test_a_part_of_a_page_asked_for_after_the_session_ended_takes_the_whole_page_to_the_sign_in(
    house: Any,
) -> None:
    nobody = await house.visitor()
    answer = await nobody.get("/approvals?tab=all", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/sign-in?next=/approvals%3Ftab%3Dall")


@pytest.mark.parametrize(
    "next_page",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/sign-out",
        "/\x00approvals",
        " //evil.example",
        "approvals",
        "/x\r\nSet-Cookie: a=b",
        "http:/evil.example",
    ],
)
async def test_the_sign_in_leads_nowhere_else(house: Any, next_page: str) -> None:
    client = await house.visitor()
    answer = await client.post("/sign-in", data={"person": "p-legal", "next": next_page})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/approvals"
    assert "a=b" not in str(answer.headers)


@pytest.mark.asvs("3.3.3")
@pytest.mark.asvs("11.5.1")
async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house: Any) -> None:
    client = await house.visitor()
    answer = await client.post("/sign-in", data={"person": "p-legal"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for flag in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    # 256 bits in base64url.
    assert len(client.cookies[COOKIE]) == 43


@pytest.mark.asvs("3.3.3")
@pytest.mark.parametrize("env", ["dev", "production"])
def test_over_https_the_cookie_is_bound_to_the_host(settings: Settings, env: str) -> None:
    secure = settings.model_copy(update={"env": env, "base_url": "https://plixo.example"})
    page = Response()
    identity.set_cookie(page, secure, "token")
    cookie = page.headers["set-cookie"]
    assert cookie.startswith("__Host-plixo=token;")
    assert "Secure" in cookie
    assert "Path=/;" in cookie


@pytest.mark.asvs("6.5.2")
async def test_no_token_is_kept_only_its_hash(house: Any) -> None:
    client = await house.visitor("legal")
    token = client.cookies[COOKIE]
    async with house.staff.desk.ledger.read() as session:
        rows = (await session.execute(text("select * from sessions"))).all()
    assert len(rows) == 1
    assert token not in str(rows)
    assert re.fullmatch(r"[0-9a-f]{64}", rows[0].token_hash)


async def test_signing_out_ends_the_session_everywhere(house: Any) -> None:
    client = await house.visitor("legal")
    token = client.cookies[COOKIE]
    out = await client.post("/sign-out")
    assert out.headers["location"] == "/sign-in"
    thief = await house.open_client(cookies={COOKIE: token})
    assert (await thief.get("/approvals")).status_code == 303


async def test_a_sign_in_always_gets_a_new_token_and_ends_the_old_one(house: Any) -> None:
    client = await house.visitor("legal")
    before = client.cookies[COOKIE]
    await client.post("/sign-in", data={"person": "p-controller"})
    assert client.cookies[COOKIE] != before
    old = await house.open_client(cookies={COOKIE: before})
    assert (await old.get("/approvals")).status_code == 303


async def test_a_planted_token_signs_nobody_in(house: Any) -> None:
    client = await house.open_client(cookies={COOKIE: "x" * 43})
    assert (await client.get("/approvals")).status_code == 303
    assert (await client.get("/approvals", headers={"cookie": f"{COOKIE}=%00"})).status_code == 303


async def test_a_session_ends_by_itself(house: Any) -> None:
    client = await house.visitor("legal")
    house.clock.ahead = timedelta(hours=11, minutes=59)
    assert (await client.get("/approvals")).status_code == 200
    house.clock.ahead = timedelta(hours=12, seconds=1)
    assert (await client.get("/approvals")).status_code == 303


@pytest.mark.asvs("8.3.2")
async def test_who_has_left_is_signed_out_at_once(house: Any) -> None:
    client = await house.visitor("legal")
    await _leave(house.staff, "p-legal")
    assert (await client.get("/approvals")).status_code == 303
    again = await client.post("/sign-in", data={"person": "p-legal"})
    assert again.status_code == 404


@pytest.mark.parametrize("person", ["", "p-nobody", "\x00", "p-legal' or 1=1"])
async def test_only_people_of_the_directory_sign_in(house: Any, person: str) -> None:
    client = await house.visitor()
    answer = await client.post("/sign-in", data={"person": person})
    assert answer.status_code == 404
    assert COOKIE not in client.cookies


async def test_the_dev_sign_in_works_on_this_machine_alone(house: Any) -> None:
    transport = httpx.ASGITransport(house.app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as far:
        assert (await far.post("/sign-in", data={"person": "p-legal"})).status_code == 403
        assert (await far.post("/api/v1/dev/token", json={"role": "legal"})).status_code == 403
        assert not far.cookies


async def test_production_signs_nobody_in_by_choice(house: Any) -> None:
    settings = house.staff.settings.model_copy(update={"env": "production", "base_url": "https://plixo.example"})
    app = create_app(Staff(settings, house.staff.desk, house.staff.verifier))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://plixo.example") as client:
        shown = await client.get("/sign-in")
        assert "No sign-in is configured" in shown.text
        assert "p-legal" not in shown.text
        assert (await client.post("/sign-in", data={"person": "p-legal"})).status_code == 404
        assert (await client.post("/api/v1/dev/token", json={"role": "legal"})).status_code == 404
        assert (await client.get("/mailbox")).status_code == 404
        assert shown.headers["strict-transport-security"]


async def _leave(staff: Staff, person_id: str) -> None:
    async with staff.desk.ledger.begin() as tx:
        person = (await people.by_ids(tx.session, [person_id]))[person_id]
        await people.add(tx.session, [replace(person, active=False)])
