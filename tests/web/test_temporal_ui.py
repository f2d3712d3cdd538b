import asyncio
import base64
import hashlib
import json
import logging
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from plixo.config import Settings
from plixo.domain.people import Group
from plixo.store import audit
from tests.web.temporal_ui import ADDRESS, PAGE, SCRIPT, SETTINGS, PlayedUi
from web.middleware import MAX_BODY

CALLS = "/temporal/api/v1"
SOMEBODY = f"{CALLS}/namespaces/default/workflows/credit%2FCR-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
QUERY = f"{SOMEBODY}/query/__temporal_workflow_metadata"
READERS = [group.value for group in Group if group is not Group.SUPPORT]
WRITES = [
    ("POST", f"{SOMEBODY}/terminate"),
    ("POST", f"{SOMEBODY}/cancel"),
    ("POST", f"{SOMEBODY}/signal/submit_decision"),
    ("POST", f"{SOMEBODY}/reset"),
    ("POST", f"{SOMEBODY}/update/decide"),
    ("POST", f"{CALLS}/namespaces/default/batch-operations/b-1"),
    ("PUT", f"{CALLS}/namespaces/default/schedules/s-1"),
    ("PATCH", f"{CALLS}/namespaces/default/schedules/s-1"),
    ("DELETE", f"{CALLS}/namespaces/default/schedules/s-1"),
    ("POST", f"{CALLS}/namespaces/query/x"),
    ("POST", f"{CALLS}/namespaces/default/query/x"),
    ("POST", f"{CALLS}/namespaces/default/activities-deprecated/pause"),
    ("PUT", QUERY),
    ("POST", f"{SOMEBODY}/query/a/terminate"),
]


@pytest.fixture
def ui(house: Any) -> PlayedUi:
    return PlayedUi().beside(house)


# --- who


@pytest.mark.asvs("8.2.2")
async def test_who_may_see_every_request_may_look(house: Any, ui: PlayedUi) -> None:
    for role in READERS:
        visitor = await house.visitor(role)
        assert "<title>UI</title>" in (await visitor.get("/temporal/namespaces/default/workflows")).text, role
        assert (await visitor.get(f"{SOMEBODY}/history?execution.runId=r")).json()["asked"], role
        assert (await visitor.post(QUERY, content="{}")).status_code == 200, role
    assert [request.method for request in ui.asked] == ["GET", "GET", "POST"] * 7


@pytest.mark.asvs("8.2.2")
async def test_who_may_not_see_every_request_finds_nothing_there(house: Any, ui: PlayedUi) -> None:
    visitor = await house.visitor("support")
    for method, path in [("GET", "/temporal"), ("GET", "/temporal/"), ("GET", SOMEBODY), ("POST", QUERY), *WRITES]:
        answer = await visitor.request(method, path)
        assert answer.status_code == 404, path
    assert ui.asked == []


async def test_nobody_is_sent_to_sign_in_and_then_back(house: Any, ui: PlayedUi) -> None:
    visitor = await house.visitor()
    page = await visitor.get("/temporal/namespaces/default/workflows?query=x")
    assert page.status_code == 303
    assert page.headers["location"] == "/sign-in?next=/temporal/namespaces/default/workflows%3Fquery%3Dx"
    one = await visitor.get("/temporal/namespaces/default/workflows/credit%2FCR-1")
    then = await visitor.post(
        "/sign-in", data={"person": "p-operator", "next": httpx.URL(one.headers["location"]).params["next"]}
    )
    assert then.headers["location"] == "/temporal/namespaces/default/workflows/credit%2FCR-1"
    visitor = await house.visitor()
    for path in (SOMEBODY, "/temporal/_app/immutable/x.js"):
        call = await visitor.get(path)
        assert call.status_code == 401
        assert call.json()["error"]["code"] == "unauthenticated"
    for method, path in WRITES:
        assert (await visitor.request(method, path)).status_code == 401
    assert ui.asked == []


async def test_a_token_of_the_command_line_opens_nothing_here(house: Any, ui: PlayedUi) -> None:
    caller = await house.caller("operator")
    assert (await caller.get("/temporal/")).status_code == 303
    assert ui.asked == []


async def test_a_page_whose_sign_in_has_ended_leads_back_to_where_it_was(house: Any, ui: PlayedUi) -> None:
    visitor = await house.visitor("operator")
    back = await visitor.get("/temporal/login", params={"returnUrl": "http://127.0.0.1:8321/temporal/namespaces/a?b=c"})
    assert (back.status_code, back.headers["location"]) == (303, "/temporal/namespaces/a?b=c")
    for elsewhere in ("https://evil.example/", "//evil.example/x", "/approvals", "", "javascript:alert(1)", "http://["):
        away = await visitor.get("/temporal/login", params={"returnUrl": elsewhere})
        assert away.headers["location"] == "/temporal", elsewhere
    assert ui.asked == []


async def test_where_no_temporal_ui_is_named_there_is_none(house: Any) -> None:
    visitor = await house.visitor("operator")
    for path in ("/temporal", "/temporal/", f"{CALLS}/settings"):
        assert (await visitor.get(path)).status_code == 404
    assert "/temporal" not in (await visitor.get("/approvals")).text


async def test_the_menu_leads_operators_there(house: Any, ui: PlayedUi) -> None:
    for role in (group.value for group in Group):
        page = (await (await house.visitor(role)).get("/approvals")).text
        assert ('href="/temporal"' in page) is (role == "operator"), role
    assert ui.asked == []


# --- who changes something


@pytest.mark.asvs("8.2.2")
async def test_only_operators_change_something(house: Any, ui: PlayedUi) -> None:
    for role in READERS:
        visitor = await house.visitor(role)
        for method, path in WRITES:
            answer = await visitor.request(method, path, content='{"reason": "stuck"}')
            assert answer.status_code == (200 if role == "operator" else 403), (role, method, path)
            assert role == "operator" or answer.json()["error"]["code"] == "not_operator"
    assert [(request.method, request.url.raw_path.decode()) for request in ui.asked] == WRITES
    assert {request.content for request in ui.asked} == {b'{"reason": "stuck"}'}


@pytest.mark.asvs("16.3.2")
async def test_a_change_leaves_a_name_in_the_requests_history_and_in_the_log(
    house: Any, ui: PlayedUi, caplog: pytest.LogCaptureFixture
) -> None:
    approval_id = await house.asked()
    path = f"{CALLS}/namespaces/default/workflows/credit%2F{approval_id}/signal/submit_decision"
    with caplog.at_level(logging.WARNING, "web.temporal.proxy"):
        await (await house.visitor("operator")).post(path, content="{}")
        await (await house.visitor("cfo")).post(path, content="{}")
    async with house.staff.desk.ledger.read() as session:
        chain = await audit.lines(session, approval_id)
    told = [(line.event, line.actor, line.detail) for line in chain][-2:]
    asked = {"asked": "POST signal/submit_decision"}
    assert told == [("operated", "p-operator", asked), ("operation_refused", "p-cfo", asked)]
    assert audit.first_break(chain) is None
    assert f"p-operator asks Temporal for POST {path}" in caplog.text
    assert f"p-cfo may not ask Temporal for POST {path}" in caplog.text
    assert len(ui.asked) == 1
    page = (await (await house.visitor("finance")).get(f"/approvals/{approval_id}")).text
    assert "asked Temporal by hand for POST signal/submit_decision" in page


@pytest.mark.asvs("16.3.2")
async def test_a_change_to_several_is_in_the_history_of_each(house: Any, ui: PlayedUi) -> None:
    """Batches and activities are named in the body; ids that belong to no request, and those of no shape, are not."""
    asked = [await house.asked(request_id=f"r-{number}") for number in (1, 2)]
    executions = [{"workflowId": f"credit/{approval_id}"} for approval_id in [*asked, asked[0], "CR-" + "A" * 26]]
    path = f"{CALLS}/namespaces/default/batch-operations/b-1"
    operator = await house.visitor("operator")
    body = {"executions": executions, "terminationOperation": {"identity": "me"}}
    assert (await operator.post(path, json=body)).status_code == 200
    async with house.staff.desk.ledger.read() as session:
        told = [line for line in await audit.lines(session) if line.event == "operated"]
    assert sorted(line.approval_id for line in told) == sorted(asked)
    assert [line.detail["asked"] for line in told] == ["POST batch-operations/b-1"] * 2
    assert len(ui.asked) == 1
    crowd = [f"CR-{base64.b32encode(number.to_bytes(16, 'big')).decode()[:26]}" for number in range(501)]
    assert (await operator.post(path, json=crowd)).status_code == 422
    assert len(ui.asked) == 1


@pytest.mark.asvs("16.3.2")
async def test_no_spelling_of_an_id_hides_whom_a_change_is_about(house: Any, ui: PlayedUi) -> None:
    """Temporal reads the first JSON value of a body, however its letters are escaped and whatever comes after it."""
    approval_id = await house.asked()
    escaped = "".join(f"\\u{ord(letter):04X}" for letter in approval_id)
    bodies = [
        f'{{"workflowId": "credit/{escaped}"}}',
        f'{{"workflowId": "credit\\u002f{approval_id}"}}',
        f'{{"workflowId": "credit\\/\\u0043{approval_id[1:]}"}} and more',
        f'{{"deep": {"[" * 5000}{"]" * 5000}, "workflowId": "credit/{escaped.lower()}"}}',
    ]
    operator = await house.visitor("operator")
    for number, body in enumerate(bodies, 1):
        await operator.post(f"{CALLS}/namespaces/default/batch-operations/b-{number}", content=body)
        async with house.staff.desk.ledger.read() as session:
            chain = await audit.lines(session, approval_id)
        assert [line.event for line in chain].count("operated") == number, body[:80]
    assert len(ui.asked) == len(bodies)


async def test_a_look_leaves_nothing(house: Any, ui: PlayedUi) -> None:
    approval_id = await house.asked()
    workflow = f"{CALLS}/namespaces/default/workflows/credit%2F{approval_id}"
    operator = await house.visitor("operator")
    assert (await operator.get(f"{workflow}/history")).status_code == 200
    assert (await operator.post(f"{workflow}/query/x")).status_code == 200
    async with house.staff.desk.ledger.read() as session:
        events = {line.event for line in await audit.lines(session, approval_id)}
    assert not events & {"operated", "operation_refused"}
    assert len(ui.asked) == 2


@pytest.mark.asvs("16.5.3")
async def test_a_change_that_cannot_be_kept_is_not_made(
    house: Any, ui: PlayedUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await house.visitor("operator")

    async def away(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Exception("gone"))

    monkeypatch.setattr("web.temporal.proxy.note_operation", away)
    assert (await operator.post(f"{SOMEBODY}/terminate")).status_code == 503
    assert ui.asked == []


async def test_those_who_may_only_look_are_offered_nothing_else(house: Any, ui: PlayedUi) -> None:
    assert (await (await house.visitor("operator")).get(f"{CALLS}/settings")).json() == SETTINGS
    seen = (await (await house.visitor("controller")).get(f"{CALLS}/settings")).json()
    assert seen == {**SETTINGS, "DisableWriteActions": True}
    ui.answering = lambda _request: httpx.Response(200, text="[1]", headers={"content-type": "application/json"})
    assert (await (await house.visitor("controller")).get(f"{CALLS}/settings")).status_code == 503


@pytest.mark.asvs("3.5.1")
async def test_a_post_from_another_site_goes_no_further(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for headers in (
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://other.127.0.0.1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        for method, path in [*WRITES, ("POST", QUERY)]:
            assert (await operator.request(method, path, headers=headers)).status_code == 403, (headers, path)
    assert ui.asked == []


@pytest.mark.asvs("3.5.3")
async def test_nothing_else_takes_anything_but_get(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for path in ("/temporal", "/temporal/", "/temporal/namespaces/default/workflows", "/temporal/api/x"):
        assert (await operator.post(path)).status_code == 405, path
    for method in ("OPTIONS", "TRACE", "CONNECT"):
        assert (await operator.request(method, SOMEBODY)).status_code == 405, method
    assert ui.asked == []


# --- where it leads


OUT = [
    "/temporal/../approvals",
    "/temporal/%2e%2e/approvals",
    "/temporal/%2E%2E%2Fapprovals",
    "/temporal/..%2f..%2fetc/passwd",
    "/temporal/%252e%252e/x",
    "/temporal/%25252e%25252e/x",
    "/temporal/a/./b",
    "/temporal/..%5c..%5cx",
    "/temporal/x%5c..%5cy",
    "/temporal/api/v1/%2e%2e/%2e%2e/x",
    "/temporal/%00",
    "/temporal/a%0d%0aHost:%20evil.example",
]


@pytest.mark.asvs("1.3.6")
async def test_an_address_that_leads_out_leads_nowhere(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    token = operator.cookies["plixo-dev"]
    for path in OUT:
        assert await status_of_exactly(house.app, path, token) == 404, path
    assert ui.asked == []
    assert await status_of_exactly(house.app, "/temporal/a", token) == 200


FRAMES = [
    "/temporal/temporal/render?content=x",
    "/temporal/temporal",
    "/temporal/temporal/",
    "/temporal/temporal/render/",
    "/temporal//temporal/render",
    "/temporal/%74emporal/render",
    "/temporal/%2574emporal/render",
    "/temporal%2Ftemporal/render",
    "/temporal/temporal%2Frender",
    "/temporal/%2Ftemporal//render",
    "/temporal/%5Ctemporal%5Crender",
]


@pytest.mark.asvs("1.3.6")
async def test_nobody_asks_for_the_frame_by_its_inner_address(house: Any, ui: PlayedUi) -> None:
    """It prints what its address holds as markup: as one of the pages, it would have that let in by its hash."""
    operator = await house.visitor("operator")
    token = operator.cookies["plixo-dev"]
    for path in FRAMES:
        assert await status_of_exactly(house.app, path, token) == 404, path
    assert ui.asked == []
    assert (await operator.get("/temporal/namespaces/temporal")).status_code == 200
    assert (await operator.get("/temporal/render?content=x")).status_code == 200


async def status_of_exactly(app: Any, path: str, token: str) -> int:
    """With the path as it is written; a client would tidy it up."""
    headers = [(b"host", b"127.0.0.1:8321"), (b"cookie", f"plixo-dev={token}".encode())]
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "headers": headers}
    plain, _, query = path.partition("?")
    where = {"path": unquote(plain), "raw_path": plain.encode(), "query_string": query.encode(), "root_path": ""}
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app({**scope, **where}, receive, send)
    return int(said[0]["status"])


WITHIN = [
    "/temporal//evil.example/x",
    "/temporal/@evil.example/",
    "/temporal/http://evil.example/",
    "/temporal/https:%2F%2Fevil.example",
    "/temporal/x?url=http://evil.example/&host=evil.example",
    "/temporal/:9000/x",
    "/temporal/;evil.example",
    "/temporal/namespaces/default/workflows/credit%2FCR-1/run",
]


@pytest.mark.asvs("1.3.6")
async def test_every_address_below_it_leads_to_the_one_that_is_configured(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for path in WITHIN:
        assert (await operator.get(path)).status_code == 200, path
    assert ui.targets == [path.encode() for path in WITHIN]
    for request in ui.asked:
        assert f"{request.url.scheme}://{request.headers['host']}" == ADDRESS
        assert (request.url.host, request.url.port) == ("temporal-ui.internal", 8080)


async def test_a_foreign_host_goes_no_further(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for headers in ({"host": "evil.example"}, {"host": "temporal-ui.internal:8080"}):
        assert (await operator.get("/temporal/", headers=headers)).status_code == 421
    assert ui.asked == []
    await operator.get("/temporal/", headers={"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"})
    assert ui.asked[0].headers["host"] == "temporal-ui.internal:8080"


@pytest.mark.asvs("1.3.6")
async def test_a_redirect_is_neither_followed_nor_handed_on(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for where in ("http://evil.example/", "/temporal/", "//evil.example", ""):
        ui.answering = partial(redirecting, where)
        answer = await operator.get("/temporal/x")
        assert answer.status_code == 503, where
        assert "location" not in answer.headers, where
    assert len(ui.asked) == 4


def redirecting(where: str, _request: httpx.Request) -> httpx.Response:
    return httpx.Response(308, headers={"location": where})


async def test_what_is_not_modified_is_not_a_redirect(house: Any, ui: PlayedUi) -> None:
    ui.answering = lambda _request: httpx.Response(304, headers={"etag": '"1"'})
    operator = await house.visitor("operator")
    answer = await operator.get("/temporal/_app/version.json", headers={"if-none-match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (304, '"1"')
    assert ui.asked[0].headers["if-none-match"] == '"1"'


# --- what goes along, and what comes back


async def test_nothing_of_ours_goes_along(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    more = {"authorization": "Bearer x", "x-forwarded-for": "10.0.0.1", "x-http-method-override": "DELETE"}
    more |= {"te": "trailers", "upgrade": "websocket", "connection": "upgrade, caller-type", "grpc-metadata-x": "y"}
    more |= {"accept": "application/json", "caller-type": "operator", "content-type": "text/plain", "referer": "x"}
    for _ in range(2):  # whatever cookies it sets the first time are not sent the second time
        await operator.post(f"{SOMEBODY}/cancel", content="{}", headers=more)
    for request in ui.asked:
        token = request.headers["x-csrf-token"]
        assert request.headers["cookie"] == f"_csrf={token}"
        assert len(token) == 32
        assert set(request.headers) == {
            *("host", "accept", "accept-encoding", "caller-type", "content-type", "content-length"),
            *("cookie", "x-csrf-token"),
        }  # fmt: skip
    assert ui.asked[0].headers["cookie"] != ui.asked[1].headers["cookie"]


@pytest.mark.asvs("3.4.3")
async def test_nothing_of_theirs_comes_back_but_the_answer(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    cookies = dict(operator.cookies)
    for path in ("/temporal/", f"{CALLS}/settings", SOMEBODY, "/temporal/_app/immutable/a.js"):
        answer = await operator.get(path)
        assert answer.status_code == 200
        assert not {"set-cookie", "access-control-allow-origin", "x-frame-options"} & set(answer.headers), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert dict(operator.cookies) == cookies
    assert len(ui.asked) == 4


@pytest.mark.asvs("3.4.3")
async def test_its_pages_run_their_own_script_and_no_other(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    page = await operator.get("/temporal/")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["connect-src"] == policy["frame-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert f"<script>{SCRIPT}</script>" in page.text
    for ours in ("/approvals", "/sign-in", "/nope"):
        assert "unsafe" not in (await operator.get(ours)).headers["content-security-policy"], ours
    assert len(ui.asked) == 1


async def test_no_data_becomes_a_page(house: Any, ui: PlayedUi) -> None:
    ui.answering = lambda _request: httpx.Response(200, html="<script>alert(1)</script>")
    answer = await (await house.visitor("operator")).get(SOMEBODY)
    assert "sha256" not in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_its_pages_lead_back_to_the_console(house: Any, ui: PlayedUi) -> None:
    page = (await (await house.visitor("operator")).get("/temporal/")).text
    assert '<a class="back-to-plixo" href="/approvals">' in page
    assert page.replace("<link", "").count("<script") == PAGE.count("<script")
    assert (await (await house.visitor()).get("/static/temporal.css")).status_code == 200
    assert len(ui.asked) == 1


async def test_a_summary_is_framed_under_a_policy_that_lets_nothing_run(house: Any, ui: PlayedUi) -> None:
    """Temporal UI looks for it at another address than its pages ask for, once it has a public path."""
    theirs = "default-src 'none'; frame-ancestors 'self'; sandbox allow-same-origin"
    ui.answering = lambda _request: httpx.Response(200, html="<p>x</p>", headers={"content-security-policy": theirs})
    operator = await house.visitor("operator")
    frame = await operator.get("/temporal/render?content=Credit%201%2C200.00%20USD&theme=light")
    assert ui.targets == [b"/temporal/temporal/render?content=Credit%201%2C200.00%20USD&theme=light"]
    assert frame.headers["content-security-policy"] == theirs
    assert "back-to-plixo" not in frame.text
    ui.answering = None
    bare = await operator.get("/temporal/render?content=x")
    assert bare.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.asvs("3.4.3")
async def test_a_page_with_a_policy_of_its_own_has_no_script_let_in(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for theirs in ("default-src 'none'; sandbox", ""):
        said = {"content-security-policy": theirs}
        ui.answering = lambda _request, said=said: httpx.Response(200, html=PAGE, headers=said)
        policy = (await operator.get("/temporal/x")).headers["content-security-policy"]
        assert policy.startswith(theirs), theirs
        assert "script-src 'self';" in policy, theirs
        assert "sha256" not in policy, theirs
        frame = (await operator.get("/temporal/render")).headers["content-security-policy"]
        assert frame == (theirs or "default-src 'none'")


async def test_scripts_are_kept_and_data_is_not(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    kept = await operator.get("/temporal/_app/immutable/chunks/a.js")
    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    for path in ("/temporal/", SOMEBODY, f"{CALLS}/settings", "/temporal/_app/version.json"):
        assert (await operator.get(path)).headers["cache-control"] == "no-store", path
    ui.answering = lambda _request: httpx.Response(404)
    assert (await operator.get("/temporal/_app/immutable/b.js")).headers["cache-control"] == "no-store"


async def test_what_is_packed_stays_packed_for_those_who_can_read_it(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    await operator.get(SOMEBODY, headers={"accept-encoding": "gzip, br"})
    await operator.get(SOMEBODY, headers={"accept-encoding": "br"})
    assert [request.headers["accept-encoding"] for request in ui.asked] == ["gzip", "identity"]


# --- bounds and failures


async def test_a_body_without_end_goes_no_further(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    assert (await operator.post(f"{SOMEBODY}/signal/x", content=b"x" * (MAX_BODY + 1))).status_code == 413

    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * (MAX_BODY // 32)

    assert (await operator.post(f"{SOMEBODY}/signal/x", content=chunks())).status_code == 413
    assert ui.asked == []


async def test_an_answer_that_is_too_long_is_not_handed_on(
    house: Any, ui: PlayedUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.temporal.answering.MAX_ANSWER", 1000)
    monkeypatch.setattr("web.temporal.answering.MAX_PAGE", 100)
    operator = await house.visitor("operator")
    ui.answering = lambda _request: httpx.Response(200, content=b"x" * 1001)
    assert (await operator.get(SOMEBODY)).status_code == 503
    ui.answering = lambda _request: httpx.Response(200, html="x" * 101)
    assert (await operator.get("/temporal/")).status_code == 503

    async def endless() -> Any:
        while True:
            yield b"x" * 400

    ui.answering = lambda _request: httpx.Response(200, content=endless())
    async with operator.stream("GET", SOMEBODY) as answer:
        got = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert len(got) <= 1000


@pytest.mark.asvs("16.5.1")
async def test_without_temporal_ui_it_says_so_and_no_more(house: Any, ui: PlayedUi) -> None:
    operator = await house.visitor("operator")
    for failure in (httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError):
        ui.answering = partial(broken, failure)
        page, call = await operator.get("/temporal/"), await operator.get(SOMEBODY)
        assert page.status_code == call.status_code == 503
        assert "Temporal UI cannot be reached" in page.text
        assert call.json()["error"]["code"] == "temporal_ui_unavailable"
        assert "internal" not in page.text + call.text


def broken(failure: type[httpx.HTTPError], _request: httpx.Request) -> httpx.Response:
    raise failure("at temporal-ui.internal")


async def test_one_reader_cannot_take_all_connections(
    house: Any, ui: PlayedUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plixo.temporal.ui.PER_PERSON", 2)
    monkeypatch.setattr("plixo.temporal.ui.TURN_SECONDS", 0.1)
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def until_the_end() -> Any:
        begun.release()
        await end.wait()
        yield b"news"

    ui.answering = lambda _request: httpx.Response(200, content=until_the_end())
    operator, controller = await house.visitor("operator"), await house.visitor("controller")
    open_pages = [asyncio.create_task(operator.get(SOMEBODY)) for _ in range(2)]
    for _ in open_pages:
        await begun.acquire()
    ui.answering = None
    page, call = await operator.get("/temporal/"), await operator.get(SOMEBODY)
    assert page.status_code == call.status_code == 503
    assert "Close some and try again" in page.text
    assert call.json()["error"]["code"] == "temporal_ui_busy"
    assert call.headers["retry-after"] == "30"
    assert len(ui.asked) == 2
    assert (await controller.get(SOMEBODY)).status_code == 200
    end.set()
    assert [answer.text for answer in await asyncio.gather(*open_pages)] == ["news"] * 2
    assert (await operator.get(SOMEBODY)).status_code == 200


async def test_every_way_a_request_ends_gives_its_turn_back(
    house: Any, ui: PlayedUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plixo.temporal.ui.PER_PERSON", 1)
    monkeypatch.setattr("plixo.temporal.ui.TURN_SECONDS", 0.0)
    operator = await house.visitor("operator")
    ends = (
        partial(broken, httpx.ConnectError),
        lambda _request: httpx.Response(302, headers={"location": "/"}),
        lambda _request: httpx.Response(200, html="x" * 2_000_000),
        lambda _request: httpx.Response(304),
        None,
    )
    for answering in ends * 2:
        ui.answering = answering
        for path in (SOMEBODY, "/temporal/", f"{CALLS}/settings", "/temporal/_app/immutable/x.js"):
            answer = await operator.get(path)
            assert "temporal_ui_busy" not in answer.text, path
            assert "Close some" not in answer.text, path


async def test_its_own_refusals_are_handed_on(house: Any, ui: PlayedUi) -> None:
    ui.answering = lambda _request: httpx.Response(404, json={"code": 5, "message": "workflow not found"})
    answer = await (await house.visitor("operator")).get(SOMEBODY)
    assert (answer.status_code, json.loads(answer.text)["message"]) == (404, "workflow not found")


# --- the setting


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8233", "https://ui.internal", "http://[::1]:8233/"])
def test_an_address_without_a_path_is_taken(address: str) -> None:
    assert Settings(temporal_ui_url=address).temporal_ui_url == address


@pytest.mark.parametrize(
    "address", ["ui.internal", "ftp://ui.internal", "http://", "http://u:p@x", "http://x/temporal", "http://x?y", "x:1"]
)
def test_anything_else_is_not(address: str) -> None:
    with pytest.raises(ValidationError, match="PLIXO_TEMPORAL_UI_URL must be"):
        Settings(temporal_ui_url=address)
