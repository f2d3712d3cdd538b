"""Random sequences against the real workflow, its rows and the independent checker; `make sequences` plays 200."""

import pytest

from tests.sequences.playing import play

SEED = 2027
"""The same each time: whether something lands is not left to chance. `make sequences` draws another one."""


@pytest.mark.timeout(0)
def test_the_real_workflow_comes_to_what_the_engine_in_memory_comes_to() -> None:
    played = play("workflow", SEED, 6, shrink=False)
    assert not played.found, f"seed {played.seed}:\n{played.found}"
    assert played.sequences >= 6
