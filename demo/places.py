"""Where the embedded parts live: their addresses and their data folder."""

import fcntl
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HIGHEST_PORT: Final = 65_535
FREE_RANGE: Final = range(20_000, 32_000)
"""Where free ports are looked for: a port above could be taken by anybody's next connection before we bind it."""


class CannotStart(Exception):
    """The parts cannot be started; the message is one line that says what to do."""


@dataclass(frozen=True)
class Ports:
    """Where each part listens, all on loopback."""

    console: int = 8321
    temporal: int = 8322
    temporal_ui: int = 8323
    standin: int = 8324
    smtp: int = 8325

    @classmethod
    def following(cls, console: int) -> "Ports":
        """The console's port and the four after it; 0 takes free ones.

        Raises:
            CannotStart: There are no four after it.
        """
        if not console:
            return cls.free()
        highest = HIGHEST_PORT - len(fields(cls)) + 1
        if console > highest:
            raise CannotStart(f"--port {console} leaves no room for the four after it; choose at most {highest}.")
        return cls(*range(console, console + len(fields(cls))))

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses right now, below those that the system hands to outgoing connections."""
        found: list[int] = []
        while len(found) < len(fields(cls)):
            port = secrets.choice(FREE_RANGE)
            if port not in found and not _in_use(port):
                found.append(port)
        return cls(*found)

    def or_free(self) -> "Ports":
        """These ports, or free ones where one of them is taken."""
        return self if not self.taken() else Ports.free()

    def taken(self) -> list[tuple[str, int]]:
        """Which of these ports somebody else listens on."""
        return [(field.name, getattr(self, field.name)) for field in fields(self) if _in_use(getattr(self, field.name))]

    def check_free(self) -> None:
        """Refuse to start beside somebody who has one of the ports.

        Raises:
            CannotStart: Names the part and the port.
        """
        for name, port in self.taken():
            what = name.replace("_", " ")
            raise CannotStart(f"Port {port} (for the {what}) is taken; stop what uses it, or choose with --port.")


@contextmanager
def held(data: Path) -> Iterator[None]:
    """The data folder, ours alone for as long as the block lasts.

    Raises:
        CannotStart: It cannot be written, or another Plixo uses it.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / ".lock").open("a+")
    except FileExistsError as error:
        raise CannotStart(f"{data} is a file, not a folder; choose a folder with --data.") from error
    except OSError as error:
        raise CannotStart(f"Cannot write to {data}: {error.strerror}; choose another folder with --data.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(f"{data} is in use by another Plixo; stop it, or choose another with --data.") from error
        yield


def move_aside(data: Path) -> Path | None:
    """Keep what the folder holds under its date, so that a demo starts clean; where to, or None if it was empty.

    Raises:
        CannotStart: It cannot be moved.
    """
    try:
        return _moved_aside(data)
    except OSError as error:
        raise CannotStart(f"Cannot move aside what {data} holds: {error.strerror}; choose another folder.") from error


def _moved_aside(data: Path) -> Path | None:
    found = [entry for entry in data.iterdir() if entry.name not in {".lock", "kept"}]
    if not found:
        return None
    kept = data / "kept" / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    kept.mkdir(parents=True)
    for entry in found:
        shutil.move(entry, kept / entry.name)
    return kept


def binary(name: str) -> Path:
    """A program that came with the locked packages.

    Raises:
        CannotStart: It is not there.
    """
    found = Path(sys.executable).parent / name
    if not os.access(found, os.X_OK):
        raise CannotStart(f"{name} is missing beside {sys.executable}; run `make clean`, then `make demo`.")
    return found


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
