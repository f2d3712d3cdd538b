"""Documents through the page and the API: who adds and reads which, what is refused, and how they are handed out."""

import asyncio
import hashlib
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from plixo.domain.documents import MAX_BYTES
from plixo.store.documents import PART
from tests.support.rows import tamper
from web.limiting import UPLOADS_AT_ONCE
from web.middleware import MAX_BODY, MAX_UPLOAD

PDF = b"%PDF-1.7\nAs agreed on the telephone.\n%%EOF\n"
BOUND = "multipart/form-data; boundary=bound"


def plain(answer: httpx.Response) -> str:
    """The page's words without its markup."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def form(content: bytes = PDF, name: str = "mail.pdf") -> dict[str, Any]:
    return {"files": {"document": (name, content, "text/html")}}


def raw(content: bytes, name: bytes = b"mail.pdf") -> bytes:
    head = b'--bound\r\nContent-Disposition: form-data; name="document"; filename="' + name + b'"\r\n\r\n'
    return head + content + b"\r\n--bound--\r\n"


async def added(house: Any, approval_id: str, role: str = "billing_admin", **sent: Any) -> dict[str, Any]:
    caller = await house.caller(role)
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/documents", **form(**sent))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(house: Any, approval_id: str) -> list[dict[str, Any]]:
    caller = await house.caller("controller")
    found: list[dict[str, Any]] = (await caller.get(f"/api/v1/approvals/{approval_id}/documents")).json()["documents"]
    return found


async def test_who_asked_adds_one_on_the_page_and_the_approver_reads_it_there(house: Any) -> None:
    approval_id = await house.asked()
    requester, approver = await house.visitor("billing_admin"), await house.visitor("controller")
    empty = plain(await requester.get(f"/approvals/{approval_id}"))
    assert "Nobody has added one." in empty
    answer = await requester.post(f"/approvals/{approval_id}/documents", **form(name="Mail of 3 August.pdf"))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{approval_id}?said=document")
    words = plain(await requester.get(answer.headers["location"]))
    assert "The document is added; whoever may see the request can read it." in words
    page = await approver.get(f"/approvals/{approval_id}")
    assert "Mail of 3 August.pdf PDF, 43 bytes; added by Billing Admin now" in plain(page)
    assert "Billing Admin added the document Mail of 3 August.pdf (PDF, 43 bytes)" in plain(page)
    (link,) = re.findall(rf'href="(/approvals/{approval_id}/documents/DO-\w+)"', page.text)
    assert (await approver.get(link)).content == PDF


async def test_the_form_needs_no_script_and_says_what_is_taken(house: Any) -> None:
    approval_id = await house.asked()
    page = (await (await house.visitor("controller")).get(f"/approvals/{approval_id}")).text
    (found,) = re.findall(
        rf'<form method="post" action="/approvals/{approval_id}/documents"[^>]*>.*?</form>', page, re.DOTALL
    )
    assert 'enctype="multipart/form-data"' in found
    assert '<label for="document">Add a document</label>' in found
    assert 'aria-describedby="document-hint"' in found
    assert "PDF, PNG, JPEG, plain text or CSV, at most 10 MiB." in found
    assert "nobody can remove it" in found
    assert "hx-" not in found


@pytest.mark.asvs("8.2.2")
async def test_who_may_not_add_one_reads_why_and_has_no_form(house: Any) -> None:
    approval_id = await house.asked()
    for role in ("legal", "finance", "operator"):
        visitor = await house.visitor(role)
        page = await visitor.get(f"/approvals/{approval_id}")
        assert 'type="file"' not in page.text
        assert "Who asked for it adds documents, and who is asked to decide; you are" in page.text
        answer = await visitor.post(f"/approvals/{approval_id}/documents", **form())
        assert answer.status_code == 403
        assert "Who asked for it adds documents, and who is asked to decide" in answer.text
    assert await listed(house, approval_id) == []


async def test_once_it_is_decided_it_takes_no_more_and_they_are_still_read(house: Any) -> None:
    approval_id = await house.asked()
    document = await added(house, approval_id)
    controller = await house.visitor("controller")
    await controller.post(f"/approvals/{approval_id}/decisions", data={"verdict": "approve"})
    page = await controller.get(f"/approvals/{approval_id}")
    assert "The request is applied in Stripe already; documents are added while it is decided." in page.text
    assert 'type="file"' not in page.text
    assert (await controller.post(f"/approvals/{approval_id}/documents", **form(b"%PDF-2"))).status_code == 409
    taken = await controller.get(f"/approvals/{approval_id}/documents/{document['document_id']}")
    assert taken.content == PDF


@pytest.mark.asvs("8.2.2")
async def test_who_may_not_see_the_request_finds_no_document(house: Any) -> None:
    approval_id, other = await house.asked(), await house.asked(request_id="r-2")
    document = (await added(house, approval_id))["document_id"]
    visitor, caller = await house.visitor("support"), await house.caller("support")
    for client, prefix in ((visitor, ""), (caller, "/api/v1")):
        for place in (f"{approval_id}/documents/{document}", f"CR-{'A' * 26}/documents/{document}"):
            assert (await client.get(f"{prefix}/approvals/{place}")).status_code == 404
        sent = await client.post(f"{prefix}/approvals/{approval_id}/documents", **form(b"%PDF-2"))
        assert sent.status_code == 404
    assert (await caller.get(f"/api/v1/approvals/{approval_id}/documents")).status_code == 404
    controller = await house.visitor("controller")
    for place in (
        f"{other}/documents/{document}",
        f"{approval_id}/documents/DO-{'A' * 26}",
        f"{approval_id}/documents/x",
    ):
        assert (await controller.get(f"/approvals/{place}")).status_code == 404
    assert len(await listed(house, approval_id)) == 1


@pytest.mark.asvs("8.2.2")
async def test_nobody_who_is_not_signed_in_reads_or_adds_one(house: Any) -> None:
    approval_id = await house.asked()
    document = (await added(house, approval_id))["document_id"]
    stranger = await house.open_client()
    for path in (f"/approvals/{approval_id}/documents/{document}", f"/approvals/{approval_id}/documents"):
        answer = await (stranger.get(path) if path.endswith(document) else stranger.post(path, **form()))
        assert (answer.status_code, answer.headers["location"][:14]) == (303, "/sign-in?next=")
        assert (await stranger.get(f"/api/v1{path}")).status_code == 401


@pytest.mark.asvs("3.5.1")
async def test_no_other_site_adds_one(house: Any) -> None:
    approval_id = await house.asked()
    visitor = await house.visitor("billing_admin")
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await visitor.post(f"/approvals/{approval_id}/documents", headers=headers, **form())
    assert answer.status_code == 403
    assert await listed(house, approval_id) == []


async def test_the_api_lists_what_was_added_and_hands_it_out(house: Any) -> None:
    approval_id = await house.asked()
    first = await added(house, approval_id, content=b"amount\n-4.20\n", name="amounts.csv")
    again = await added(house, approval_id, "controller", content=b"amount\n-4.20\n", name="other.csv")
    assert (first["added"], again["added"]) == (True, False)
    assert {**again, "added": True} == first
    assert first["person"] == {"person_id": "p-billing-admin", "name": "Billing Admin"}
    assert (first["name"], first["kind"], first["size"]) == ("amounts.csv", "text", 13)
    assert first["sha256"] == hashlib.sha256(b"amount\n-4.20\n").hexdigest()
    del first["added"]
    assert await listed(house, approval_id) == [first]
    caller = await house.caller("finance")
    taken = await caller.get(f"/api/v1/approvals/{approval_id}/documents/{first['document_id']}")
    assert taken.content == b"amount\n-4.20\n"
    shown = plain(await (await house.visitor("controller")).get(f"/approvals/{approval_id}?said=document-known"))
    assert "That document was here already; it was not added twice." in shown


@pytest.mark.asvs("3.2.1")
@pytest.mark.asvs("5.4.1")
@pytest.mark.asvs("5.4.2")
@pytest.mark.parametrize(
    ("content", "name", "media_type", "disposition"),
    [
        (PDF, "mail.html", "application/pdf", "attachment; filename=\"mail.html.pdf\"; filename*=UTF-8''mail.html.pdf"),
        (
            b"\x89PNG\r\n\x1a\n",
            "Übersicht €.png",
            "image/png",
            "attachment; filename=\"_bersicht _.png\"; filename*=UTF-8''%C3%9Cbersicht%20%E2%82%AC.png",
        ),
        (
            b"\xff\xd8\xff\xe0",
            "a'b(1);c%41.jpg",
            "image/jpeg",
            "attachment; filename=\"a'b(1);c_41.jpg\"; filename*=UTF-8''a%27b%281%29%3Bc%2541.jpg",
        ),
        (
            b"words",
            "../x\r\nSet-Cookie: a=b",
            "text/plain; charset=utf-8",
            "attachment; filename=\"x_0D_0ASet-Cookie_ a=b.txt\"; filename*=UTF-8''x%250D%250ASet-Cookie_%20a%3Db.txt",
        ),
    ],
    ids=["pdf", "png", "jpeg", "text"],
)
async def test_it_is_handed_out_as_a_file_to_keep_and_never_as_a_page(
    house: Any, content: bytes, name: str, media_type: str, disposition: str
) -> None:
    approval_id = await house.asked()
    document = await added(house, approval_id, content=content, name=name)
    for client, prefix in ((await house.visitor("controller"), ""), (await house.caller("controller"), "/api/v1")):
        place = f"{prefix}/approvals/{approval_id}/documents/{document['document_id']}"
        for answer in (await client.get(place), await client.head(place)):
            headers = answer.headers
            assert answer.status_code == 200
            assert headers["content-type"] == media_type
            assert headers["content-disposition"] == disposition
            assert headers["content-length"] == str(len(content))
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert headers["content-security-policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "set-cookie" not in headers


@pytest.mark.asvs("1.3.7")
async def test_a_name_is_text_wherever_it_is_shown(house: Any) -> None:
    approval_id = await house.asked()
    document = await added(house, approval_id, name="<img src=x onerror=alert(1)> {{7*7}} & 'quotes'.pdf")
    assert document["name"] == "_img src=x onerror=alert(1)_ {{7_7}} & 'quotes'.pdf"
    page = (await (await house.visitor("controller")).get(f"/approvals/{approval_id}")).text
    assert "<img" not in page
    assert "{{7_7}} &amp; &#39;quotes&#39;" in page


REFUSED = [
    ("an empty file", b"", "document_empty"),
    ("a program", b"MZ\x90\x00\x03", "document_type"),
    ("a page", b"<!doctype html><script>alert(1)</script>", "document_type"),
    ("a drawing that runs", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "document_type"),
    ("a spreadsheet with macros", b"PK\x03\x04\x14\x00xl/vbaProject.bin", "document_type"),
    ("one byte too many", b"%PDF-" + bytes(MAX_BYTES - 4), "document_too_large"),
    ("a few mebibytes too many", b"%PDF-" + bytes(MAX_BYTES * 2), "document_too_large"),
]


@pytest.mark.asvs("5.2.1")
@pytest.mark.asvs("5.2.2")
@pytest.mark.parametrize(("content", "code"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
async def test_what_is_not_taken_is_refused_at_the_field_whatever_it_says_it_is(
    house: Any, content: bytes, code: str
) -> None:
    approval_id = await house.asked()
    sent = {"files": {"document": ("contract.pdf", content, "application/pdf")}}
    caller = await house.caller("billing_admin")
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/documents", **sent)
    assert answer.status_code == 422
    (problem,) = answer.json()["error"]["fields"]
    assert (problem["field"], problem["code"]) == ("document", code)
    visitor = await house.visitor("billing_admin")
    page = await visitor.post(f"/approvals/{approval_id}/documents", **sent)
    assert page.status_code == 422
    assert f'<a href="#document">{html.escape(problem["message"])}</a>' in page.text
    assert 'id="document-fault"' in page.text
    assert 'aria-describedby="document-hint document-fault"' in page.text
    assert await listed(house, approval_id) == []


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/octet-stream", PDF, 422, "document_missing"),
        ("application/json", b"{}", 422, "document_missing"),
        ("", PDF, 422, "document_missing"),
        ("application/x-www-form-urlencoded", b"document=%25PDF-", 422, "document_missing"),
        (BOUND, b"--bound--\r\n", 422, "document_missing"),
        (BOUND, raw(b"", name=b""), 422, "document_missing"),
        (BOUND, raw(PDF).replace(b'; filename="mail.pdf"', b""), 422, "document_missing"),
        (BOUND, raw(PDF).replace(b'"document"', b'"file"'), 422, "document_missing"),
        ("multipart/form-data", raw(PDF), 400, "body_unreadable"),
        ("multipart/form-data; boundary=" + "x" * 5000, raw(PDF), 400, "body_unreadable"),
        (BOUND, raw(PDF).replace(b"--bound--\r\n", raw(PDF)), 400, "body_unreadable"),
        (BOUND, b"garbage", 400, "body_unreadable"),
    ],
    ids=[
        "bytes alone", "json", "no type", "another form", "no part", "no file chosen", "a field", "another field",
        "no boundary", "a boundary too long", "two files", "garbage",
    ],
)  # fmt: skip
async def test_a_body_that_holds_no_file_is_refused(
    house: Any, content_type: str, body: bytes, status: int, code: str
) -> None:
    approval_id = await house.asked()
    caller, visitor = await house.caller("billing_admin"), await house.visitor("billing_admin")
    headers = {"content-type": content_type} if content_type else {}
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/documents", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    page = await visitor.post(f"/approvals/{approval_id}/documents", content=body, headers=headers)
    assert page.status_code == status
    assert await listed(house, approval_id) == []


async def endless(taken: list[int]) -> AsyncIterator[bytes]:
    yield raw(PDF).removesuffix(b"\r\n--bound--\r\n")
    while True:
        taken.append(PART)
        yield bytes(PART)


@pytest.mark.asvs("5.2.1")
async def test_a_body_without_end_is_heard_so_far_and_no_further(house: Any) -> None:
    approval_id = await house.asked()
    for client, prefix in (
        (await house.visitor("billing_admin"), ""),
        (await house.caller("billing_admin"), "/api/v1"),
    ):
        taken: list[int] = []
        place = f"{prefix}/approvals/{approval_id}/documents"
        answer = await client.post(place, content=endless(taken), headers={"content-type": BOUND})
        assert answer.status_code == 413
        assert MAX_UPLOAD <= sum(taken) <= MAX_UPLOAD + 2 * PART
        told = await client.post(
            place, content=b"", headers={"content-type": BOUND, "content-length": str(MAX_UPLOAD + 1)}
        )
        assert told.status_code == 413
        assert "at most 10 MiB" in told.text


async def test_what_is_told_to_be_too_long_is_never_put_together(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is said beforehand: none of it reaches the reader of forms."""
    approval_id = await house.asked()
    fed: list[int] = []
    monkeypatch.setattr("web.uploads._InMemory.on_part_data", lambda _self, _data, start, end: fed.append(end - start))
    caller = await house.caller("billing_admin")
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/documents", **form(bytes(MAX_BYTES + 100_000)))
    assert answer.json()["error"]["code"] == "document_too_large"
    assert fed == []


async def test_a_document_goes_through_no_folder_for_temporary_files(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    approval_id = await house.asked()
    assert (await added(house, approval_id, content=b"%PDF-" + bytes(MAX_BYTES - 5)))["size"] == MAX_BYTES


async def test_other_forms_stay_as_short_as_they_were(house: Any) -> None:
    approval_id = await house.asked()
    visitor = await house.visitor("controller")
    long = {"comment": "x" * (MAX_BODY + 1), "verdict": "approve"}
    assert (await visitor.post(f"/approvals/{approval_id}/decisions", data=long)).status_code == 413
    assert (await visitor.post(f"/approvals/{approval_id}/documents/x", data=long)).status_code == 413


@pytest.mark.asvs("2.4.1")
async def test_one_person_sends_a_few_at_a_time_and_is_in_nobody_elses_way(house: Any) -> None:
    approval_id = await house.asked()
    go, all_there = asyncio.Event(), asyncio.Barrier(UPLOADS_AT_ONCE + 1)

    async def slow(number: int) -> AsyncIterator[bytes]:
        whole = raw(PDF + str(number).encode())
        yield whole[:100]
        await all_there.wait()
        await go.wait()
        yield whole[100:]

    requester = await house.caller("billing_admin")
    place, headers = f"/api/v1/approvals/{approval_id}/documents", {"content-type": BOUND}
    sending = [
        asyncio.create_task(requester.post(place, content=slow(number), headers=headers))
        for number in range(UPLOADS_AT_ONCE)
    ]
    await all_there.wait()
    uploads = house.app.state.uploads
    assert uploads.under_way == {"p-billing-admin": UPLOADS_AT_ONCE}
    async with asyncio.timeout(60), house.app.state.lane.turn():
        assert house.app.state.lane._quiet.is_set(), "an import goes on meanwhile"
    refused = await requester.post(place, **form(b"%PDF-one more"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_tries")
    assert refused.headers["retry-after"] == "5"
    other = await added(house, approval_id, "controller", content=b"%PDF-another")
    assert other["added"]
    go.set()
    assert [(await one).status_code for one in sending] == [200] * UPLOADS_AT_ONCE
    assert uploads.under_way == {}
    assert (await requester.post(place, **form(b"%PDF-one more"))).status_code == 200


@pytest.mark.asvs("2.4.1")
async def test_who_sends_without_pause_is_told_to_wait(house: Any) -> None:
    approval_id = await house.asked()
    caller = await house.caller("billing_admin")
    place = f"/api/v1/approvals/{approval_id}/documents"
    answers = [(await caller.post(place)).status_code for _ in range(61)]
    assert answers == [422] * 60 + [429]
    assert (await (await house.caller("controller")).post(place)).status_code == 422


async def asgi(house: Any, method: str, path: str, role: str, **how: Any) -> list[dict[str, Any]]:
    """One request as a server hands it on; what was sent back."""
    visitor = await house.visitor(role)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"host": "127.0.0.1:8321", "cookie": cookie, "content-type": BOUND}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "http_version": "1.1",
        "scheme": "http", "server": ("127.0.0.1", 8321), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    coming, back = iter(how.get("coming", ())), []

    async def receive() -> Any:
        return next(coming, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        how.get("seen", len)(message)
        back.append(message)

    await house.app(scope, receive, send)
    return back


async def test_who_leaves_in_the_middle_leaves_nothing_behind(house: Any, caplog: Any) -> None:
    approval_id = await house.asked()
    coming = [{"type": "http.request", "body": raw(PDF)[:100], "more_body": True}, {"type": "http.disconnect"}]
    back = await asgi(house, "POST", f"/approvals/{approval_id}/documents", "billing_admin", coming=coming)
    assert back[0]["status"] == 400
    assert house.app.state.uploads.under_way == {}
    assert await listed(house, approval_id) == []
    assert "Traceback" not in caplog.text


@pytest.mark.asvs("16.4.2")
async def test_what_was_changed_in_the_database_is_not_handed_out(house: Any, caplog: Any) -> None:
    approval_id = await house.asked()
    document = await added(house, approval_id, content=b"%PDF-" + bytes(2 * PART))
    tamper(house.staff.settings.database, "update document_parts set content = x'00' where position = 2")
    visitor = await house.visitor("controller")
    answer = await visitor.get(f"/approvals/{approval_id}/documents/{document['document_id']}")
    assert answer.status_code == 409
    assert "changed in the database since it was added" in answer.text
    assert document["document_id"] in caplog.text
    assert document["name"] not in caplog.text


async def test_without_room_in_the_database_it_says_so(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    approval_id = await house.asked()

    async def full(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Full("database or disk is full"))

    monkeypatch.setattr("plixo.store.documents.insert", full)
    caller = await house.caller("billing_admin")
    answer = await caller.post(f"/api/v1/approvals/{approval_id}/documents", **form())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_full")
    assert "has no room left; nothing was changed" in answer.text


class Full(Exception):
    sqlstate = "53100"


async def test_large_ones_are_handed_out_part_by_part_without_a_connection_held(house: Any) -> None:
    """Many slow readers keep nobody from the database."""
    approval_id = await house.asked()
    content = b"%PDF-" + bytes(range(256)) * (3 * PART // 256)
    document = await added(house, approval_id, content=content)
    pool, out = house.staff.desk.ledger.engine.pool, []
    path = f"/approvals/{approval_id}/documents/{document['document_id']}"
    back = await asgi(house, "GET", path, "controller", seen=lambda _message: out.append(pool.checkedout()))
    pieces = [message["body"] for message in back if message["type"] == "http.response.body"]
    assert b"".join(pieces) == content
    assert max(len(piece) for piece in pieces) == PART
    assert set(out) == {0}


async def test_the_sealed_file_names_every_document(house: Any) -> None:
    approval_id = await house.asked()
    document = await added(house, approval_id)
    exported = (await (await house.caller("finance")).get(f"/api/v1/approvals/{approval_id}/audit")).json()
    (block,) = exported["requests"]
    (named,) = block["documents"]
    assert {name: named[name] for name in ("document_id", "name", "kind", "size", "sha256")} == {
        name: document[name] for name in ("document_id", "name", "kind", "size", "sha256")
    }
    assert named["person_id"] == "p-billing-admin"
