"""Random sequences against the engine in memory; `make sequences` plays 10,000 of them."""

import pytest

from tests.sequences.playing import play

SEED = 2026
"""The same each time: whether something lands is not left to chance. `make sequences` draws another one."""


@pytest.mark.timeout(0)
def test_whatever_happens_in_whatever_order_every_invariant_holds() -> None:
    played = play("engine", SEED, 300)
    assert not played.found, f"seed {played.seed}:\n{played.found}"
    assert played.sequences >= 300
    assert {"applied", "ask recorded", "returned to withdrawn", "escalated to delegate"} <= set(played.tally)
