"""Where `plixo audit` reads: a file, or this machine's database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet

from plixo.bootstrap import now
from plixo.config import Settings
from plixo.domain.ids import is_approval_id
from plixo.domain.people import Person
from plixo.signing.keys import KeyFileError, load_or_create_signing_key
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import audit_export, documents, people
from plixo.store.audit_file import (
    Block,
    Checked,
    CheckpointTooNew,
    NotAnAuditFile,
    check_block,
    hashes_of,
    to_document,
    verify_document,
)
from plixo.store.checkpoint_check import Against
from plixo.store.checkpoint_file import Held
from starters.cli import audit_checkpoints
from starters.cli.audit_checkpoints import Given, load_keys, read_json
from starters.cli.database import reading
from starters.cli.failures import CommandFailed
from starters.cli.settings import load_settings

__all__ = ["Exported", "Given", "Proof", "export", "is_approval_id", "of_database", "of_file"]

_OWN = (
    "The keys are the file's own: whoever could write the file could have chosen them. Compare their ids with those "
    "of the installation, or give its public keys with --keys."
)


@dataclass(frozen=True)
class Proof:
    """What was checked, by which keys, and what came of it.

    Attributes:
        source: The file, or `the database`.
        checked: The result.
        keys_from: Where the public keys were found.
        key_ids: Their ids.
        notes: What the reader must know of the keys and the checkpoints.
        held: The checkpoints it was held against, newest first.
    """

    source: str
    checked: Checked
    keys_from: str
    key_ids: tuple[str, ...]
    notes: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Exported:
    """The audit log of some requests.

    Attributes:
        blocks: One a request.
        people: Everybody by id, for a reader.
        document: The sealed file; None where none was asked for.
    """

    blocks: Sequence[Block]
    people: Mapping[str, Person]
    document: Mapping[str, Any] | None


def of_file(path: Path, keys: Path | None, given: Given) -> Proof:
    """Check an exported file.

    Args:
        path: The file.
        keys: The staff side's public keys; this machine's or the file's own when left out.
        given: The checkpoint to hold it against, if any.

    Raises:
        CommandFailed: It cannot be read, is something else, or there are no keys to check it by.
    """
    document = read_json(path, "audit file")
    known, keys_from = _keys_for(document, keys)
    shelf = audit_checkpoints.of_given(load_settings(), given)
    try:
        checked = verify_document(document, StaffVerifier(known), shelf.held[0] if shelf.held else None)
    except NotAnAuditFile as other:
        raise CommandFailed(f"{path} is no audit file: {other}; `plixo audit export --json` writes one.") from other
    except CheckpointTooNew as newer:
        raise CommandFailed(f"{given.file} cannot prove {path}: {newer}; export anew, or give an older one.") from newer
    notes = (*((_OWN,) if keys_from == "the file itself" else ()), *shelf.notes)
    return Proof(str(path), checked.also(shelf.findings), keys_from, _ids(known), notes, shelf.held)


async def of_database(keys: Path | None, given: Given) -> Proof:
    """Check every request in the database, and hold it against the checkpoints kept of it.

    Raises:
        CommandFailed: The database or the keys cannot be read.
    """
    settings = load_settings()
    known = load_keys(keys or settings.public_keys)
    verifier, checked = StaffVerifier(known), Checked()
    async with reading(settings) as session:
        shelf = await audit_checkpoints.of_database(settings, session, given)
        against = Against(shelf.held)
        async for block in audit_export.blocks(session, await audit_export.known_ids(session)):
            finding = check_block(block, verifier) or await documents.first_changed(session, block["approval_id"])
            checked = checked.plus(block, finding)
            against.take(block["approval_id"], hashes_of(block))
    against.finish()
    checked = checked.also([*against.findings, *shelf.findings])
    keys_from = str(keys or settings.public_keys)
    return Proof("the database", checked, keys_from, _ids(known), shelf.notes, shelf.held)


async def export(ids: Sequence[str], *, sealed: bool) -> Exported:
    """The audit log of the requests named, or of all.

    Raises:
        CommandFailed: One of them does not exist, the database cannot be read, or there is no key to seal with.
    """
    settings, began = load_settings(), now()
    async with reading(settings) as session:
        wanted = ids or await audit_export.known_ids(session)
        blocks = [block async for block in audit_export.blocks(session, wanted)]
        everybody = {person.person_id: person for person in await people.everybody(session)}
    missing = set(wanted) - {block["approval_id"] for block in blocks}
    if missing:
        raise CommandFailed(f"There is no request {min(missing)}; `plixo approvals list` shows those there are.")
    document = _sealed(settings, blocks, began, whole=not ids) if sealed else None
    return Exported(blocks, everybody, document)


def _sealed(settings: Settings, blocks: Sequence[Block], began: datetime, *, whole: bool) -> Mapping[str, Any]:
    if not settings.signing_key.exists():
        wanted = "the file is sealed with the staff side's key: run this where the console runs"
        raise CommandFailed(f"There is no signing key at {settings.signing_key}; {wanted}.")
    try:
        signer = StaffSigner(load_or_create_signing_key(settings.signing_key, settings.public_keys))
    except KeyFileError as error:
        raise CommandFailed(str(error)) from error
    public = json.loads(settings.public_keys.read_text(encoding="utf-8"))
    return to_document(blocks, public, signer, began, whole=whole)


def _keys_for(document: Any, keys: Path | None) -> tuple[KeySet, str]:  # noqa: ANN401 - parsed JSON
    """The keys given, or this machine's, or those in the file."""
    local = load_settings().public_keys
    trusted = keys or (local if local.exists() else None)
    if trusted:
        return load_keys(trusted), str(trusted)
    try:
        return KeySet.import_key_set(document["public_keys"]), "the file itself"
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed("There are no public keys to check it by; give them with --keys.") from error


def _ids(keys: KeySet) -> tuple[str, ...]:
    return tuple(str(key.kid) for key in keys.keys)
