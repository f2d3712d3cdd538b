"""Record histories anew: `python -m tests.replay.record`, or only the paths that are named behind it.

Each path is played on a house of its own: real Temporal, real stand-in, the product's own workers.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.replay.corpus import KEYS, forget, keep
from tests.replay.paths import PATHS, Play
from tests.support.databases import database
from tests.support.house import open_house


async def record(name: str) -> None:
    """Play a path and keep what it leaves in Temporal."""
    path = PATHS[name]
    with tempfile.TemporaryDirectory() as temporary, database("sqlite", Path(temporary)) as url:
        own = Path(temporary) / "keys" / KEYS.name
        own.parent.mkdir()
        own.touch(0o600)
        own.write_text(KEYS.read_text())
        async with open_house(Path(temporary), url, workers=False, server=path.server) as house:
            play = Play(name, house)
            if path.idle:
                approval_id = await path.play(play)
            else:
                async with play.working():
                    approval_id = await path.play(play)
            handle = house.workshop.temporal.get_workflow_handle(path.prefix + approval_id, run_id=play.run_id)
            keep(name, await handle.fetch_history())


def main(names: list[str]) -> int:
    """Record the named paths, or all of them and none besides that is played; 2 when there is no such path."""
    unknown = [name for name in names if name not in PATHS]
    if unknown:
        print(f"no such path: {', '.join(unknown)}; there are {', '.join(PATHS)}")  # noqa: T201 - a program that prints
        return 2
    if not names:
        forget()
    for name in names or PATHS:
        asyncio.run(record(name))
        print(f"recorded {name}", flush=True)  # noqa: T201 - the same
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
