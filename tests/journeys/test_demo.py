"""`plixo demo --json`: the story is played for real, checked, and told in one JSON object."""

import shutil
import tempfile
from collections import defaultdict
from typing import Any

import pytest

from tests.support.played import Played, play

pytestmark = pytest.mark.journey

FIELDS = {
    "id",
    "scenario",
    "status",
    "amount_minor",
    "currency",
    "path",
    "decided_by",
    "stripe_object",
    "workflow_id",
    "history_events",
    "billable_actions",
}
TOLD = [
    (1, "executed", 18000, ["automatic"], []),
    (2, "executed", 420000, ["Controller"], ["p-controller"]),
    (3, "executed", 45000, ["automatic"], []),
    (3, "executed", 45000, ["automatic"], []),
    (3, "executed", 45000, ["Controller"], ["p-controller"]),
    (4, "waiting", 95000, ["Legal"], []),
    (5, "executed", 3800000, ["Controller and Legal"], ["p-legal", "p-controller"]),
    (6, "executed", 240000, ["Controller"], ["p-controller"]),
    (7, "rejected", 64000, ["Controller"], ["p-controller"]),
    (7, "withdrawn", 90000, ["Controller"], ["p-billing-admin"]),
    (7, "executed", 45000, ["Controller"], ["p-controller"]),
    (7, "executed", 55000, ["Controller"], ["p-controller"]),
]
CHANGED_MINOR = 55000
"""The request that was returned, changed and approved: it costs what two do."""

OUTSIDE = {4, 6}
"""Scenes in which something is forged or killed, which costs more than a request does."""


def test_the_check_found_nothing_in_time(played: Played) -> None:
    assert set(played.answer) == {"approvals", "check", "close", "weeks", "seconds"}
    assert played.answer["check"] == {"ok": True, "findings": []}
    assert 0 < played.answer["seconds"] <= played.seconds < 90
    assert played.said.err == ""


def test_every_scene_is_told_with_all_its_facts(played: Played) -> None:
    approvals = played.answer["approvals"]
    names = ("scenario", "status", "amount_minor", "path", "decided_by")
    assert [tuple(one[name] for name in names) for one in approvals] == TOLD
    for one in approvals:
        assert set(one) == FIELDS
        assert one["currency"] == "USD"
        assert one["workflow_id"] == f"credit/{one['id']}"
        assert bool(one["stripe_object"]) == (one["status"] == "executed")
    assert len({one["id"] for one in approvals}) == len(TOLD)


def test_a_credit_on_an_invoice_is_a_credit_note_and_any_other_a_balance_transaction(played: Played) -> None:
    kinds = defaultdict(set)
    for one in played.answer["approvals"]:
        kinds[one["scenario"]].add(one["stripe_object"].partition("_")[0])
    assert kinds == {1: {"cn"}, 2: {"cn"}, 3: {"cbtxn"}, 4: {""}, 5: {"cn"}, 6: {"cn"}, 7: {"", "cn"}}


def test_a_request_costs_what_was_promised(played: Played) -> None:
    undisturbed = [one for one in played.answer["approvals"] if one["scenario"] not in OUTSIDE]
    automatic = [one for one in undisturbed if one["path"] == ["automatic"]]
    single = [one for one in undisturbed if one["status"] == "executed" and len(one["decided_by"]) == 1]
    single = [one for one in single if one["amount_minor"] != CHANGED_MINOR]
    assert {one["billable_actions"] for one in automatic} == {3}
    assert [one["scenario"] for one in single] == [2, 3, 7]
    for one in single:
        assert one["billable_actions"] <= 7
        assert one["history_events"] <= 28


def test_at_the_close_stripe_holds_what_was_approved(played: Played) -> None:
    executed = [one["amount_minor"] for one in played.answer["approvals"] if one["status"] == "executed"]
    total, objects = sum(executed), len(executed)
    figures = {"currency": "USD", "approved_minor": total, "held_minor": total, "difference_minor": 0}
    assert played.answer["close"]["currencies"] == [{**figures, "objects": objects}]


@pytest.mark.asvs("16.4.3")
def test_the_audit_file_was_verified_offline_against_the_checkpoint(played: Played) -> None:
    proved = played.answer["close"]["audit"]
    assert (proved["ok"], proved["findings"], proved["notes"]) == (True, [], [])
    assert (proved["requests"], [one["number"] for one in proved["checkpoints"]]) == (len(TOLD), [1])
    assert proved["keys"]["from"].startswith(tempfile.gettempdir())
    assert proved["source"] == str(played.data / "audit.json")
    assert "Every chain is unbroken and every signature holds" in (played.data / "audit.html").read_text()
    assert (played.data / "keys" / "audit-private.json").stat().st_mode & 0o777 == 0o600


def test_in_the_long_week_a_stand_in_decided_and_what_nobody_took_up_ended(played: Played) -> None:
    weeks = played.answer["weeks"]
    assert weeks["check"] == {"ok": True, "findings": []}
    told = [(one["status"], one["amount_minor"], one["decided_by"]) for one in weeks["approvals"]]
    assert sorted(told) == [("executed", 400000, ["p-cfo"]), ("executed", 420000, ["p-cfo"]), ("withdrawn", 410000, [])]
    assert [bool(one["stripe_object"]) for one in weeks["approvals"]].count(True) == 2


def test_what_the_folder_held_is_kept(played: Played) -> None:
    (kept,) = (played.data / "kept").iterdir()

    assert (kept / "plixo.db").read_text() == "an older database"
    assert (kept / "mailbox" / "new" / "1.old").read_text() == "an older mail"


def test_a_second_demo_in_the_same_folder_is_the_same_story(played: Played) -> None:
    data = played.data.with_name("again")
    shutil.copytree(played.data, data)
    before = set((data / "kept").iterdir())

    again = play(data)

    assert _without_ids(again.answer) == _without_ids(played.answer)
    (kept,) = set((data / "kept").iterdir()) - before
    assert (kept / "plixo.db").read_bytes() == (played.data / "plixo.db").read_bytes()


def _without_ids(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("scenario", "status", "amount_minor", "currency", "path", "decided_by")
    return [tuple(one[name] for name in names) for one in answer["approvals"]]
