"""Where `plixo audit` finds checkpoints: a file that was given, or this machine's folder; and making one."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet
from sqlalchemy.ext.asyncio import AsyncSession

from plixo.bootstrap import open_checkpoint_desk
from plixo.config import Settings
from plixo.signing.keys import KeyFileError, load_public_keys
from plixo.signing.tokens import StaffVerifier
from plixo.store import checkpoints
from plixo.store.checkpoint_check import NEWEST, NONE_KEPT, Shelf, notes_on, shelf
from plixo.store.checkpoint_file import BadCheckpoint, Held, prove
from plixo.store.checkpoint_folder import CheckpointFolder
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from starters.checkpoints import CannotCheckpoint, make_checkpoint
from starters.cli.database import check_there, failures_named
from starters.cli.failures import CommandFailed


@dataclass(frozen=True)
class Given:
    """What was said of checkpoints on the command line.

    Attributes:
        file: A checkpoint; None where none was named.
        keys: The public audit keys; None where none were named.
    """

    file: Path | None = None
    keys: Path | None = None


def of_given(settings: Settings, given: Given) -> Shelf:
    """The checkpoint that was named, proved; nothing where none was.

    Raises:
        CommandFailed: It cannot be read, or there are no keys to prove it by.
    """
    if given.file is None:
        return Shelf()
    verifier = _verifier(settings, given)
    try:
        held = prove(read_json(given.file, "checkpoint"), verifier)
    except BadCheckpoint as bad:
        return Shelf(findings=(f"{given.file} is not to be trusted: {bad}",))
    return Shelf((held,), notes=tuple(notes_on(held)))


async def of_database(settings: Settings, session: AsyncSession, given: Given) -> Shelf:
    """The checkpoint that was named, or the newest of the folder.

    Raises:
        CommandFailed: There are checkpoints, and no keys to prove them by.
    """
    if given.file:
        return of_given(settings, given)
    folder = CheckpointFolder(settings.checkpoint_folder)
    rows = await checkpoints.newest(session, NEWEST)
    if not rows and not folder.numbers():
        return Shelf(notes=(NONE_KEPT,))
    return shelf(folder, rows, _verifier(settings, given))


async def make(settings: Settings, anew: str) -> tuple[Held, Path]:
    """Sign a checkpoint now; with the file it is kept in.

    Raises:
        CommandFailed: None can be made here.
    """
    if not settings.signing_key.exists():
        wanted = "checkpoints are signed on the staff side: run this where the console runs"
        raise CommandFailed(f"There is no signing key at {settings.signing_key}; {wanted}.")
    check_there(settings)
    engine = open_engine(settings.database)
    try:
        with failures_named(settings):
            desk = open_checkpoint_desk(settings, SqlLedger(engine))
            held = await make_checkpoint(desk, anew=anew)
    except (CannotCheckpoint, KeyFileError) as why:
        raise CommandFailed(str(why)) from why
    except OSError as error:
        words = f"{settings.checkpoint_folder} cannot be written ({error.strerror}); set PLIXO_CHECKPOINTS to a folder"
        raise CommandFailed(f"{words}.") from error
    finally:
        await engine.dispose()
    return held, desk.folder.path(held.checkpoint.number)


def load_keys(path: Path, *, option: str = "--keys") -> KeySet:
    """A file of public keys.

    Raises:
        CommandFailed: It holds none.
    """
    try:
        return load_public_keys(path)
    except (KeyFileError, OSError, TypeError) as error:
        raise CommandFailed(f"{path} holds no public keys; give them with {option}, or set PLIXO_DATA.") from error


def read_json(path: Path, what: str) -> Any:  # noqa: ANN401 - parsed JSON
    """A file's content.

    Raises:
        CommandFailed: It cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} is no {what}: it is no JSON; it may have been cut off or changed.") from error


def _verifier(settings: Settings, given: Given) -> StaffVerifier:
    return StaffVerifier(load_keys(given.keys or settings.audit_public_keys, option="--checkpoint-keys"))
