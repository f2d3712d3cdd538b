"""The folder of checkpoints: kept apart from the database, so that whoever changes that has not changed this.

A file is written under a passing name before its row is committed, and gets its own name after: what dies in between
leaves either nothing that counts, or a passing file that `finish` gives its name.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plixo.store.checkpoint_file import signed_hash

_NAME: Final = re.compile(r"checkpoint-(\d{6,})\.json")


@dataclass(frozen=True)
class CheckpointFolder:
    """Where checkpoints are kept as files."""

    place: Path

    def path(self, number: int) -> Path:
        """A checkpoint's file."""
        return self.place / f"checkpoint-{number:06d}.json"

    def numbers(self) -> list[int]:
        """Those that are there, newest first."""
        names = (_NAME.fullmatch(path.name) for path in self.place.glob("checkpoint-*.json"))
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def read(self, number: int) -> Any:  # noqa: ANN401 - parsed JSON
        """A file's content; None where there is no such file, or it is no JSON."""
        try:
            return json.loads(self.path(number).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def prepare(self, document: Mapping[str, Any]) -> Path:
        """Write the file under a passing name of its own, down to the disk.

        Raises:
            OSError: The folder cannot be written.
        """
        self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
        begun = _passing(document["checkpoint"]["number"], document["signed"])
        # Two who sign the same in the same millisecond must not take back each other's file.
        path = self.place / f"{begun}-{secrets.token_hex(4)}.passing"
        with path.open("w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        return path

    def finish(self, number: int, signed: str) -> None:
        """Give the file its name; done before, or with nothing to be found, it changes nothing."""
        for path in self.place.glob(f"{_passing(number, signed)}-*.passing"):
            if self.path(number).exists():
                path.unlink(missing_ok=True)
                continue
            with suppress(FileNotFoundError):  # whoever prepared it has taken it back
                path.rename(self.path(number))


def _passing(number: int, signed: str) -> str:
    return f".{number:06d}-{signed_hash(signed)[:16]}"
