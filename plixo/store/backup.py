"""Backup and restore: the database, every key, the checkpoints; on one machine what Temporal and the stand-in keep.

The archive holds private keys: whoever has it can sign as the staff side.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from plixo.config import Settings
from plixo.store import archive, copies
from plixo.store.archive import Manifest, NotABackup
from plixo.store.copies import CannotCopy
from plixo.store.migrate import revisions

_DATABASE: Final = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
_ONE_MACHINE: Final = {"temporal.sqlite": "temporal.db", "standin.sqlite": "standin.db"}
"""By their names in the archive and in the data folder."""


class CannotBackUp(Exception):
    """There is no backup now; the message says what to do."""


class CannotRestore(Exception):
    """Nothing was restored; the message says what to do."""


@dataclass(frozen=True)
class Restored:
    """What came of a restore.

    Attributes:
        manifest: What the archive held.
        aside: Where the files are that were in the way; None when there were none.
    """

    manifest: Manifest
    aside: Path | None


def make(settings: Settings, file: Path, names: Sequence[str]) -> Manifest:
    """Write a backup; whoever works goes on working.

    Temporal's file is copied first and the stand-in's last: whatever Temporal knows of is then in the database, and
    what the database says was done is in Stripe's books.

    Args:
        settings: Of the process that holds the keys.
        file: The archive to write.
        names: The names of the settings that are set.

    Raises:
        CannotBackUp: Something that belongs into it cannot be read, or the file cannot be written.
    """
    if not settings.signing_key.exists():
        raise CannotBackUp(f"There is no signing key at {settings.signing_key}; run this where the console runs.")
    url = make_url(settings.database)
    try:
        with _staging(file.parent) as folder:
            paths = _copies(settings, url, folder) | _kept(settings)
            members = [archive.describe(name, path) for name, path in paths.items()]
            made_at, revision = datetime.now(UTC).isoformat(timespec="seconds"), _revision(url)
            kind = url.get_backend_name()
            manifest = Manifest(made_at, version("plixo"), kind, revision, sorted(names), members)
            archive.write(file, manifest, paths)
    except FileExistsError as error:
        raise CannotBackUp(f"{file} is there already; name another file.") from error
    except CannotCopy as error:
        raise CannotBackUp(str(error)) from error
    except OSError as error:
        raise CannotBackUp(f"{error.filename or file} cannot be used ({error.strerror}).") from error
    return manifest


def restore(settings: Settings, file: Path, *, replace: bool) -> Restored:
    """Put a backup back: first everything is unpacked and checked, then the database, then the files.

    Args:
        settings: Of the installation that is to be.
        file: The archive.
        replace: Move aside the files that are in the way, and drop the tables.

    Raises:
        CannotRestore: Nothing was changed, or it says what was.
    """
    try:
        with _staging(settings.data) as folder:
            manifest = archive.unpack(file, folder)
            _check_fits(settings, manifest)
            _check_free(settings, manifest, replace=replace)
            return Restored(manifest, _put_back(settings, manifest, folder))
    except NotABackup as error:
        raise CannotRestore(f"{file} is no backup that can be used: {error}.") from error
    except CannotCopy as error:
        raise CannotRestore(str(error)) from error
    except OSError as error:
        raise CannotRestore(f"{error.filename or settings.data} cannot be used ({error.strerror}).") from error
    except SQLAlchemyError as error:
        raise CannotRestore(f"The database cannot be used ({type(error).__name__}); is it there?") from error


def places(settings: Settings) -> Mapping[str, Path]:
    """Files that settings may keep elsewhere than in their folder, by their names in the archive."""
    return {"keys/signing-public.json": settings.public_keys, "keys/payload-keys.json": settings.payload_keys}


def folders(settings: Settings) -> Mapping[str, Path]:
    """Folders of files that are replaced as a whole and never written into, by their names in the archive."""
    return {"keys": settings.data / "keys", "checkpoints": settings.checkpoint_folder}


def _copies(settings: Settings, url: URL, folder: Path) -> dict[str, Path]:
    """Copies of everything that may change meanwhile, in the order that `make` promises."""
    found = {}
    if (settings.data / "temporal.db").exists():
        found["temporal.sqlite"] = _copied(settings.data / "temporal.db", folder / "temporal.sqlite")
    name = _DATABASE[url.get_backend_name()]
    if url.get_backend_name() == "sqlite":
        found[name] = _copied(Path(url.database or ""), folder / name)
    else:
        copies.dump_postgres(settings.database, folder / name)
        found[name] = folder / name
    if (settings.data / "standin.db").exists():
        found["standin.sqlite"] = _copied(settings.data / "standin.db", folder / "standin.sqlite")
    return found


def _copied(source: Path, target: Path) -> Path:
    if not source.exists():
        raise CannotCopy(f"There is no database at {source}; run `plixo db upgrade`, or set PLIXO_DATA.")
    copies.copy_sqlite(source, target)
    return target


def _kept(settings: Settings) -> dict[str, Path]:
    """Keys and checkpoints."""
    found = {f"{name}/{path.name}": path for name, folder in folders(settings).items() for path in _files(folder)}
    return found | {name: path for name, path in places(settings).items() if path.exists()}


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.json") if path.is_file())


def _check_fits(settings: Settings, manifest: Manifest) -> None:
    kind = make_url(settings.database).get_backend_name()
    if manifest.database != kind:
        raise CannotRestore(f"It is of a {manifest.database} database, and DATABASE_URL names {kind}.")
    if manifest.revision not in revisions():
        raise CannotRestore(
            f"Its database is at revision {manifest.revision}, of a newer Plixo; restore with that one."
        )
    held = {member.name for member in manifest.members} & {*_DATABASE.values()}
    if _DATABASE[kind] not in held:
        raise CannotRestore(f"It holds no {_DATABASE[kind]}: there is nothing to put back.")
    for stray in held - {_DATABASE[kind]}:
        raise CannotRestore(f"It holds {stray}, which has no place beside a {kind} database.")


def _check_free(settings: Settings, manifest: Manifest, *, replace: bool) -> None:
    """Refuse to write over anything unless that was asked for."""
    used = [str(path) for path in _targets(settings, manifest).values() if path.exists()]
    if manifest.database == "postgresql" and copies.tables_of_postgres(settings.database):
        used.append("The database's own tables")
    if used and not replace:
        raise CannotRestore(
            f"{used[0]} would be replaced; restore into an empty folder and database, or say --replace."
        )


def _put_back(settings: Settings, manifest: Manifest, folder: Path) -> Path | None:
    for name in (member.name for member in manifest.members if member.name.endswith(".sqlite")):
        copies.check_sqlite(folder / name)
    if manifest.database == "postgresql":
        copies.restore_postgres(settings.database, folder / _DATABASE["postgresql"], replace=True)
    targets = _targets(settings, manifest)
    aside = _move_aside(settings.data, list(targets.values()))
    modes = {member.name: int(member.mode, 8) for member in manifest.members}
    for name, path in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / name).chmod(0o600 if name.endswith(".sqlite") else modes[name])
        shutil.move(folder / name, path)
    return aside


def _targets(settings: Settings, manifest: Manifest) -> dict[str, Path]:
    """Where each file of the archive belongs; a database that is no file belongs nowhere."""
    known = {name: settings.data / place for name, place in _ONE_MACHINE.items()} | dict(places(settings))
    known["database.sqlite"] = Path(make_url(settings.database).database or "")
    names = [member.name for member in manifest.members if member.name != _DATABASE["postgresql"]]
    return {name: known.get(name) or _in_folder(settings, name) for name in names}


def _in_folder(settings: Settings, name: str) -> Path:
    folder, _, file = name.partition("/")
    return folders(settings)[folder] / file


def _move_aside(data: Path, paths: Sequence[Path]) -> Path | None:
    """Keep what is in the way, with what SQLite keeps beside its files; where to."""
    beside = [path.with_name(path.name + end) for path in paths for end in ("", "-wal", "-shm")]
    there = [path for path in beside if path.exists()]
    if not there:
        return None
    aside = data / "replaced" / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    for path in there:
        kept = aside / (path.relative_to(data) if path.is_relative_to(data) else path.name)
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.move(path, kept)
    return aside


def _revision(url: URL) -> str:
    engine = create_engine(url.set(drivername="sqlite") if url.get_backend_name() == "sqlite" else url)
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("select version_num from alembic_version")).scalar_one())
    except SQLAlchemyError as error:
        raise CannotCopy("The database lacks this version's tables; run `plixo db upgrade`.") from error
    finally:
        engine.dispose()


@contextmanager
def _staging(beside: Path) -> Iterator[Path]:
    """A folder of our own on the same disk, gone afterwards with every secret in it."""
    beside.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".plixo-", dir=beside))
    folder.chmod(0o700)
    before = os.umask(0o077)
    try:
        yield folder
    finally:
        os.umask(before)
        shutil.rmtree(folder)
