import logging
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from web.middleware import MAX_BODY

SAFE_PAGES = ["/approvals", "/sign-in", "/nope", "/api/v1/me", "/static/plixo.css", "/livez", "/credits/new"]


@pytest.mark.asvs("3.4.5")
@pytest.mark.asvs("14.3.2")
@pytest.mark.parametrize("path", SAFE_PAGES)
async def test_every_answer_carries_the_headers(house: Any, path: str) -> None:
    client = await house.visitor("controller")
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 16


async def test_no_page_has_an_inline_script_or_style(house: Any) -> None:
    approval_id = await house.asked()
    client = await house.visitor("controller")
    pages = ["/sign-in", "/approvals", f"/approvals/{approval_id}", "/credits/new", "/customers", "/invoices", "/audit"]
    for path in pages:
        html = (await client.get(path)).text
        assert "<style" not in html
        assert " style=" not in html
        assert "<script>" not in html
        assert " onclick" not in html
        assert "http://" not in html.replace("http://127.0.0.1", "")
        assert "https://" not in html


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://other.127.0.0.1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_post_from_another_site_changes_nothing(house: Any, headers: dict[str, str]) -> None:
    approval_id = await house.asked()
    client = await house.visitor("controller")
    for path in (f"/approvals/{approval_id}/decisions", "/sign-out", "/credits", "/sign-in", "/api/v1/dev/token"):
        answer = await client.post(path, data={"verdict": "approve", "role": "cfo"}, headers=headers)
        assert answer.status_code == 403, path
    assert (await client.get("/approvals")).status_code == 200
    assert "Your decision" in (await client.get(f"/approvals/{approval_id}")).text


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:8321"},
        {},
    ],
)
async def test_a_post_from_the_console_itself_passes(house: Any, headers: dict[str, str]) -> None:
    client = await house.visitor("controller")
    assert (await client.post("/sign-out", headers=headers)).status_code == 303


@pytest.mark.asvs("3.5.3")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_safe_methods_change_nothing(house: Any, method: str) -> None:
    approval_id = await house.asked()
    client = await house.visitor("controller")
    for path in (f"/approvals/{approval_id}/decisions", f"/approvals/{approval_id}/withdrawal", "/sign-out"):
        answer = await client.request(method, path, params={"verdict": "approve"})
        assert answer.status_code == 405, path
    assert "Your decision" in (await client.get(f"/approvals/{approval_id}")).text


@pytest.mark.asvs("3.5.3")
async def test_head_is_answered_as_get_would_be_without_the_body(house: Any) -> None:
    client = await house.visitor("controller")
    for path in [*SAFE_PAGES, "/readyz"]:
        page, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (page.status_code, b""), path
        names = {"content-type", "content-security-policy", "cache-control", "content-length"}
        assert {name: head.headers.get(name) for name in names} == {name: page.headers.get(name) for name in names}
    assert (await client.head("/sign-in/callback?code=1&state=2")).status_code == 405, "an answer counts once"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8321", "", "[", "localhost@evil.example"])
async def test_a_foreign_name_for_this_address_is_turned_away(house: Any, host: str) -> None:
    """A page of another site whose name was pointed here would otherwise be of the same origin."""
    client = await house.open_client()
    for path in ("/sign-in", "/api/v1/dev/token"):
        answer = await client.post(path, data={"person": "p-cfo"}, headers={"host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8321", "LOCALHOST"])
async def test_every_name_of_this_machine_will_do_in_dev(house: Any, host: str) -> None:
    client = await house.open_client()
    assert (await client.get("/sign-in", headers={"host": host})).status_code == 200


async def test_a_body_without_end_is_cut_off(house: Any) -> None:
    client = await house.visitor("billing_admin")
    told = await client.post("/credits", content=b"note=" + b"x" * MAX_BODY, headers={"content-type": _FORM})
    assert told.status_code == 413

    async def chunks() -> Any:
        yield b"note="
        for _ in range(40):
            yield b"x" * (MAX_BODY // 32)

    untold = await client.post("/credits", content=chunks(), headers={"content-type": _FORM})
    assert untold.status_code == 413
    api = await house.caller("billing_admin")
    untold = await api.post("/api/v1/credits", content=chunks(), headers={"content-type": "application/json"})
    assert untold.status_code == 413
    assert untold.json()["error"]["code"] == "body_too_long"


_FORM = "application/x-www-form-urlencoded"


@pytest.mark.asvs("16.5.1")
@pytest.mark.parametrize("path", ["/approvals", "/api/v1/approvals"])
async def test_a_failure_tells_nothing_but_an_id(
    house: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    client = await house.visitor("controller")
    caller = await house.caller("controller")
    client.headers["authorization"] = caller.headers["authorization"]

    async def broken(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("plixo.store.inbox.find", broken)
    with caplog.at_level(logging.ERROR):
        answer = await client.get(path)
    assert answer.status_code == 500
    assert "the secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_an_address_that_leads_nowhere_says_so_in_the_house_style(house: Any) -> None:
    client = await house.visitor("controller")
    for path in ("/nope", "/static/nope.css", "/approvals/CR-nope", "/customers/nope", "/invoices/nope", "/mailbox/x"):
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert "Nothing here" in answer.text
        assert answer.headers["x-request-id"] in answer.text


@pytest.mark.asvs("16.5.3")
async def test_without_its_database_it_says_so(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await house.visitor("controller")
    caller = await house.caller("controller")

    async def away(*_: object) -> None:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr("plixo.store.sessions.load", away)
    page = await client.get("/approvals")
    assert page.status_code == 503
    assert "database cannot be reached" in page.text
    answer = await caller.get("/api/v1/me")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "database_unavailable"


async def test_health_says_which_part_is_away(house: Any) -> None:
    client: httpx.AsyncClient = await house.open_client()
    assert (await client.get("/livez")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"] == {"database": "ok", "temporal": "ok"}
    house.temporal.away = True
    away = await client.get("/readyz", headers={"host": "10.0.0.7:8321"})
    assert away.status_code == 503
    assert away.json()["parts"] == {"database": "ok", "temporal": "cannot be reached"}
