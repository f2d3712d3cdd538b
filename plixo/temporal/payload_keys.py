"""The keys that payloads are encrypted with: one file, several keys, one of them current.

A key is never taken out of the file: what was encrypted with it could not be read any more.
"""

import base64
import fcntl
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12

log = logging.getLogger(__name__)


class PayloadKeyError(Exception):
    """The key file is missing, readable by others, or holds something else; the message says what to do."""


class NoPayloadKeys(PayloadKeyError):
    """There is no key file."""


@dataclass(frozen=True)
class PayloadKey:
    """One AES-256 key.

    Attributes:
        secret: Its 32 bytes.
        made_at: When it was made.
    """

    secret: bytes = field(repr=False)
    made_at: datetime

    def __post_init__(self) -> None:
        """Refuse a key of another length."""
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a payload key has {KEY_BYTES} bytes, not {len(self.secret)}")

    @classmethod
    def make(cls, now: datetime) -> "PayloadKey":
        """A new key."""
        return cls(secrets.token_bytes(KEY_BYTES), now)

    @cached_property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of SHA-256 over the key, which tell nothing about it."""
        return hashlib.sha256(b"plixo payload key" + self.secret).hexdigest()[:16]

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """Encrypt and authenticate: a random nonce, then the ciphertext with its tag.

        Args:
            plain: What is to be hidden.
            about: What stands beside it in the clear, and must not be changed either.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Undo `seal`.

        Raises:
            InvalidTag: It was not sealed with this key, or something of it was altered.
            ValueError: It is too short to be sealed at all.
        """
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.secret)


class Keys(Protocol):
    """What encrypting and decrypting takes."""

    def current(self) -> PayloadKey:
        """The key that encrypts."""
        ...

    def find(self, key_id: str) -> PayloadKey | None:
        """A key by its id; None when there is no such key."""
        ...


@dataclass(frozen=True)
class KeyRing:
    """What a key file holds.

    Attributes:
        current_id: The id of the key that encrypts.
        keys: Every key by its id, in the order they were made; all of them decrypt.
    """

    current_id: str
    keys: Mapping[str, PayloadKey]

    @classmethod
    def of(cls, key: PayloadKey) -> "KeyRing":
        """This key alone."""
        return cls(key.key_id, {key.key_id: key})

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """What a key file says.

        Raises:
            ValueError: It says something else.
        """
        try:
            found = json.loads(text)
            ring = cls(found["current"], {entry["id"]: _key(entry) for entry in found["keys"]})
            same = all(key_id == key.key_id for key_id, key in ring.keys.items())
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("these are no payload keys") from error
        if not same or ring.current_id not in ring.keys:
            raise ValueError("an id is not its key's, or the current key is missing")
        return ring

    def current(self) -> PayloadKey:
        """The key that encrypts."""
        return self.keys[self.current_id]

    def find(self, key_id: str) -> PayloadKey | None:
        """A key by its id; None when it is not there."""
        return self.keys.get(key_id)

    @property
    def prepared(self) -> PayloadKey | None:
        """A newer key than the current one, which does not encrypt yet."""
        newest = list(self.keys.values())[-1]
        return None if newest.key_id == self.current_id else newest


@dataclass
class PayloadKeys:
    """The keys of a file as they are now: a running process takes up what is added to it.

    Attributes:
        path: The file; read when the first payload needs a key.
    """

    path: Path
    _ring: KeyRing | None = None
    _seen: tuple[int, ...] = ()

    def current(self) -> PayloadKey:
        """The key that encrypts.

        Raises:
            PayloadKeyError: There is no file of keys that can be used.
        """
        return self.ring().current()

    def find(self, key_id: str) -> PayloadKey | None:
        """A key by its id; None when the file does not hold it.

        Raises:
            PayloadKeyError: There is no file of keys that can be used.
        """
        return self.ring().find(key_id)

    def ring(self) -> KeyRing:
        """All keys; the file is read again once it has changed.

        A file that has become unusable meanwhile changes nothing: the keys that were read go on being used.

        Raises:
            PayloadKeyError: There is none that can be used, and there never was.
        """
        seen = self._look()
        if self._ring is None or seen != self._seen:
            try:
                self._ring = load_payload_keys(self.path)
            except PayloadKeyError as problem:
                if self._ring is None:
                    raise
                log.warning("the payload keys that were read before stay in use: %s", problem)
            self._seen = seen
        return self._ring

    def _look(self) -> tuple[int, ...]:
        try:
            seen = self.path.stat()
        except OSError:
            return ()
        return (seen.st_ino, seen.st_mtime_ns, seen.st_size, seen.st_mode)


def load_payload_keys(path: Path) -> KeyRing:
    """The keys in a file.

    Raises:
        PayloadKeyError: It is missing, readable by others, or holds something else.
    """
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise PayloadKeyError(f"{path} can be read by others (mode {mode:o}); set it to 600.")
        return KeyRing.parse(path.read_text())
    except FileNotFoundError as error:
        advice = "start the console once, or run `plixo keys rotate`, and give every process the same file"
        raise NoPayloadKeys(f"There are no payload keys at {path}; {advice}.") from error
    except OSError as error:
        raise PayloadKeyError(f"The payload keys at {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise PayloadKeyError(f"{path} holds no payload keys; put back the file as it was.") from error


def ensure_payload_keys(path: Path, now: datetime) -> KeyRing:
    """The keys in a file, made at the first start; of many that start at once, one makes it.

    Raises:
        PayloadKeyError: It cannot be made or used.
    """
    try:
        return load_payload_keys(path)
    except NoPayloadKeys:
        with _locked(path):
            if not path.exists():
                _write(path, KeyRing.of(PayloadKey.make(now)))
        return load_payload_keys(path)


def rotate_payload_keys(path: Path, now: datetime, *, prepare: bool = False) -> KeyRing:
    """Make a newer key the current one: the one that was prepared, or else a new one. The others stay.

    Args:
        path: The file; made where there is none.
        now: When a new key is made.
        prepare: Only add a new key, so that every machine has it before the first payload is encrypted with it;
            nothing is added while one is prepared already.

    Raises:
        PayloadKeyError: The file cannot be used or replaced.
    """
    with _locked(path):
        try:
            ring = _turned(load_payload_keys(path), now, prepare=prepare)
        except NoPayloadKeys:
            ring = KeyRing.of(PayloadKey.make(now))
        _write(path, ring)
    return ring


def _turned(ring: KeyRing, now: datetime, *, prepare: bool) -> KeyRing:
    newest = ring.prepared or PayloadKey.make(now)
    keys = {**ring.keys, newest.key_id: newest}
    return KeyRing(ring.current_id if prepare else newest.key_id, keys)


def _key(entry: Any) -> PayloadKey:  # noqa: ANN401 - the same
    secret = base64.b64decode(entry["key"], altchars=b"-_", validate=True)
    return PayloadKey(secret, datetime.fromisoformat(entry["made"]))


def _entry(key: PayloadKey) -> dict[str, str]:
    secret = base64.urlsafe_b64encode(key.secret).decode()
    return {"id": key.key_id, "made": key.made_at.isoformat(timespec="seconds"), "key": secret}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file for as long as the block lasts."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_name(f".{path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise PayloadKeyError(f"The payload keys at {path} cannot be written: {error.strerror}.") from error


def _write(path: Path, ring: KeyRing) -> None:
    """Replace the file whole: whatever is cut off in between, the old one or the new one is there."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"current": ring.current_id, "keys": [_entry(key) for key in ring.keys.values()]}, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
