"""`plixo audit` on what really happened: asked, decided, carried out, by the real parts."""

import asyncio
import json
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
from tests.starters.cli.conftest import Ran
from tests.support.house import House

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
