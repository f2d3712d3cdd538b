"""A request's history in words."""

import pytest

from plixo.store.audit import GENESIS, AuditLine
from web.console.timeline import tell


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
