import importlib
import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from plixo.domain.approval import State
from plixo.domain.change import TargetKind
from plixo.domain.decision import Decision, Verdict
from plixo.domain.effects import EffectKind, EffectState
from plixo.domain.facts import RateState
from plixo.domain.path import Route
from plixo.domain.people import Group

FOLDER = Path(__file__).parents[3] / "plixo" / "domain"
MODULES = [importlib.import_module(f"plixo.domain.{path.stem}") for path in sorted(FOLDER.glob("[a-z]*.py"))]
VALUES = [
    found
    for module in MODULES
    for _, found in inspect.getmembers(module, inspect.isclass)
    if is_dataclass(found) and found.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", VALUES)
def test_no_value_of_the_domain_changes_once_it_is_made(kind: type[Any]) -> None:
    value = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(kind)[0].name, 1)


def test_the_words_that_are_stored_and_signed_stay_what_they_are() -> None:
    kinds = (Verdict, RateState, Route, TargetKind, EffectKind, EffectState)
    assert {kind.__name__: [word.value for word in kind] for kind in kinds} == {
        "Verdict": [
            "approve",
            "reject",
            "ask",
            "return",
            "answer",
            "amend",
            "withdraw",
            "delegate",
            "reassign",
            "nudge",
        ],
        "RateState": ["same", "fresh", "stale", "missing"],
        "Route": ["automatic", "controller", "legal", "both"],
        "TargetKind": ["invoice", "customer_balance"],
        "EffectKind": ["credit_note", "customer_balance_transaction"],
        "EffectState": ["intended", "done", "refused"],
    }
    states = "routing waiting needs_information returned withdrawn rejected approved executing executed needs_attention"
    assert [state.value for state in State] == states.split()
    groups = "support billing_admin controller legal cfo finance operator administrator"
    assert [group.value for group in Group] == groups.split()


def test_a_decision_may_come_without_a_comment() -> None:
    assert Decision("d", "CR-1", 0, 0, "p", None, Verdict.APPROVE, "digest", 1).comment == ""
