"""Being away, handing on and nudging from the command line: what is sent, and what is said."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.starters.cli.conftest import FakeApi, Ran
from tests.starters.cli.test_requests import APPROVAL

Plixo = Callable[..., Ran]
AWAY: dict[str, Any] = {
    "absence_id": "AB-1",
    "person": {"person_id": "p-ada", "name": "Ada"},
    "delegate": {"person_id": "p-bob", "name": "Bob"},
    "since": "2026-11-23T14:00:00Z",
    "until": "2026-11-28T05:00:00Z",
    "time_zone": "America/New_York",
    "away": True,
}


def test_whoever_goes_away_names_who_decides(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "absences", AWAY)
    ran = plixo("away", "--from", "2026-11-23", "--until", "2026-11-27", "--delegate", "p-bob")
    assert api.bodies("absences") == [
        {"first": "2026-11-23", "last": "2026-11-27", "delegate": "p-bob", "person": ""},
    ]
    assert "Ada is away from 2026-11-23 14:00 UTC on." in ran.out
    assert "Bob decides in their place until 2026-11-28 05:00 UTC." in ran.out
    assert "Next: plixo back" in ran.out


def test_whoever_is_back_says_so(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "absences/return", AWAY | {"away": False})
    ran = plixo("back", "--person", "p-ada")
    assert api.bodies("absences/return") == [{"person": "p-ada"}]
    assert "Ada is back; Bob decides in their place no longer." in ran.out


def test_the_list_of_people_says_who_is_away(plixo: Plixo, api: FakeApi) -> None:
    api.on("GET", "people", {"people": []})
    api.on("GET", "absences", {"absences": [AWAY]})
    ran = plixo("people", "list")
    assert "Stands in" in ran.out
    assert "Bob" in ran.out
    assert plixo("people", "list", "--json").document["absences"] == [AWAY]


@pytest.mark.parametrize(
    ("words", "place", "sent"),
    [
        (("approvals", "delegate", "--to", "p-bob"), "delegation", {"to": "p-bob", "comment": ""}),
        (
            ("approvals", "reassign", "--to", "p-cfo", "--group", "legal", "--comment", "Left"),
            "reassignment",
            {"to": "p-cfo", "group": "legal", "comment": "Left"},
        ),
        (("credit", "nudge"), "nudge", {"comment": ""}),
    ],
    ids=["delegate", "reassign", "nudge"],
)
def test_what_is_said_about_a_request_is_sent(
    plixo: Plixo, api: FakeApi, words: tuple[str, ...], place: str, sent: dict[str, str]
) -> None:
    answer = {"decision_id": "DE-1", "answer": "accepted", "why": "", "approval": APPROVAL}
    api.on("POST", f"approvals/{APPROVAL['approval_id']}/{place}", answer)
    ran = plixo(*words[:2], APPROVAL["approval_id"], *words[2:])
    assert (ran.code, api.bodies(f"approvals/{APPROVAL['approval_id']}/{place}")) == (0, [sent])
    assert "Your decision is recorded." in ran.out
