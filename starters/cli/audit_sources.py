"""Where `plixo audit` reads: a file, or this machine's database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet

from plixo.bootstrap import now
from plixo.config import Settings
from plixo.domain.ids import is_approval_id
from plixo.signing.keys import KeyFileError, load_or_create_signing_key, load_public_keys
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import audit_export, people
from plixo.store.audit_file import Block, Checked, NotAnAuditFile, check_block, to_document, verify_document
from starters.cli.database import reading
from starters.cli.failures import CommandFailed
from starters.cli.settings import load_settings

__all__ = ["Exported", "Proof", "export", "is_approval_id", "of_database", "of_file"]

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
        caveat: What the reader must know of the keys.
    """

    source: str
    checked: Checked
    keys_from: str
    key_ids: tuple[str, ...]
    caveat: str = ""


@dataclass(frozen=True)
class Exported:
    """The audit log of some requests.

    Attributes:
        blocks: One a request.
        names: People's names by id, for a reader.
        document: The sealed file; None where none was asked for.
    """

    blocks: Sequence[Block]
    names: Mapping[str, str]
    document: Mapping[str, Any] | None


def of_file(path: Path, keys: Path | None) -> Proof:
    """Check an exported file.

    Raises:
        CommandFailed: It cannot be read, is something else, or there are no keys to check it by.
    """
    document = _read(path)
    known, keys_from = _keys_for(document, keys)
    try:
        checked = verify_document(document, StaffVerifier(known))
    except NotAnAuditFile as other:
        raise CommandFailed(f"{path} is no audit file: {other}; `plixo audit export --json` writes one.") from other
    return Proof(str(path), checked, keys_from, _ids(known), _OWN if keys_from == "the file itself" else "")


async def of_database(keys: Path | None) -> Proof:
    """Check every request in the database.

    Raises:
        CommandFailed: The database or the keys cannot be read.
    """
    settings = load_settings()
    known = _load(keys or settings.public_keys)
    verifier, checked = StaffVerifier(known), Checked()
    async with reading(settings) as session:
        async for block in audit_export.blocks(session, await audit_export.known_ids(session)):
            checked = checked.plus(block, check_block(block, verifier))
    return Proof("the database", checked, str(keys or settings.public_keys), _ids(known))


async def export(ids: Sequence[str], *, sealed: bool) -> Exported:
    """The audit log of the requests named, or of all.

    Raises:
        CommandFailed: One of them does not exist, the database cannot be read, or there is no key to seal with.
    """
    settings = load_settings()
    async with reading(settings) as session:
        wanted = ids or await audit_export.known_ids(session)
        blocks = [block async for block in audit_export.blocks(session, wanted)]
        names = {person.person_id: person.name for person in await people.everybody(session)}
    missing = set(wanted) - {block["approval_id"] for block in blocks}
    if missing:
        raise CommandFailed(f"There is no request {min(missing)}; `plixo approvals list` shows those there are.")
    return Exported(blocks, names, _sealed(settings, blocks) if sealed else None)


def _sealed(settings: Settings, blocks: Sequence[Block]) -> Mapping[str, Any]:
    if not settings.signing_key.exists():
        wanted = "the file is sealed with the staff side's key: run this where the console runs"
        raise CommandFailed(f"There is no signing key at {settings.signing_key}; {wanted}.")
    try:
        signer = StaffSigner(load_or_create_signing_key(settings.signing_key, settings.public_keys))
    except KeyFileError as error:
        raise CommandFailed(str(error)) from error
    public = json.loads(settings.public_keys.read_text(encoding="utf-8"))
    return to_document(blocks, public, signer, now())


def _keys_for(document: Any, keys: Path | None) -> tuple[KeySet, str]:  # noqa: ANN401 - parsed JSON
    """The keys given, or this machine's, or those in the file."""
    local = load_settings().public_keys
    trusted = keys or (local if local.exists() else None)
    if trusted:
        return _load(trusted), str(trusted)
    try:
        return KeySet.import_key_set(document["public_keys"]), "the file itself"
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed("There are no public keys to check it by; give them with --keys.") from error


def _load(path: Path) -> KeySet:
    try:
        return load_public_keys(path)
    except (KeyFileError, OSError, TypeError) as error:
        raise CommandFailed(f"{path} holds no public keys; give them with --keys, or set PLIXO_DATA.") from error


def _ids(keys: KeySet) -> tuple[str, ...]:
    return tuple(str(key.kid) for key in keys.keys)


def _read(path: Path) -> Any:  # noqa: ANN401 - parsed JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} is no audit file: it is no JSON; it may have been cut off or changed.") from error
