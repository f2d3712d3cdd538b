"""Playing so many sequences of one seed, and keeping what was found."""

import traceback
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

STEPS = {"engine": 25, "workflow": 12}


@dataclass(frozen=True)
class Played:
    """What a seed came to.

    Attributes:
        which: `engine` or `workflow`.
        seed: Which it was.
        sequences: How many were played; those that shrank a finding among them.
        tally: How often everything happened.
        found: What broke, and by which calls; empty where nothing did.
    """

    which: str
    seed: int
    sequences: int
    tally: Counter[str]
    found: str = ""


def settled(count: int, which: str, *, shrink: bool = True) -> settings:
    """As Hypothesis is to play so many sequences: nothing is read from earlier runs, a slow machine is no finding."""
    return settings(
        max_examples=count,
        stateful_step_count=STEPS[which],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        print_blob=False,
    )


def play(which: str, number: int, count: int, *, shrink: bool = True) -> Played:
    """Play so many sequences of a seed against the engine in memory, or the real workflow."""
    machine, close = _machine(which)
    tally: Counter[str] = Counter()

    class Counted(machine):  # type: ignore[valid-type, misc]
        played = 0

        def close(self) -> None:
            tally.update(self.judge.tally)

    found = ""
    try:
        run_state_machine_as_test(seed(number)(Counted), settings=settled(count, which, shrink=shrink))
    except BaseException as broken:
        if isinstance(broken, KeyboardInterrupt):
            raise
        found = "".join(traceback.format_exception(broken))
    finally:
        close()
    return Played(which, number, Counted.played, tally, found)


def _machine(which: str):  # type: ignore[no-untyped-def] # noqa: ANN202 - a class made for the occasion
    if which == "engine":
        from tests.sequences.engine import EngineSequences  # noqa: PLC0415 - either needs what the other does not

        return EngineSequences, lambda: None
    from tests.sequences.live import LiveSequences, Places  # noqa: PLC0415 - the same

    return LiveSequences, Places.close
