"""A request's history in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from plixo.store.audit import GENESIS, AuditLine
from web.console.timeline import moment, tell, timeline
from web.console.words import exact


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("terminated", "went on: its workflow was terminated"),
        ("canceled", "went on: its workflow was canceled"),
        ("timed_out", "went on: its workflow timed out"),
        ("missing", "went on: its workflow was deleted"),
        ("completed", "went on: its workflow was not its own"),
    ],
)
def test_a_workflow_that_was_ended_and_taken_up_again_is_told(how: str, words: str) -> None:
    detail = {"run_id": "0", "how": how}
    line = AuditLine("CR-1", 3, "2026-08-03T14:00:00+00:00", "workflow_interrupted", "system", detail, GENESIS, "")
    assert tell(line) == words


READABLE = {"event": "reminded", "at": "2026-08-03T14:00:00.000+00:00", "detail": {"groups": ["cfo"]}}
SPOILT: list[dict[str, Any]] = [
    {"detail": {}},
    {"detail": None},
    {"detail": ["groups"]},
    {"detail": {"groups": ["nobody"]}},
    {"detail": {"groups": 7}},
    {"event": "opened", "detail": {"path": [1]}},
    {"event": "decision_recorded", "detail": {"verdict": [], "decision_id": []}},
    {"event": "decision_signed", "detail": {"verdict": "maybe", "decision_id": {}}},
    {"event": "decision_refused", "detail": {}},
    {"event": "effect_done", "detail": {"kind": "gift"}},
    {"event": "operated", "detail": {"asked": "\ud800"}},
    {"event": "reminded", "detail": {"groups": ["cfo"], "comment": "\udfff"}},
    {"at": "nope"},
    {"at": ""},
    {"at": "2026-08-03T14:00:00"},
    {"at": "0001-01-01T00:00:00+00:00"},
    {"at": "9999-12-31T23:59:59-12:00"},
]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_an_entry_that_cannot_be_read_is_told_as_one(spoilt: dict[str, Any]) -> None:
    line = AuditLine(approval_id="CR-1", seq=3, actor="system", prev=GENESIS, hash="", **{**READABLE, **spoilt})
    (told,) = timeline([line], {})
    assert told.bad
    assert told.unreadable
    assert told.text == tell(line)
    assert told.text.endswith(": this entry cannot be read")
    assert told.quote == told.code == ""
    assert told.at == moment(line)
    assert exact(told.at, "America/Los_Angeles")
    assert exact(told.at, "Pacific/Kiritimati")


def test_an_entry_that_can_be_read_is_told_as_it_is() -> None:
    line = AuditLine(approval_id="CR-1", seq=3, actor="system", prev=GENESIS, hash="", **READABLE)
    (told,) = timeline([line], {})
    assert (told.text, told.bad, told.unreadable) == ("reminded CFO", False, False)
    assert told.at == moment(line) == datetime(2026, 8, 3, 14, tzinfo=UTC)
