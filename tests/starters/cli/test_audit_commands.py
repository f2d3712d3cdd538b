"""`plixo audit` on what really happened: asked, decided, carried out, by the real parts."""

import asyncio
import html
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from plixo.signing.keys import load_or_create_signing_key
from plixo.signing.tokens import StaffSigner
from starters.documents import Adding, add_document
from tests.starters.cli.conftest import Ran
from tests.support.house import House
from tests.support.rows import tamper as tamper_with

Plixo = Callable[..., Ran]
NOW = datetime(2026, 8, 3, tzinfo=UTC)


@pytest.fixture
async def told(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """One request that was approved and applied, one that waits, one start that somebody forged."""
    monkeypatch.setenv("PLIXO_DATA", str(house.settings.data))
    monkeypatch.setenv("DATABASE_URL", house.settings.database_url)
    asked = await house.ask()
    await house.until_waiting(asked)
    await house.decide(asked, "controller")
    await house.until_ended(asked)
    await house.until_waiting(await house.ask("900.00"))
    return house


@pytest.mark.usefixtures("told")
async def test_the_story_reads_from_request_to_stripe(plixo: Plixo) -> None:
    ran = await asyncio.to_thread(plixo, "audit", "export")
    assert ran.code == 0
    story = " ".join(ran.out.split())
    for words in (
        "Applied in Stripe",
        "Waiting",
        "Requested, by Billing Admin",
        "Decision recorded, by Controller",
        "Effect done, by system",
        "cbtxn_",
    ):
        assert words in story
    assert max(len(line) for line in ran.out.splitlines()) <= 80


@pytest.mark.usefixtures("told")
async def test_an_export_of_one_request_holds_that_one(plixo: Plixo) -> None:
    every = (await asyncio.to_thread(plixo, "audit", "export", "--json")).document
    assert len(every["requests"]) == 2
    first = every["requests"][0]["approval_id"]
    one = (await asyncio.to_thread(plixo, "audit", "export", first, "--json")).document
    assert [block["approval_id"] for block in one["requests"]] == [first]
    nobody = await asyncio.to_thread(plixo, "audit", "export", "CR-" + "Z" * 26, "--json")
    assert (nobody.code, nobody.out) == (1, "")
    assert "There is no request CR-ZZZ" in nobody.err


@pytest.mark.usefixtures("told")
async def test_the_database_is_found_whole(plixo: Plixo) -> None:
    ran = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    assert ran.code == 0
    assert ran.document["ok"]
    assert (ran.document["requests"], ran.document["signatures"], ran.document["findings"]) == (2, 3, [])


async def test_an_exported_file_is_found_whole_where_there_is_nothing_but_the_keys(
    told: House,
    plixo: Plixo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "audit.json"
    file.write_text((await asyncio.to_thread(plixo, "audit", "export", "--json")).out)
    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DATABASE_URL")
    keyed = await asyncio.to_thread(plixo, "audit", "verify", str(file), "--keys", str(told.settings.public_keys))
    assert keyed.code == 0
    assert keyed.out.startswith("The audit log is whole.\n")
    assert "The keys are the file's own" not in keyed.out
    alone = await asyncio.to_thread(plixo, "audit", "verify", str(file))
    assert alone.code == 0
    assert "The keys are the file's own: whoever could write the file could have chosen them." in " ".join(
        alone.out.split()
    )


@pytest.mark.asvs("16.4.2")
async def test_a_document_is_named_in_the_story_and_its_bytes_are_checked(
    told: House, plixo: Plixo, tmp_path: Path
) -> None:
    every = (await asyncio.to_thread(plixo, "audit", "export", "--json")).document
    waiting = next(block["approval_id"] for block in every["requests"] if block["state"] == "waiting")
    adding = Adding(told.people["billing_admin"], "mail.pdf", b"%PDF-1.7 As agreed.")
    document = (await add_document(told.desk, waiting, adding)).document
    story = " ".join((await asyncio.to_thread(plixo, "audit", "export", waiting)).out.split())
    assert "Document added, by Billing Admin" in story
    assert f"name mail.pdf; size {document.size}; sha256" in story
    sealed = (await asyncio.to_thread(plixo, "audit", "export", waiting, "--json")).document
    assert [one["sha256"] for one in sealed["requests"][0]["documents"]] == [document.sha256]
    await asyncio.to_thread(plixo, "audit", "export", waiting, "--html", str(tmp_path / "audit.html"))
    page = (tmp_path / "audit.html").read_text()
    assert "<h3>Documents</h3>" in page
    assert f"mail.pdf (PDF, {document.size} bytes)<br>SHA-256 {document.sha256}</dd>" in page
    assert (await asyncio.to_thread(plixo, "audit", "verify")).code == 0
    tamper_with(told.settings.database_url, "update document_parts set content = x'00'")
    ran = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    found = f"{waiting}: the bytes of document {document.document_id} are not those that were added"
    assert (ran.code, ran.document["findings"]) == (1, [found])


Tamper = Callable[[dict[str, Any]], object]


def forge(document: dict[str, Any]) -> None:
    """A decision that somebody signed with a key of their own, and put their key in the file."""
    stranger = OKPKey.generate_key("Ed25519", private=True)
    block = decided(document)
    row = block["decisions"][0]
    row["signed"] = StaffSigner(stranger).sign("decision", row["decision"], now=NOW)


def decided(document: dict[str, Any]) -> dict[str, Any]:
    return next(block for block in document["requests"] if block["decisions"])


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda it: decided(it)["chain"][0]["detail"].update(amount="42.00 USD"), "entry 1 was changed"),
        (lambda it: decided(it)["chain"].pop(), "it is executed, but its last entry (5) leaves it executing"),
        (lambda it: decided(it)["chain"].pop(1), "entry 2 is missing or out of place (found 3)"),
        (lambda it: decided(it)["chain"].reverse(), "entry 1 is missing or out of place (found 6)"),
        (lambda it: it["requests"].pop(), "the whole request is missing"),
        (forge, "The signature is not the staff side's."),
    ],
)
@pytest.mark.usefixtures("told")
async def test_a_tampered_file_is_refused_and_its_first_bad_row_named(
    plixo: Plixo,
    tmp_path: Path,
    tamper: Tamper,
    named: str,
) -> None:
    document = (await asyncio.to_thread(plixo, "audit", "export", "--json")).document
    tamper(document)
    file = tmp_path / "audit.json"
    file.write_text(json.dumps(document))
    ran = await asyncio.to_thread(plixo, "audit", "verify", str(file))
    assert ran.code == 1
    first = " ".join(ran.out.split()).partition(" Read ")[0]
    assert first.startswith("First bad row: CR-")
    assert named in first
    machine = await asyncio.to_thread(plixo, "audit", "verify", str(file), "--json")
    assert machine.code == 1
    assert named in machine.document["findings"][0]


STATEMENTS = {
    "update audit set detail = json_set(detail, '$.amount', '1') where event = 'requested'": "entry 1 was changed",
    "delete from audit where event = 'effect_done'": "leaves it executing",
    "delete from audit where event = 'opened'": "entry 2 is missing",
    "update decisions set comment = 'forged'": "is not what was signed",
    "update approvals set state = 'executed' where state = 'waiting'": "leaves it waiting",
    "update approvals set customer_id = 'cus_Eve', \"change\" = json_set(\"change\", '$.customer_id', 'cus_Eve')": (
        "the request: what stands beside the signature is not what was signed"
    ),
}


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.usefixtures("told")
async def test_what_somebody_with_the_databases_password_did_is_named(
    plixo: Plixo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(tmp_path / "plixo.db")) as live, closing(sqlite3.connect(copy)) as database:
        live.backup(database)
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{name}"')
        assert database.execute(statement).rowcount >= 1
        database.commit()
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{copy}")
    ran = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    assert ran.code == 1
    assert any(STATEMENTS[statement] in finding for finding in ran.document["findings"])


def test_without_the_private_key_no_file_is_sealed(plixo: Plixo, tmp_path: Path) -> None:
    assert plixo("db", "upgrade").code == 0
    ran = plixo("audit", "export", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "the file is sealed with the staff side's key: run this where the console runs" in ran.err
    assert not (tmp_path / "data" / "keys").exists()


def test_an_empty_database_says_how_to_begin(plixo: Plixo) -> None:
    plixo("db", "upgrade")
    assert "plixo credit request --help says how" in plixo("audit", "export").out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("", "it is no JSON"),
        ('{"format": "plixo-audit/1", "requ', "it is no JSON; it may have been cut off or changed"),
        ("{}", "is no audit file: it does not say that its format is plixo-audit/1"),
        ('{"format": "plixo-audit/1"}', "is no audit file: it has no list of requests"),
        ("[" * 100_000, "it is no JSON"),
    ],
)
def test_another_file_is_refused_in_a_line(plixo: Plixo, tmp_path: Path, content: str | None, said: str) -> None:
    keys = tmp_path / "keys"
    load_or_create_signing_key(keys / "private.json", keys / "public.json")
    file = tmp_path / "audit.json"
    if content is not None:
        file.write_text(content)
    ran = plixo("audit", "verify", str(file), "--keys", str(keys / "public.json"))
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("content", [None, "{}", "[]", '{"keys": 7}'])
def test_a_file_of_keys_that_is_none_is_named(plixo: Plixo, tmp_path: Path, content: str | None) -> None:
    keys, file = tmp_path / "keys.json", tmp_path / "audit.json"
    file.write_text('{"format": "plixo-audit/1", "requests": []}')
    if content is not None:
        keys.write_text(content)
    ran = plixo("audit", "verify", str(file), "--keys", str(keys))
    assert ran.code == 1
    assert "keys.json holds no public keys" in ran.err


async def checkpointed(plixo: Plixo, folder: Path) -> Path:
    """A checkpoint over what was told, copied to where an auditor has it."""
    out = folder / "checkpoint.json"
    made = await asyncio.to_thread(plixo, "audit", "checkpoint", "--out", str(out), "--json")
    assert made.code == 0, made.err
    assert (made.document["number"], made.document["requests"], made.document["file"]) == (1, 2, str(out))
    return out


@pytest.mark.usefixtures("told")
async def test_the_database_is_held_against_the_folders_checkpoints(plixo: Plixo, tmp_path: Path) -> None:
    before = await asyncio.to_thread(plixo, "audit", "verify")
    assert "No checkpoint was found: that a chain's end was cut off" in " ".join(before.out.split())
    page = (await asyncio.to_thread(plixo, "audit", "checkpoint")).out
    assert page.startswith("Checkpoint 1 is signed.\n")
    again = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    assert (again.code, again.document["ok"], again.document["notes"]) == (0, True, [])
    assert [one["number"] for one in again.document["checkpoints"]] == [1]
    (kept,) = (tmp_path / "checkpoints").iterdir()
    kept.write_text(kept.read_text().replace("plixo-checkpoint/1", "plixo-checkpoint/2"))
    bent = await asyncio.to_thread(plixo, "audit", "verify")
    assert bent.code == 1
    assert "First bad row: checkpoint 1:" in bent.out


CUT = "delete from audit where event = 'effect_done'"
GONE = (
    "delete from effects; delete from decisions; delete from audit where approval_id in (select approval_id from "
    "approvals where state = 'executed'); delete from approvals where state = 'executed'"
)


@pytest.mark.asvs("16.4.3")
@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (f"{CUT}; update approvals set state = 'executing' where state = 'executed'", "entry 6 is missing: the chain"),
        (GONE, "the whole request is missing (checkpoint 1 holds it with 6 entries)"),
    ],
    ids=["cut tail", "missing request"],
)
@pytest.mark.usefixtures("told")
async def test_what_was_cut_off_or_removed_cleanly_shows_by_the_checkpoint_alone(
    plixo: Plixo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statements: str, named: str
) -> None:
    await checkpointed(plixo, tmp_path)
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(tmp_path / "plixo.db")) as live, closing(sqlite3.connect(copy)) as database:
        live.backup(database)
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{name}"')
        database.executescript(statements)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{copy}")
    ran = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    assert ran.code == 1
    assert any(named in finding for finding in ran.document["findings"])
    monkeypatch.setenv("PLIXO_CHECKPOINTS", str(tmp_path / "nowhere"))
    blind = await asyncio.to_thread(plixo, "audit", "verify", "--json")
    assert not any(named in finding for finding in blind.document["findings"]), "what only a checkpoint can tell"
    assert "is missing" in blind.document["findings"][-1], "and that the checkpoint itself is gone is told"


@pytest.mark.asvs("16.4.3")
async def test_a_file_is_held_against_a_checkpoint_where_there_is_nothing_else(
    told: House, plixo: Plixo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = await checkpointed(plixo, tmp_path)
    whole = (await asyncio.to_thread(plixo, "audit", "export", "--json")).document
    mine = next(block["approval_id"] for block in whole["requests"] if block["decisions"])
    one = (await asyncio.to_thread(plixo, "audit", "export", mine, "--json")).document
    keys = ["--keys", str(told.settings.public_keys), "--checkpoint-keys", str(told.settings.audit_public_keys)]
    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DATABASE_URL")
    file = tmp_path / "audit.json"

    async def verify(document: Any) -> Ran:
        file.write_text(json.dumps(document))
        words = ["audit", "verify", str(file), "--checkpoint", str(checkpoint), *keys, "--json"]
        return await asyncio.to_thread(plixo, *words)

    for document in (whole, one):
        ran = await verify(document)
        assert (ran.code, ran.document["findings"]) == (0, []), ran.err
    forged = json.loads(json.dumps(whole))
    forged["requests"] = [block for block in forged["requests"] if block["approval_id"] != mine]
    del forged["seal"]
    assert f"{mine}: the whole request is missing (checkpoint 1 holds it" in (await verify(forged)).out
    strange = await verify(whole | {"requests": [*whole["requests"], whole["requests"][0]]})
    assert strange.document["findings"] == ["a request stands in the file twice"]
    checkpoint.write_text(checkpoint.read_text().replace('"number": 1', '"number": 2'))
    assert "is not to be trusted" in (await verify(whole)).document["findings"][0]


@pytest.mark.usefixtures("told")
async def test_a_checkpoint_that_is_newer_than_the_file_is_refused_as_such(plixo: Plixo, tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    file.write_text((await asyncio.to_thread(plixo, "audit", "export", "--json")).out)
    checkpoint = await checkpointed(plixo, tmp_path)
    ran = await asyncio.to_thread(plixo, "audit", "verify", str(file), "--checkpoint", str(checkpoint))
    assert ran.code == 1
    assert "export anew, or give an older one" in ran.err


@pytest.mark.usefixtures("told")
async def test_the_page_tells_the_whole_story_and_needs_nothing_else(plixo: Plixo, tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    ran = await asyncio.to_thread(plixo, "audit", "export", "--html", str(file))
    assert (ran.code, "".join(ran.out.split())) == (0, f"Written:{file},2requests.")
    page = html.unescape(file.read_text())
    sealed = (await asyncio.to_thread(plixo, "audit", "export", "--json")).document
    done = decided(sealed)
    for words in (
        "Every chain is unbroken and every signature holds: 8 entries and 3 signatures of 2 requests",
        "Billing Admin",
        "The outage of May.",
        done["request"]["path"]["why"],
        "for Controller",
        "<q>because</q>",
        done["effect"]["stripe_object"],
        done["effect"]["key"],
        *(entry["hash"] for block in sealed["requests"] for entry in block["chain"]),
    ):
        assert words in page
    assert page.count("signature holds</span>") == 3
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=(?![\"']#)|url\(|@import", page) == []


@pytest.mark.usefixtures("told")
async def test_the_page_says_what_does_not_hold_and_escapes_what_was_typed(
    plixo: Plixo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, file = tmp_path / "copy.db", tmp_path / "audit.html"
    with closing(sqlite3.connect(tmp_path / "plixo.db")) as live, closing(sqlite3.connect(copy)) as database:
        live.backup(database)
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{name}"')
        database.execute("update decisions set comment = '<script>alert(1)</script>'")
        database.execute("update approvals set change = '{}' where state = 'waiting'")
        database.commit()
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{copy}")
    ran = await asyncio.to_thread(plixo, "audit", "export", "--html", str(file))
    assert (ran.code, ran.err) == (0, "")
    page = file.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "2 of 2 requests do not hold:" in page
    assert "its rows were changed until they cannot be read" in page
    assert "what stands beside the signature is not what was signed" in page


def test_without_the_staff_sides_key_no_checkpoint_is_signed(plixo: Plixo, tmp_path: Path) -> None:
    assert plixo("db", "upgrade").code == 0
    ran = plixo("audit", "checkpoint", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "checkpoints are signed on the staff side: run this where the console runs" in ran.err
    assert not (tmp_path / "data" / "keys").exists()
