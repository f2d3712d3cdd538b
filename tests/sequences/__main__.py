"""`make sequences`: play random sequences against the engine in memory and against the real workflow.

    python -m tests.sequences [--seed N] [--engine N] [--workflow N]

What breaks an invariant is shrunk and printed as the calls that lead there; keep them in `test_kept.py`.
It exits with 1 when something was found.
"""

import argparse
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.sequences.playing import Played, play

SHARE = 500
"""How many sequences one seed plays: more would make Hypothesis remember more than it is worth."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play one seed; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.sequences", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, help="the same seed plays the same sequences; one is drawn unless given")
    parser.add_argument("--engine", type=int, default=10_000, help="sequences against the engine in memory")
    parser.add_argument("--workflow", type=int, default=200, help="sequences against the real workflow")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    _print(f"Seed {seed}: {given.engine:,} sequences in memory, {given.workflow:,} on the real workflow.")
    began = time.monotonic()
    shares = [("workflow", seed, given.workflow)] if given.workflow else []
    shares += [
        ("engine", seed + nth, min(SHARE, given.engine - nth * SHARE)) for nth in range(-(-given.engine // SHARE))
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        played = list(pool.map(play, *zip(*shares, strict=True))) if shares else []
    _tell(played)
    _print(f"{time.monotonic() - began:.0f} s")
    return 1 if any(one.found for one in played) else 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tell(played: Sequence[Played]) -> None:
    tally: Counter[str] = Counter()
    for one in played:
        tally.update(one.tally)
    for what, count in sorted(tally.items()):
        _print(f"{count:9,} {what}")
    for which in ("engine", "workflow"):
        _print(f"{sum(one.sequences for one in played if one.which == which):9,} sequences against the {which}")
    for one in played:
        if one.found:
            _print(f"\nFound by seed {one.seed} against the {one.which}:\n{one.found}")


if __name__ == "__main__":
    sys.exit(main())
