"""A backup's file: a tar archive whose first member says what the others are, and how each must look."""

import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

MANIFEST: Final = "manifest.json"
FORMAT: Final = "plixo-backup-1"
_LONGEST_MANIFEST: Final = 64 * 1024 * 1024
_NAMES: Final = re.compile(r"(database\.(sqlite|dump)|(temporal|standin)\.sqlite|(keys|checkpoints)/[\w-][\w.-]*)")
_MODE: Final = re.compile(r"[0-7]{1,3}")
_CHUNK: Final = 1024 * 1024


class NotABackup(Exception):
    """The file is none of ours, or not as it was written; the message says what is wrong first."""


@dataclass(frozen=True)
class Member:
    """One file of a backup.

    Attributes:
        name: Its name in the archive, such as `keys/signing-private.json`.
        size: In bytes.
        mode: Its permissions, such as `600`.
        sha256: In hexadecimal.
    """

    name: str
    size: int
    mode: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: When, in ISO 8601.
        version: Of the Plixo that made it.
        database: `sqlite` or `postgresql`.
        revision: Which migrations its database has seen.
        settings: The names of the settings that were set; never a value.
        members: Every file.
    """

    made_at: str
    version: str
    database: str
    revision: str
    settings: Sequence[str]
    members: Sequence[Member]


def describe(name: str, path: Path) -> Member:
    """A file as it is right now."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    found = path.stat()
    return Member(name, found.st_size, f"{found.st_mode & 0o777:o}", digest)


def write(file: Path, manifest: Manifest, paths: Mapping[str, Path]) -> None:
    """Write the archive, readable by its owner alone; half of one is never left behind.

    Raises:
        FileExistsError: There is a file of that name.
        OSError: It cannot be written.
    """
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        try:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as tar:
                said = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=2).encode()
                _add(tar, MANIFEST, len(said), io.BytesIO(said))
                for member in manifest.members:
                    with paths[member.name].open("rb") as content:
                        _add(tar, member.name, member.size, content)
            out.flush()
            os.fsync(out.fileno())
        except BaseException:
            file.unlink()
            raise


def unpack(file: Path, folder: Path) -> Manifest:
    """Unpack into a folder and check every file against the manifest.

    Raises:
        NotABackup: Something is missing, altered, or does not belong there.
        OSError: The file cannot be read, or the folder not written.
    """
    try:
        with tarfile.open(file, "r:*") as tar:
            manifest = _manifest(tar)
            missing = {member.name: member for member in manifest.members}
            while found := tar.next():
                member = missing.pop(found.name, None)
                if member is None or not found.isreg():
                    raise NotABackup(f"{found.name} does not belong in it")
                _take(tar, found, member, folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise NotABackup(f"it cannot be unpacked ({error})") from error
    if missing:
        raise NotABackup(f"{min(missing)} is missing")
    return manifest


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = size, 0o600
    tar.addfile(about, content)


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LONGEST_MANIFEST:
        raise NotABackup("it does not begin with a manifest")
    content = tar.extractfile(first)
    assert content is not None
    try:
        found: dict[str, Any] = json.load(content)
        if found.pop("format") != FORMAT:
            raise NotABackup(f"its format is another than {FORMAT}")
        members = [Member(**member) for member in found.pop("members")]
        manifest = Manifest(**found, members=members)
        _check_texts(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotABackup("its manifest cannot be read") from error
    strange = [member.name for member in members if not _NAMES.fullmatch(member.name)]
    if strange:
        raise NotABackup(f"{strange[0]!r} does not belong in it")
    return manifest


def _check_texts(manifest: Manifest) -> None:
    """What is used only after something was replaced must be known to be usable before.

    Raises:
        ValueError: It is not.
    """
    texts = [manifest.made_at, manifest.version, manifest.database, manifest.revision]
    texts += [text for member in manifest.members for text in (member.name, member.mode, member.sha256)]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("what should be text is not")
    if not all(_MODE.fullmatch(member.mode) for member in manifest.members):
        raise ValueError("permissions are three octal digits")


def _take(tar: tarfile.TarFile, found: tarfile.TarInfo, member: Member, folder: Path) -> None:
    """Unpack one file under the name that was checked, never under a path of the archive's own."""
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, content = hashlib.sha256(), tar.extractfile(found)
    assert content is not None
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != member.sha256 or found.size != member.size:
        raise NotABackup(f"{member.name} is not as it was written")
