import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from plixo.bootstrap import now
from plixo.domain.people import Group
from plixo.temporal.client import payload_codec
from plixo.temporal.codec import encode_json
from plixo.temporal.payload_keys import ensure_payload_keys
from tests.web.house import BASE
from web.limiting import CODINGS
from web.middleware import MAX_BODY

OWN = {"sec-fetch-site": "same-origin", "origin": BASE}
SAID = "Credit 4,200.00 USD, Example Logistics"
PLAIN = {"metadata": {"encoding": base64.b64encode(b"json/plain").decode()}}
PLAIN["data"] = base64.b64encode(json.dumps(SAID).encode()).decode()
READERS = [group.value for group in Group if group is not Group.SUPPORT]


@pytest.fixture
def sealed(house: Any) -> bytes:
    """What Temporal UI posts: a payload as Temporal keeps it."""
    ensure_payload_keys(house.staff.settings.payload_keys, now())
    codec = payload_codec(house.staff.settings)
    house.app.state.staff = replace(house.app.state.staff, codec=codec)
    found = encode_json(codec, json.dumps({"payloads": [PLAIN]}).encode())
    assert b"Logistics" not in base64.b64decode(json.loads(found)["payloads"][0]["data"])
    return found


def said_in(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(json.loads(base64.b64decode(answer.json()["payloads"][0]["data"])))


@pytest.mark.asvs("8.2.2")
async def test_who_may_see_every_request_reads_what_its_pages_show(house: Any, sealed: bytes) -> None:
    for role in READERS:
        visitor = await house.visitor(role)
        answer = await visitor.post("/codec/decode?preserveStorageRefs=true", content=sealed, headers=OWN)
        assert said_in(answer) == SAID, role
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
    support = await (await house.visitor("support")).post("/codec/decode", content=sealed, headers=OWN)
    assert (support.status_code, support.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.asvs("8.2.2")
async def test_nobody_reads_anything(house: Any, sealed: bytes) -> None:
    caller = await house.caller("operator")
    for client in (await house.visitor(), caller):
        for path in ("/codec/decode", "/codec/encode"):
            answer = await client.post(path, content=sealed, headers=OWN)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


async def test_only_operators_have_something_encrypted(house: Any, sealed: bytes) -> None:
    """What they send to a workflow; nobody else sends it anything."""
    assert sealed
    body = json.dumps({"payloads": [PLAIN]})
    operator = await house.visitor("operator")
    encoded = await operator.post("/codec/encode", content=body, headers=OWN)
    assert "Logistics" not in encoded.text
    assert said_in(await operator.post("/codec/decode", content=encoded.content, headers=OWN)) == SAID
    for role in ("controller", "administrator", "finance", "support"):
        refused = await (await house.visitor(role)).post("/codec/encode", content=body, headers=OWN)
        assert refused.status_code == 404, role


@pytest.mark.asvs("3.5.1")
async def test_one_origin_alone_is_answered(house: Any, sealed: bytes) -> None:
    operator = await house.visitor("operator")
    for headers in (
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8233"},
        {"origin": "http://127.0.0.1:83210"},
        {"origin": f"{BASE}.evil.example"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "none", "origin": BASE},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8323"},
        {"sec-fetch-site": "cross-site", "origin": BASE},
    ):
        answer = await operator.post("/codec/decode", content=sealed, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), headers
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for headers in (OWN, {"sec-fetch-site": "same-origin"}, {"origin": BASE}):
        answer = await operator.post("/codec/decode", content=sealed, headers=headers)
        assert said_in(answer) == SAID, headers
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.asvs("3.5.1")
async def test_no_other_origin_is_ever_told_that_it_may_ask(house: Any, sealed: bytes) -> None:
    assert sealed
    operator = await house.visitor("operator")
    asking = {"origin": "http://127.0.0.1:8323", "access-control-request-method": "POST"}
    answer = await operator.options("/codec/decode", headers=asking)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (await operator.get("/codec/decode", headers=OWN)).status_code == 405


async def test_a_foreign_host_is_turned_away(house: Any, sealed: bytes) -> None:
    operator = await house.visitor("operator")
    answer = await operator.post("/codec/decode", content=sealed, headers={**OWN, "host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "wrong_address")


async def test_what_is_no_payload_is_named(house: Any, sealed: bytes) -> None:
    assert sealed
    operator = await house.visitor("operator")
    for body in (b"", b"{", b"\xff", b'{"payloads": 1}', b'{"payloads": [{"data": 1}]}', b'{"x": []}'):
        for path in ("/codec/decode", "/codec/encode"):
            answer = await operator.post(path, content=body, headers=OWN)
            assert answer.status_code == 422, (path, body)
            assert answer.json()["error"]["fields"][0]["field"] == "payloads"


async def test_a_body_without_end_is_cut_off(house: Any, sealed: bytes) -> None:
    assert sealed
    operator = await house.visitor("operator")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * (MAX_BODY // 32)

    for body in (b"x" * (MAX_BODY + 1), chunks()):
        answer = await operator.post("/codec/decode", content=body, headers=OWN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_long")


@pytest.mark.asvs("2.4.1")
async def test_nobody_reads_on_and_on_and_nobody_is_locked_out_by_others(house: Any, sealed: bytes) -> None:
    operator, auditor = await house.visitor("operator"), await house.visitor("finance")
    person_id = "p-operator"
    while house.app.state.limiter.strategy.hit(CODINGS, person_id):
        pass
    answer = await operator.post("/codec/decode", content=sealed, headers=OWN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_tries")
    assert answer.headers["retry-after"] == "60"
    assert said_in(await auditor.post("/codec/decode", content=sealed, headers=OWN)) == SAID


async def test_what_cannot_be_read_comes_back_as_it_is(house: Any, sealed: bytes) -> None:
    """One strange payload must not keep a page from showing the others."""
    operator = await house.visitor("operator")
    body = json.loads(sealed)
    spoilt = {**body["payloads"][0], "data": base64.b64encode(b"x" * 60).decode()}
    both = json.dumps({"payloads": [spoilt, body["payloads"][0]]})
    answer = (await operator.post("/codec/decode", content=both, headers=OWN)).json()["payloads"]
    assert answer[0]["data"] == spoilt["data"]
    assert json.loads(base64.b64decode(answer[1]["data"])) == SAID


async def test_without_a_codec_there_is_nothing(house: Any) -> None:
    operator = await house.visitor("operator")
    for path in ("/codec/decode", "/codec/encode", "/codec/download", "/codec"):
        assert (await operator.post(path, content=b"{}", headers=OWN)).status_code == 404, path
