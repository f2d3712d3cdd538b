"""Sequences that once broke an invariant, as plain calls."""

from collections.abc import Iterator

import pytest

from plixo.domain.approval import State
from tests.sequences.engine import EngineSequences


@pytest.fixture
def play() -> Iterator[EngineSequences]:
    """A sequence to be played by hand: judged after the last call, and wound up."""
    machine = EngineSequences()
    yield machine
    machine.holds()
    machine.teardown()


def test_an_administrator_who_is_somebodys_delegate_decides_nothing(play: EngineSequences) -> None:
    play.first(who=0, amount=0, route=1, ceiling=False, rate=1)
    play.time_passes(jump=8)
    to_delegates = [one for one in play.record(0).approval.escalated if one.to == "delegate"]
    assert [who for one in to_delegates for who, _basis in one.stand_ins] == ["p-fay", "p-gus"]


def test_a_question_is_returned_in_time_where_its_stage_may_wait_for_ever(play: EngineSequences) -> None:
    play.publish(which=1)
    play.first(who=0, amount=3, route=0, ceiling=False, rate=1)
    play.say(which=0, who=0, verdict=0, part=0, at_once=True)
    assert play.record(0).approval.state is State.NEEDS_INFORMATION
    play.time_passes(jump=9)
    assert play.record(0).approval.state is State.RETURNED
