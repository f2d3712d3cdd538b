"""Backup and restore: machines' commands, to be run where the keys are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import facts, heading, line, pages, show
from starters.cli.reach import Json
from starters.cli.settings import load_settings, variable

if TYPE_CHECKING:
    from plixo.config import Settings
    from starters.cli.audit_sources import Proof

app_backup = App(name="backup", help_epilogue=example("plixo backup /backups/plixo-2026-11-22.tar.gz"))
app_restore = App(name="restore", help_epilogue=example("plixo restore /backups/plixo-2026-11-22.tar.gz"))


@app_backup.default
def backup(file: Path, /, *, as_json: Json = False) -> None:
    """Write the database, every key and every checkpoint into one file, while everybody goes on working.

    The file holds private keys: keep it as you would keep them. It needs `pg_dump` where the database is PostgreSQL.

    Args:
        file: The archive to write; readable by its owner alone.
        as_json: Print one JSON document.
    """
    from plixo.store.backup import CannotBackUp, make  # noqa: PLC0415 - `plixo --help` stays quick
    from starters.cli.database import failures_named  # noqa: PLC0415 - the same

    settings = load_settings()
    try:
        with failures_named(settings):
            made = make(settings, file.absolute(), [variable(name) for name in settings.model_fields_set])
    except CannotBackUp as known:
        raise CommandFailed(str(known)) from known
    about = [
        ("database", f"{made.database}, revision {made.revision}"),
        ("files", ", ".join(member.name for member in made.members)),
    ]
    warning = line("It holds private keys: whoever has it can sign as the staff side.")
    document = {"file": str(file), "holds_secrets": True, **asdict(made)}
    show(document, pages(heading(f"Everything is in {file}."), facts(about), warning), as_json=as_json)


@app_restore.default
def restore(file: Path, /, *, replace: bool = False, as_json: Json = False) -> int:
    """Put a backup back, bring it to this version, and prove its audit log whole; stop console and workers first.

    Everything is unpacked and checked before anything is written.

    Args:
        file: The archive.
        replace: Move aside the files that are in the way, and drop the tables of the database.
        as_json: Print one JSON document.
    """
    from plixo.store.backup import CannotRestore  # noqa: PLC0415 - `plixo --help` stays quick
    from plixo.store.backup import restore as put_back  # noqa: PLC0415 - the same
    from plixo.store.migrate import upgrade  # noqa: PLC0415 - the same
    from starters.cli import audit_sources  # noqa: PLC0415 - the same
    from starters.cli.audit_checkpoints import Given  # noqa: PLC0415 - the same
    from starters.cli.database import failures_named  # noqa: PLC0415 - the same

    settings = load_settings()
    try:
        with _alone(settings), failures_named(settings):
            done = put_back(settings, file, replace=replace)
            revision = asyncio.run(upgrade(settings.database))
    except CannotRestore as known:
        raise CommandFailed(str(known)) from known
    proof = asyncio.run(audit_sources.of_database(None, Given()))
    about = [
        ("made", f"{done.manifest.made_at} by Plixo {done.manifest.version}"),
        ("database", f"{done.manifest.database}, revision {revision}"),
        ("files", ", ".join(member.name for member in done.manifest.members)),
        ("moved aside", str(done.aside or "")),
        ("audit log", _verdict(proof)),
    ]
    document = {
        "file": str(file),
        "made_at": done.manifest.made_at,
        "database": done.manifest.database,
        "revision": revision,
        "files": [member.name for member in done.manifest.members],
        "aside": str(done.aside) if done.aside else None,
        "audit": {"ok": proof.checked.ok, "requests": proof.checked.requests, "findings": list(proof.checked.findings)},
    }
    roles = "plixo db roles --apply, then " if done.manifest.database == "postgresql" else ""
    following = f"{roles}plixo temporal resume"
    page = pages(heading(f"{file} is restored."), facts(about))
    show(document, page, as_json=as_json, following=following if proof.checked.ok else "")
    return 0 if proof.checked.ok else 1


def _verdict(proof: "Proof") -> str:
    checked = proof.checked
    return f"whole, {checked.requests} requests" if checked.ok else f"first bad row: {checked.findings[0]}"


@contextmanager
def _alone(settings: "Settings") -> Iterator[None]:
    from demo.places import CannotStart, held  # noqa: PLC0415 - `plixo --help` stays quick

    try:
        with held(settings.data):
            yield
    except CannotStart as used:
        reason = str(used).partition(";")[0]
        raise CommandFailed(f"{reason}; stop it first, or set PLIXO_DATA to another folder.") from used
