"""Several requests decided by one command: what is sent, what is said, and the exit code."""

import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]


def name(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return f"CR-{letters[number // 26] * 25}{letters[number % 26]}"


def row(number: int) -> dict[str, Any]:
    return {"approval_id": name(number), "round": 0, "digest": "0f" * 32, "amount_minor": 90_000}


def approval(number: int, state: str = "Waiting on Controller") -> dict[str, Any]:
    return {"approval_id": name(number), "currency": "USD", "customer_name": "Example Press", "state_text": state}


def decidable(number: int) -> dict[str, Any]:
    return {"approval": approval(number), "then": "It is applied in Stripe at once.", "shown": row(number)}


LEFT = {"approval_id": name(600), "approval": None, "why": "There is no such request.", "fresh_sign_in_needed": False}


def checked(api: FakeApi, *numbers: int, left: bool = False, verdict: str = "approve") -> dict[str, Any]:
    sums = [{"amount": "900.00", "amount_minor": 90_000 * len(numbers), "currency": "USD"}] if numbers else []
    rows = [decidable(number) for number in numbers]
    seen = {"verdict": verdict, "decidable": rows, "left_out": [LEFT] if left else [], "sums": sums}
    api.on("POST", "decisions/check", seen)
    return seen


def deciding(api: FakeApi, bad: tuple[str, ...] = (), lost: tuple[int, ...] = ()) -> None:
    """Every call is answered row by row; those whose number, counted from 0, is lost, are not."""
    calls = []

    def answered(request: httpx.Request) -> tuple[int, Any]:
        calls.append(request)
        if len(calls) - 1 in lost:
            return 200, httpx.ReadTimeout("slow")
        outcomes = [outcome(one["approval_id"], bad) for one in json.loads(request.content)["rows"]]
        return 200, {"outcomes": outcomes, "all_decided": not bad}

    api.on("POST", "decisions", answered)


def outcome(approval_id: str, bad: tuple[str, ...]) -> dict[str, Any]:
    if approval_id in bad:
        why = "Another amount is asked for by now; read it again."
        return {
            "approval_id": approval_id,
            "answer": "conflict",
            "code": "amount_changed",
            "why": why,
            "approval": None,
        }
    done = {"approval_id": approval_id, "state_text": "Applied in Stripe"}
    return {"approval_id": approval_id, "answer": "accepted", "code": "", "why": "", "approval": done}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_with_yes_each_is_decided_as_the_check_showed_it(plixo: Plixo, api: FakeApi) -> None:
    checked(api, 0, 1)
    deciding(api)
    ran = plixo("approvals", "approve", name(0), name(1), "--yes", "--comment", "As agreed")
    assert ran.code == 0
    assert api.bodies("decisions/check") == [{"verdict": "approve", "approval_ids": [name(0), name(1)]}]
    assert api.bodies("decisions") == [{"verdict": "approve", "comment": "As agreed", "rows": [row(0), row(1)]}]
    words = " ".join(ran.out.split())
    assert "Approve 2 requests: 1,800.00 USD" in words
    assert f"{name(0)} 900.00 USD Example Press" in words
    assert "You approved 2 requests. Request What became of it" in words
    assert f"{name(1)} Recorded: Applied in Stripe" in words
    assert ran.out.rstrip().endswith("Next: plixo approvals list")
    assert all(len(line.rstrip()) <= 80 for line in ran.out.splitlines())


def test_json_is_what_became_of_each_and_nothing_else(plixo: Plixo, api: FakeApi) -> None:
    checked(api, 0, 1, left=True)
    deciding(api, bad=(name(1),))
    ran = plixo("approvals", "approve", name(0), name(1), name(600), "--yes", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert ran.document == {
        "verdict": "approve",
        "outcomes": [outcome(name(0), ()), outcome(name(1), (name(1),))],
        "left_out": [LEFT],
        "all_decided": False,
    }


@pytest.mark.parametrize(
    ("left", "bad", "code"), [(False, (), 0), (True, (), 1), (False, (name(1),), 1), (True, (name(1),), 1)], ids=repr
)
def test_the_exit_code_says_whether_all_went_through(
    plixo: Plixo, api: FakeApi, *, left: bool, bad: tuple[str, ...], code: int
) -> None:
    checked(api, 0, 1, left=left)
    deciding(api, bad)
    ran = plixo("approvals", "approve", name(0), name(1), name(600), "--yes")
    assert ran.code == code
    words = " ".join(ran.out.split())
    assert ("Left out: 1 request" in words) == left
    assert ("Not decided: Another amount is asked for by now; read it again." in words) == bool(bad)
    if code:
        assert f"You approved {2 - len(bad)} of {2 + left} requests." in words


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_without_yes_and_without_anybody_to_ask_nothing_is_decided(
    plixo: Plixo, api: FakeApi, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    seen = checked(api, 0, 1)
    deciding(api)
    ran = plixo("approvals", "approve", name(0), name(1), *form)
    assert ran.code == 1
    assert api.bodies("decisions") == []
    if form:
        assert ran.document == seen
    else:
        assert "Nothing is decided yet; add --yes to go through with it." in ran.out


@pytest.mark.parametrize(("typed", "sent"), [("yes\n", 1), ("YES\n", 1), ("y\n", 0), ("no\n", 0), ("", 0)])
def test_at_a_terminal_it_asks_what_it_has_shown(
    plixo: Plixo, api: FakeApi, monkeypatch: pytest.MonkeyPatch, typed: str, sent: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    checked(api, 0, 1, verdict="reject")
    deciding(api)
    ran = plixo("approvals", "reject", name(0), name(1), "--comment", "Asked twice")
    assert "Reject 2 requests? Type yes:" in ran.out
    assert len(api.bodies("decisions")) == sent
    assert ran.code == (0 if sent else 1)
    assert ("Nothing is decided." in ran.out) == (not sent)


def test_where_none_can_be_decided_nothing_is_asked(
    plixo: Plixo, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    checked(api, left=True)
    ran = plixo("approvals", "approve", name(600), name(601))
    assert ran.code == 1
    assert "None of these can be approved by you now" in ran.out
    assert "Type yes" not in ran.out
    assert plixo("approvals", "approve", name(600), name(601), "--yes").code == 1
    assert api.bodies("decisions") == []


def test_many_go_in_several_calls_and_a_lost_answer_is_told_of_those_alone(plixo: Plixo, api: FakeApi) -> None:
    checked(api, *range(25))
    deciding(api, lost=(1,))
    ran = plixo("approvals", "approve", *map(name, range(25)), "--yes", "--json")
    assert ran.code == 1
    sent = [[one["approval_id"] for one in body["rows"]] for body in api.bodies("decisions")]
    assert sent == [[name(number) for number in range(10)], [name(number) for number in range(10, 20)]]
    told = ran.document["outcomes"]
    assert [one["approval_id"] for one in told] == [name(number) for number in range(25)]
    assert [one["answer"] for one in told] == ["accepted"] * 10 + ["unanswered"] * 15
    assert "did not answer within 30 s. Run it again to see: nothing is decided twice." in told[10]["why"]
    assert told[24]["why"] == "It was not sent. Run it again to decide on it."


def test_a_refusal_of_all_is_one_line(plixo: Plixo, api: FakeApi) -> None:
    checked(api, 0, 1)
    refused = {"error": {"code": "x", "message": "m", "fields": [{"field": "comment", "message": "Too long."}]}}
    api.on("POST", "decisions", refused, 422)
    ran = plixo("approvals", "approve", name(0), name(1), "--yes", "--comment", "x", "--json")
    assert (ran.code, ran.out, ran.err) == (1, "", "plixo: --comment: Too long.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("approve", name(0), name(1), "--amount", "5"), "--amount is for one request"),
        (("reject", name(0), name(1)), "--comment: Say why you reject it"),
        (("approve", name(0), "x"), "One of them is no request's id"),
        (("approve", *map(name, range(51))), "Decide on at most 50 requests at once; 51 are ticked."),
        (("approve",), "APPROVAL_ID is missing"),
    ],
    ids=["amount", "comment", "id", "many", "none"],
)
def test_what_cannot_be_typed_is_told_before_anything_is_sent(
    plixo: Plixo, api: FakeApi, words: tuple[str, ...], said: str
) -> None:
    ran = plixo("approvals", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert api.asked == []


def test_one_request_is_decided_as_ever_with_yes_or_without(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", f"approvals/{name(0)}/decisions", {"error": {"code": "x", "message": "No."}}, 403)
    for more in ((), ("--yes",)):
        assert plixo("approvals", "approve", name(0), *more).code == 1
    said = {"verdict": "approve", "comment": "", "amount": ""}
    assert api.bodies(f"approvals/{name(0)}/decisions") == [said, said]
