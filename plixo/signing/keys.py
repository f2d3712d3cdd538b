"""The staff side's signing key, and the public keys that everybody else may hold.

The private key stays with the console; workers and auditors get the public file alone.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, KeySet, OKPKey

from plixo.domain.canonical import sha256_hex


class KeyFileError(Exception):
    """A key file is missing, readable by others, or not a key."""


def load_or_create_signing_key(private: Path, public: Path) -> OKPKey:
    """The private key, made at the first start; its public part is added to the public file.

    Consoles that start in the same instant wait for each other: those of one private file come to one key, and none of
    those that share a public file is missing there.

    Raises:
        KeyFileError: The file is readable by others or holds no Ed25519 key, or one of the files cannot be used.
    """
    try:
        if not private.exists():
            _make_private(private)
        key = _load_private(private)
        _add_public(public, key)
    except OSError as error:
        where = error.filename or private
        raise KeyFileError(f"The keys at {where} cannot be used ({error.strerror}); see to that folder.") from error
    return key


def key_id(key: OKPKey) -> str:
    """A key's id: the first 16 hexadecimal digits of SHA-256 over its public part."""
    return sha256_hex({"x": str(key.as_dict(private=False)["x"])})[:16]


def load_public_keys(path: Path) -> KeySet:
    """Every public key that ever signed: retired ones go on verifying what was recorded before they retired.

    Raises:
        KeyFileError: There is no such file, or it holds no keys.
    """
    try:
        return KeySet.import_key_set(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise KeyFileError(f"There are no public signing keys at {path}; start the console once.") from error
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeyFileError(f"{path} holds no public signing keys.") from error


class KeySource:
    """The public keys of a file, read again when a statement names one that is not known yet.

    A console with another signing key may come up at any time, and what it signs must not be refused until somebody
    restarts the workers. The file is read again only where it has changed, so forgers who name keys cost little.

    Raises:
        KeyFileError: There is no such file, or it holds no keys; later on as well, rather than refusing what a key
            signed that cannot be read right now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read()

    def __call__(self, statement: GuestProtocol) -> KeySet:
        """The keys, the one that the statement names among them if the file holds it."""
        named = statement.headers().get("kid")
        if all(key.kid != named for key in self._keys) and _version(self._path) != self._seen:
            self._read()
        return self._keys

    def _read(self) -> None:
        # Looked at before it is read: a key that is added in between is found by the next look.
        seen = _version(self._path)
        self._keys = load_public_keys(self._path)
        self._seen = seen


def _version(path: Path) -> tuple[int, ...]:
    """What tells one state of a file from the next; nothing where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _load_private(path: Path) -> OKPKey:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise KeyFileError(f"{path} can be read by others (mode {mode:o}); set it to 600.")
    try:
        key = OKPKey.import_key(json.loads(path.read_text()))
    except (ValueError, JoseError) as error:
        raise KeyFileError(f"{path} holds no Ed25519 key.") from error
    if key.curve_name != "Ed25519" or not key.is_private:
        raise KeyFileError(f"{path} holds no private Ed25519 key.")
    return key


def _make_private(path: Path) -> None:
    """Write a new key, whole before anybody sees it, unless somebody else was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(path):
        if path.exists():
            return
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(OKPKey.generate_key("Ed25519", private=True).as_dict(private=True), file)
        fresh.replace(path)


def _add_public(path: Path, key: OKPKey) -> None:
    mine = {**key.as_dict(private=False), "kid": key_id(key), "alg": "Ed25519", "use": "sig"}
    # Looked at before it is locked: a folder that only can be read will do where nothing has to be added.
    if _holds(_public(path), mine):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        known = _public(path)
        if _holds(known, mine):
            return
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"keys": [*known, mine]}, indent=2) + "\n")
        fresh.replace(path)


def _public(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["keys"] if path.exists() else []
    return found


def _holds(known: list[dict[str, Any]], mine: dict[str, Any]) -> bool:
    return any(entry["kid"] == mine["kid"] for entry in known)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file for as long as the block lasts."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
