"""Faults planted in the engine: the machine finds each of them, and so would a real one."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import activities.clocks
import activities.effects
import plixo.domain.duties
from plixo.domain.approval import Approval
from plixo.domain.effects import still_holds
from tests.sequences.playing import play

ENOUGH = 400
Plant = Callable[[pytest.MonkeyPatch], None]


def _nobody_is_asked_whether_they_are_independent(patch: pytest.MonkeyPatch) -> None:
    asked = plixo.domain.duties.check_independent
    for module in list(sys.modules.values()):
        if getattr(module, "check_independent", None) is asked:
            patch.setattr(module, "check_independent", lambda *_given: None)


def _a_stale_approval_counts(patch: pytest.MonkeyPatch) -> None:
    """One of more than is left fills its seat all the same."""

    def filled(self: Approval, seat: Any) -> bool:
        said = [one for one in self.decisions if self._approves(one) and one.stage == self.stage]
        return sum(one.group is seat.group for one in said) >= seat.quorum

    patch.setattr(Approval, "_filled", filled)


def _the_pause_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(activities.clocks, "resumed", lambda moments, *_given: replace(moments, pause=None))


def _stripe_is_not_looked_at_again(patch: pytest.MonkeyPatch) -> None:
    def blind(change: Any, facts: Any) -> tuple[str, ...]:
        return () if facts.target.status == "void" else still_holds(change, facts)

    patch.setattr(activities.effects, "still_holds", blind)


def _a_decision_for_another_stage_is_taken(patch: pytest.MonkeyPatch) -> None:
    plain = Approval._check_fits
    patch.setattr(Approval, "_check_fits", lambda self, one: plain(self, replace(one, stage=self.stage)))


PLANTS: dict[str, tuple[Plant, str]] = {
    "independence": (_nobody_is_asked_whether_they_are_independent, "independent|no stand-in|others are reminded"),
    "stale-approval": (_a_stale_approval_counts, "approvals are counted wrongly"),
    "forgotten-pause": (_the_pause_is_forgotten, "hours were lost|hours left until it expires|was passed over"),
    "old-facts": (_stripe_is_not_looked_at_again, "Stripe says something else"),
    "another-stage": (_a_decision_for_another_stage_is_taken, "no such seat is open"),
}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, words = PLANTS[name]
    plant(monkeypatch)
    played = play("engine", 7, ENOUGH, shrink=False)
    assert played.found, f"{played.sequences} sequences found nothing"
    assert any(one in played.found for one in words.split("|")), played.found
