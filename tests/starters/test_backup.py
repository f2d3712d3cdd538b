"""Backup and restore, with requests that wait meanwhile: they are decided where the backup was put back."""

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from demo.places import Ports
from demo.preparing import wait_for_temporal
from demo.stack import _temporal
from plixo.bootstrap import open_staff, open_workshop, prepare_database
from plixo.config import Settings
from plixo.domain.approval import State
from plixo.signing.keys import load_or_create_signing_key
from plixo.store import archive, backup
from plixo.store.archive import NotABackup
from plixo.store.backup import CannotBackUp, CannotRestore, make, restore
from starters.credits import Asked
from starters.resuming import resume
from tests.support.databases import database
from tests.support.house import House, open_house
from workers.main import working


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def two_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """One that is in use, and an empty one."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    with database(request.param, tmp_path / "here") as one, database(request.param, tmp_path / "there") as other:
        yield one, other


@asynccontextmanager
async def elsewhere(house: House, settings: Settings) -> AsyncIterator[House]:
    """The house on what was restored: on one machine Temporal, too; else one that never heard of any of it."""
    ports, one_machine = Ports.free(), settings.database.startswith("sqlite")
    kept = settings.data if one_machine else settings.data.with_name("another-temporal")
    kept.mkdir(exist_ok=True)
    assert (kept / "temporal.db").exists() is one_machine
    temporal = _temporal(kept, ports)
    moved = settings.model_copy(update={"temporal_address": f"127.0.0.1:{ports.temporal}"})
    await temporal.start()
    try:
        await wait_for_temporal(temporal, moved.temporal_address)
        async with open_staff(moved) as staff, open_workshop(moved) as workshop:
            yield replace(house, settings=moved, staff=staff, workshop=workshop)
    finally:
        await temporal.kill()


async def test_requests_that_waited_before_the_backup_are_decided_after_the_restore(
    tmp_path: Path, two_databases: tuple[str, str]
) -> None:
    before, after = two_databases
    file = tmp_path / "backup.tar.gz"
    async with open_house(tmp_path / "here", before) as house:
        done = await house.ask("120.00", customer="cus_ExampleClinics")
        one, both = await house.ask(), await house.ask("38000.00")
        await house.until_ended(done)
        for asked in (both, one):
            await house.until_waiting(asked)
        await house.decide(both, "legal")
        manifest = await asyncio.to_thread(make, house.settings, file, ["DATABASE_URL"])
        assert (file.stat().st_mode & 0o777, manifest.revision) == (0o600, backup._revision(make_url(before)))

        data = tmp_path / "there" / "data"
        settings = house.settings.model_copy(update={"data": data, "database_url": after})
        restored = await asyncio.to_thread(restore, settings, file, replace=False)
        assert restored.aside is None
        assert settings.signing_key.read_bytes() == house.settings.signing_key.read_bytes()
        assert settings.signing_key.stat().st_mode & 0o777 == 0o600
        async with elsewhere(house, settings) as there:
            assert (await there.record(both)).approval.state is State.WAITING
            runs = [await running(there, asked) for asked in (both, one)]
            assert runs == [int(after.startswith("sqlite"))] * 2, "what Temporal was restored with"
            assert await resume(there.desk.ledger, there.workshop.temporal) == 2
            assert [await running(there, asked) for asked in (both, one)] == [1, 1]
            async with working(there.workshop):
                for asked in (both, one):
                    await there.until_waiting(asked)
                assert await resume(there.desk.ledger, there.workshop.temporal) == 2, "again it does no harm"
                for asked in (both, one):
                    assert (await there.decide(asked, "controller")).answer == "accepted"
                    assert (await there.until_ended(asked)).approval.state is State.EXECUTED
            assert [len(await there.ledger(asked)) for asked in (done, both, one)] == [1, 1, 1]
            assert await resume(there.desk.ledger, there.workshop.temporal) == 0


async def running(house: House, asked: Asked) -> int:
    """Whether a request's workflow runs, as a number."""
    try:
        return int((await house.workflow(asked).describe()).status is WorkflowExecutionStatus.RUNNING)
    except RPCError:
        return 0


# What is refused


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A small installation on one machine that never ran."""
    found = with_public_keys(Settings(env="dev", data=tmp_path / "data"), tmp_path / "public")
    found.data.mkdir()
    asyncio.run(prepare_database(found))
    load_or_create_signing_key(found.signing_key, found.public_keys)
    (found.data / "checkpoints").mkdir()
    (found.data / "checkpoints" / "checkpoint-000001.json").write_text('{"number": 1}')
    return found


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    made = tmp_path / "made" / "backup.tar.gz"
    make(settings, made, ["PLIXO_DATA", "STRIPE_API_KEY"])
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return with_public_keys(Settings(env="dev", data=tmp_path / "new"), tmp_path / "new-public")


def with_public_keys(settings: Settings, folder: Path) -> Settings:
    """As `PLIXO_PUBLIC_KEYS` names the file: elsewhere than in the data folder."""
    return settings.model_copy(update={"public_keys_file": str(folder / "keys.json")})


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.asvs("13.3.1")
def test_it_holds_everything_names_settings_without_values_and_is_its_owners_alone(file: Path) -> None:
    with tarfile.open(file) as tar:
        names = tar.getnames()
        manifest = json.loads(tar.extractfile("manifest.json").read())
    assert names == [
        "manifest.json", "database.sqlite", "keys/signing-private.json", "checkpoints/checkpoint-000001.json",
        "keys/signing-public.json"
    ]  # fmt: skip
    assert manifest["settings"] == ["PLIXO_DATA", "STRIPE_API_KEY"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing else is left beside it"


def test_what_is_restored_is_where_the_settings_of_the_new_place_want_it(
    file: Path, settings: Settings, empty: Settings
) -> None:
    restore(empty, file, replace=False)
    for old, new in ((settings.signing_key, empty.signing_key), (settings.public_keys, empty.public_keys)):
        assert new.read_bytes() == old.read_bytes()
        assert new.stat().st_mode == old.stat().st_mode
    assert left_in(empty.data) == ["checkpoints/checkpoint-000001.json", "keys/signing-private.json", "plixo.db"]


def test_over_what_is_there_it_is_put_only_when_told_and_the_old_is_kept(file: Path, settings: Settings) -> None:
    settings.signing_key.write_text("another key")
    before = left_in(settings.data)
    with pytest.raises(CannotRestore, match=r"plixo\.db would be replaced; restore into an empty folder .* --replace"):
        restore(settings, file, replace=False)
    assert left_in(settings.data) == before
    done = restore(settings, file, replace=True)
    assert done.aside is not None
    assert (done.aside / "keys" / "signing-private.json").read_text() == "another key"
    assert json.loads(settings.signing_key.read_text())["kty"] == "OKP"


def rewritten(file: Path, change: Any) -> Path:
    """The archive with its members changed by a test; the manifest stays as it was unless that is changed too."""
    with tarfile.open(file) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]
    spoilt = file.with_name("spoilt.tar.gz")
    with tarfile.open(spoilt, "w:gz") as tar:
        for name, content, kind in change(members):
            about = tarfile.TarInfo(name)
            about.size, about.type = len(content), kind
            about.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            tar.addfile(about, io.BytesIO(content))
    return spoilt


REG = tarfile.REGTYPE


def flipped(members: Any) -> Any:
    return [(name, content[:-1] + b"x" if name.endswith("private.json") else content, REG) for name, content in members]


def without(members: Any) -> Any:
    return [(name, content, REG) for name, content in members if not name.startswith("checkpoints")]


def with_another(members: Any) -> Any:
    return [*((name, content, REG) for name, content in members), ("../../evil", b"x", REG)]


def linked(members: Any) -> Any:
    return [(name, b"" if name.startswith("ch") else content, tarfile.SYMTYPE if name.startswith("ch") else REG)
            for name, content in members]  # fmt: skip


def manifest_with(**changed: Any) -> Any:
    def change(members: Any) -> Any:
        found = json.loads(members[0][1]) | changed
        return [(members[0][0], json.dumps(found).encode(), REG), *((name, body, REG) for name, body in members[1:])]

    return change


def renamed(members: Any) -> Any:
    found = json.loads(members[0][1])
    found["members"][-1]["name"] = "keys/../../evil"
    return manifest_with(members=found["members"])(members)


def member_with(**changed: Any) -> Any:
    def change(members: Any) -> Any:
        found = json.loads(members[0][1])["members"]
        return manifest_with(members=[*found[:-1], found[-1] | changed])(members)

    return change


def without_database(members: Any) -> Any:
    found = [one for one in json.loads(members[0][1])["members"] if one["name"] != "database.sqlite"]
    return manifest_with(members=found)([one for one in members if one[0] != "database.sqlite"])


def with_a_file_for_a_database(members: Any) -> Any:
    found = json.loads(members[0][1])["members"]
    stray = {"name": "database.sqlite", "size": 1, "mode": "600", "sha256": hashlib.sha256(b"x").hexdigest()}
    return [*manifest_with(members=[*found, stray])(members), ("database.sqlite", b"x", REG)]


SPOILT: dict[str, tuple[Any, str]] = {
    "a flipped byte": (flipped, "keys/signing-private.json is not as it was written"),
    "a missing file": (without, "checkpoints/checkpoint-000001.json is missing"),
    "a file too many": (with_another, "../../evil does not belong in it"),
    "a link": (linked, "checkpoints/checkpoint-000001.json does not belong in it"),
    "a way out of the folder": (renamed, "'keys/../../evil' does not belong in it"),
    "another format": (manifest_with(format="other"), "its format is another"),
    "a manifest of something else": (manifest_with(more=1), "its manifest cannot be read"),
    "no permissions": (member_with(mode="9z"), "its manifest cannot be read"),
    "permissions as a number": (member_with(mode=600), "its manifest cannot be read"),
    "a name that is none": (member_with(name=7), "its manifest cannot be read"),
    "a revision that is none": (manifest_with(revision=["0001"]), "its manifest cannot be read"),
    "no database": (without_database, "It holds no database.sqlite"),
    "no manifest": (lambda members: [(*one, REG) for one in members[1:]], "it does not begin with a manifest"),
}


@pytest.mark.parametrize(("change", "said"), SPOILT.values(), ids=SPOILT.keys())
def test_what_is_not_as_it_was_written_is_refused_before_anything_is_touched(
    file: Path, empty: Settings, change: Any, said: str
) -> None:
    with pytest.raises(CannotRestore) as caught:
        restore(empty, rewritten(file, change), replace=False)
    assert said in str(caught.value)
    assert left_in(empty.data.parent / "new") == []
    assert not (empty.data.parent / "evil").exists()


def test_half_a_file_or_another_one_is_refused(file: Path, empty: Settings) -> None:
    half = file.with_name("half")
    half.write_bytes(file.read_bytes()[:2000])
    other = file.with_name("other")
    other.write_text("not an archive")
    for wrong in (half, other):
        with pytest.raises(CannotRestore, match="is no backup that can be used"):
            restore(empty, wrong, replace=False)
    with pytest.raises(CannotRestore, match=r"nowhere cannot be used \(No such file"):
        restore(empty, file.with_name("nowhere"), replace=False)
    assert left_in(empty.data) == []


@pytest.mark.parametrize(
    ("changed", "said"), [({"revision": "9999"}, "of a newer Plixo"), ({"database": "postgresql"}, "names sqlite")]
)
def test_a_backup_for_another_place_is_refused(file: Path, empty: Settings, changed: Any, said: str) -> None:
    with pytest.raises(CannotRestore, match=said):
        restore(empty, rewritten(file, manifest_with(**changed)), replace=False)


def test_a_backup_is_not_written_over_another_nor_made_without_the_key(file: Path, settings: Settings) -> None:
    before = file.read_bytes()
    with pytest.raises(CannotBackUp, match="is there already; name another file"):
        make(settings, file, [])
    assert file.read_bytes() == before
    settings.signing_key.unlink()
    with pytest.raises(CannotBackUp, match=r"There is no signing key at .*; run this where the console runs"):
        make(settings, file.with_name("second"), [])


def test_half_a_backup_is_never_left_behind(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_add", full)
    with pytest.raises(CannotBackUp, match="No space left on device"):
        make(settings, tmp_path / "made" / "backup.tar.gz", [])
    assert left_in(tmp_path / "made") == []


@pytest.mark.postgres
def test_postgresql_is_not_restored_over_tables_or_beside_others(tmp_path: Path, settings: Settings) -> None:
    with database("postgres", tmp_path) as url:
        theirs = settings.model_copy(update={"database_url": url})
        asyncio.run(prepare_database(theirs))
        made = tmp_path / "backup"
        make(theirs, made, [])
        new = theirs.model_copy(update={"data": tmp_path / "new", "public_keys_file": ""})
        stray = rewritten(made, with_a_file_for_a_database)
        with pytest.raises(CannotRestore, match=r"It holds database\.sqlite, which has no place"):
            restore(new, stray, replace=True)
        with pytest.raises(CannotRestore, match="The database's own tables would be replaced"):
            restore(new, made, replace=False)
        with psycopg.connect(url.replace("+psycopg", "")), pytest.raises(CannotRestore, match="1 others are connected"):
            restore(new, made, replace=True)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("drop table rates; create table rates (mine int)")
        restore(new, made, replace=True)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            found = connection.execute("select count(*) from people").fetchone()
            columns = connection.execute("select currency from rates").fetchall()
        assert (found[0] > 5, columns) == (True, [])


@pytest.mark.postgres
def test_without_postgresqls_programs_it_is_said_so(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = settings.model_copy(update={"database_url": "postgresql://plixo:hunter2@127.0.0.1:9/plixo"})
    with pytest.raises(CannotBackUp, match="Connection refused") as caught:
        make(theirs, tmp_path / "backup", [])
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotBackUp, match="pg_dump is not here; install PostgreSQL's client programs"):
        make(theirs, tmp_path / "backup", [])


def test_an_archive_may_say_nothing_that_is_not_ours(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tar"
    with tarfile.open(plain, "w"):
        pass
    with pytest.raises(NotABackup, match="does not begin with a manifest"):
        archive.unpack(plain, tmp_path)
