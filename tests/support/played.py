"""A demo that was played to its end."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.program import Said, processes, run


@dataclass(frozen=True)
class Played:
    """A demo that was played.

    Attributes:
        data: Its folder.
        said: What it printed.
        seconds: How long it took to the very end.
    """

    data: Path
    said: Said
    seconds: float

    @property
    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.said.out)
        return found


def play(data: Path) -> Played:
    began = time.monotonic()
    said = run("demo", "--json", "--data", str(data))
    assert said.status == 0, said.err or said.out
    assert processes(str(data)) == {}
    return Played(data, said, time.monotonic() - began)
