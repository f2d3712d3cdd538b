"""Backup, restore, roles, promotion and resumption as commands: what they say, and how they refuse."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from demo.places import held
from plixo.signing.keys import load_or_create_signing_key
from starters.cli.settings import load_settings
from tests.starters.cli.conftest import Ran

Plixo = Callable[..., Ran]


def refused(ran: Ran, code: int = 1) -> str:
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
    assert ran.err.startswith("plixo: ")
    return ran.err


@pytest.fixture
def installed(plixo: Plixo) -> Path:
    """A data folder with a database and keys."""
    assert plixo("db", "upgrade").code == 0
    settings = load_settings()
    load_or_create_signing_key(settings.signing_key, settings.public_keys)
    return settings.data


def test_a_backup_is_made_and_restored_elsewhere(
    plixo: Plixo, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backups" / "one.tar.gz"
    made = plixo("backup", str(file), "--json").document
    assert (made["holds_secrets"], made["database"], made["settings"]) == (True, "sqlite", ["PLIXO_DATA"])
    told = plixo("backup", str(file.with_name("two.tar.gz")))
    assert "whoever has it can sign as the staff side" in " ".join(told.out.split())

    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "elsewhere"))
    restored = plixo("restore", str(file), "--json").document
    assert restored["audit"] == {"ok": True, "requests": 0, "findings": []}
    assert (tmp_path / "elsewhere" / "keys" / "signing-private.json").read_bytes() == (
        installed / "keys" / "signing-private.json"
    ).read_bytes()
    assert "would be replaced" in refused(plixo("restore", str(file)))
    replaced = plixo("restore", str(file), "--replace")
    assert replaced.code == 0
    assert "Next: plixo temporal resume" in replaced.out
    with held(tmp_path / "elsewhere"):
        assert "is in use by another Plixo; stop it first" in refused(plixo("restore", str(file), "--replace"))


def test_an_audit_log_that_was_broken_before_the_backup_shows_at_the_restore(
    plixo: Plixo, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(installed / "plixo.db")) as database:
        database.execute("insert into audit values ('CR-1', 2, '2026-01-01', 'x', 'y', '{}', '0', '0')")
        database.commit()
    file = tmp_path / "one.tar.gz"
    assert plixo("backup", str(file)).code == 0
    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "elsewhere"))
    restored = plixo("restore", str(file))
    assert restored.code == 1
    assert "first bad row: CR-1" in " ".join(restored.out.split())


def test_what_cannot_be_backed_up_or_restored_is_one_line(plixo: Plixo, tmp_path: Path) -> None:
    assert "There is no signing key at" in refused(plixo("backup", str(tmp_path / "one")))
    settings = load_settings()
    load_or_create_signing_key(settings.signing_key, settings.public_keys)
    assert "There is no database at" in refused(plixo("backup", str(tmp_path / "one")))
    assert not (tmp_path / "data" / "plixo.db").exists()
    assert "nowhere cannot be used (No such file or directory)" in refused(plixo("restore", str(tmp_path / "nowhere")))
    (tmp_path / "text").write_text("not an archive")
    assert "is no backup that can be used" in refused(plixo("restore", str(tmp_path / "text")))


def test_roles_are_said_and_refused(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Roles are PostgreSQL's; set DATABASE_URL" in refused(plixo("db", "roles"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://plixo:hunter2@127.0.0.1:9/plixo")
    said = plixo("db", "roles", "--worker", "mine", "--json").document
    assert said["applied"] is False
    assert 'grant connect on database "plixo" to mine' in said["statements"]
    assert not any("decisions" in line and "insert" in line and "mine" in line for line in said["statements"])
    printed = " ".join(plixo("db", "roles").out.split())
    assert "grant select on people to plixo_worker;" in printed
    assert "no role's name here" in refused(plixo("db", "roles", "--staff", "x; drop table audit"))
    line = refused(plixo("db", "roles", "--apply"))
    assert "cannot be used" in line
    assert "hunter2" not in line


def test_a_promotion_needs_a_build_and_a_cluster(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Which build? Name it, or set PLIXO_BUILD_ID" in refused(plixo("worker", "promote"), 2)
    assert "No Temporal is configured" in refused(plixo("worker", "promote", "one"))
    assert "No Temporal is configured" in refused(plixo("temporal", "resume"))
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", "127.0.0.1:9")
    assert "Temporal does not answer at 127.0.0.1:9" in refused(plixo("worker", "promote", "one"))
    assert "Temporal does not answer at 127.0.0.1:9" in refused(plixo("temporal", "resume"))
    monkeypatch.setenv("PLIXO_BUILD_ID", "one two")
    assert "PLIXO_BUILD_ID cannot be used" in refused(plixo("worker", "promote"))
