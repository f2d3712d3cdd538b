"""`plixo approvals documents`, `attach` and `fetch`."""

import hashlib
import os
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from plixo.domain.documents import MAX_BYTES

CR, DO = "CR-" + "A" * 26, "DO-" + "B" * 26
PDF = b"%PDF-1.7\nAs agreed.\n"


def document(**changed: Any) -> dict[str, Any]:
    usual = {
        "document_id": DO,
        "name": "mail.pdf",
        "kind": "pdf",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "person": {"person_id": "p-billing-admin", "name": "Billing Admin"},
        "added_at": "2026-08-03T14:00:00+00:00",
    }
    return usual | changed


def sent(request: httpx.Request) -> tuple[str, str, bytes]:
    """The one file in a form: its field, its name, its bytes."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + request.content, policy=policy.HTTP).iter_parts()
    disposition = part["content-disposition"]
    return disposition.params["name"], disposition.params["filename"], part.get_payload(decode=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_documents_are_listed_with_who_added_them(api: Any, plixo: Callable[..., Any]) -> None:
    api.on("GET", f"approvals/{CR}/documents", {"documents": [document(), document(name="amounts.csv", kind="text")]})
    ran = plixo("approvals", "documents", CR)
    assert ran.code == 0
    assert "mail.pdf" in ran.out
    assert "Text, 20 bytes" in " ".join(ran.out.split())
    assert "Billing Admin" in ran.out
    assert f"Next: plixo approvals fetch {CR} {DO}" in ran.out
    assert max(len(line) for line in ran.out.splitlines() if not line.startswith("Next")) <= 80
    assert plixo("approvals", "documents", CR, "--json").document["documents"][1]["name"] == "amounts.csv"


def test_without_any_it_says_how_to_add_one(api: Any, plixo: Callable[..., Any]) -> None:
    api.on("GET", f"approvals/{CR}/documents", {"documents": []})
    assert f"plixo approvals attach {CR} FILE" in plixo("approvals", "documents", CR).out


@pytest.mark.parametrize(("new", "said"), [(True, "The document is added."), (False, "nothing was added twice.")])
def test_a_file_is_attached_as_it_is(api: Any, plixo: Callable[..., Any], here: Path, *, new: bool, said: str) -> None:
    api.on("POST", f"approvals/{CR}/documents", document(added=new))
    (here / "Übersicht.pdf").write_bytes(PDF)
    ran = plixo("approvals", "attach", CR, str(here / "Übersicht.pdf"))
    assert (ran.code, said in ran.out) == (0, True)
    assert sent(api.asked[0]) == ("document", "Übersicht.pdf", PDF)
    assert api.asked[0].headers["authorization"] == "Bearer token-of-ada"
    assert plixo("approvals", "attach", CR, "Übersicht.pdf", "--json").document["added"] is new


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "The file is empty"), (bytes(MAX_BYTES + 1), "A document has 10 MiB at most")],
    ids=["empty", "too large"],
)
def test_what_cannot_be_one_is_not_even_sent(
    api: Any, plixo: Callable[..., Any], here: Path, content: bytes, said: str
) -> None:
    (here / "file").write_bytes(content)
    ran = plixo("approvals", "attach", CR, "file")
    assert (ran.code, said in ran.err, api.asked) == (1, True, [])


@pytest.mark.parametrize("name", ["missing.pdf", "."])
def test_a_file_that_cannot_be_read_is_named(api: Any, plixo: Callable[..., Any], here: Path, name: str) -> None:
    assert here.is_dir()
    ran = plixo("approvals", "attach", CR, name)
    assert ran.code == 1
    assert f"{name} cannot be read" in ran.err
    assert api.asked == []


def test_a_file_without_end_is_read_no_further_than_a_document_goes(
    api: Any, plixo: Callable[..., Any], here: Path
) -> None:
    with (here / "vast").open("wb") as vast:
        os.truncate(vast.fileno(), 1 << 40)
    assert "10 MiB at most" in plixo("approvals", "attach", CR, "vast").err
    assert api.asked == []


def test_a_refusal_is_said_in_one_line(api: Any, plixo: Callable[..., Any], here: Path) -> None:
    problem = {"field": "document", "code": "document_type", "message": "A document is PDF, PNG or such."}
    api.on("POST", f"approvals/{CR}/documents", {"error": {"code": "document_type", "fields": [problem]}}, 422)
    (here / "a.exe").write_bytes(b"MZ")
    ran = plixo("approvals", "attach", CR, "a.exe")
    assert (ran.code, ran.err) == (1, "plixo: A document is PDF, PNG or such.\n")


def offered(api: Any, content: bytes = PDF, **changed: Any) -> None:
    api.on("GET", f"approvals/{CR}/documents", {"documents": [document(**changed)]})
    api.on("GET", f"approvals/{CR}/documents/{DO}", content.decode())


def test_a_document_is_written_under_its_name_and_never_over_another(
    api: Any, plixo: Callable[..., Any], here: Path
) -> None:
    offered(api)
    ran = plixo("approvals", "fetch", CR, DO)
    assert (ran.code, ran.out) == (0, "Written: mail.pdf, PDF, 20 bytes.\n")
    assert (here / "mail.pdf").read_bytes() == PDF
    (here / "mail.pdf").write_bytes(b"mine")
    again = plixo("approvals", "fetch", CR, DO)
    assert (again.code, "mail.pdf is there already; name another file with --output." in again.err) == (1, True)
    assert (here / "mail.pdf").read_bytes() == b"mine"
    told = plixo("approvals", "fetch", CR, DO, "--output", "other.pdf", "--json").document
    assert (told["file"], told["document_id"]) == ("other.pdf", DO)
    assert (here / "other.pdf").read_bytes() == PDF


@pytest.mark.asvs("5.4.1")
def test_no_name_leads_out_of_this_folder(api: Any, plixo: Callable[..., Any], here: Path) -> None:
    offered(api, name="../../.bashrc")
    assert plixo("approvals", "fetch", CR, DO).code == 0
    assert [one.name for one in here.iterdir()] == ["bashrc.pdf"]
    assert [one.name for one in here.parent.iterdir() if one.is_file()] == []


def test_bytes_that_are_not_those_that_were_added_are_not_written(
    api: Any, plixo: Callable[..., Any], here: Path
) -> None:
    offered(api, content=b"%PDF-1.7\nOtherwise.\n")
    ran = plixo("approvals", "fetch", CR, DO)
    assert (ran.code, "nothing was written" in ran.err) == (1, True)
    assert list(here.iterdir()) == []


def test_a_document_that_is_not_there_is_said_to_be_none(api: Any, plixo: Callable[..., Any], here: Path) -> None:
    offered(api)
    ran = plixo("approvals", "fetch", CR, "DO-" + "C" * 26)
    assert (ran.code, "There is no such document" in ran.err) == (1, True)
    assert list(here.iterdir()) == []


def test_a_refused_download_is_said_in_one_line(api: Any, plixo: Callable[..., Any], here: Path) -> None:
    problem = {"field": "document_id", "code": "document_changed", "message": "This document was changed."}
    offered(api)
    api.on("GET", f"approvals/{CR}/documents/{DO}", {"error": {"code": "document_changed", "fields": [problem]}}, 409)
    assert plixo("approvals", "fetch", CR, DO).err == "plixo: This document was changed.\n"
    assert list(here.iterdir()) == []


def test_a_folder_that_takes_no_file_is_named(api: Any, plixo: Callable[..., Any], here: Path) -> None:
    offered(api)
    ran = plixo("approvals", "fetch", CR, DO, "--output", str(here / "nowhere" / "a.pdf"))
    assert (ran.code, "cannot be written (No such file or directory)" in ran.err) == (1, True)
