"""The commands on the policy, before an API that is played."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from plixo.config import ROOT

DRAFT = "PD-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WHO = {"person_id": "p-controller", "name": "Controller"}
MADE = {
    "draft_id": DRAFT, "kind": "policy", "author": {"person_id": "p-a", "name": "Administrator"}, "hash": "a" * 64,
    "created_at": "2026-08-03T14:00:00+00:00", "base_version": 1, "note": "Less.", "outdated": False,
    "published_by": None, "published_at": None, "version": None, "rates": [], "may_publish": False, "why_not": "",
    "differences": [{"what": "Controller approves", "before": "25,000 USD a credit", "after": "3,000 USD a credit"}],
}  # fmt: skip
CHANGED = {
    "approval_id": "CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "customer_name": "Example Foods", "amount": "4200.00",
    "amount_minor": 420_000, "currency": "USD", "state": "waiting", "open": True, "kind": "others_asked",
    "created_at": "2026-08-03T14:00:00+00:00", "kind_text": "Others are asked", "before": ["Controller"],
    "after": ["Controller and Legal"], "rule_before": "above-authority", "rule": "above-controller", "why": "Above.",
    "certain": False,
}  # fmt: skip
RESULT = {"days": 30, "looked": 7, "open": 3, "open_changed": 1, "counts": {"others_asked": 1}, "changed": [CHANGED]}


def lines(*documents: Any) -> Callable[[httpx.Request], tuple[int, str]]:
    return lambda _request: (200, "".join(json.dumps(document) + "\n" for document in documents))


def test_a_folder_is_drafted_with_what_it_says(api: Any, plixo: Any) -> None:
    api.on("POST", "policy/drafts", MADE, 201)
    ran = plixo("policy", "draft", str(ROOT / "policies"), "--note", "Less.")
    assert ran.code == 0, ran.err
    (body,) = api.bodies("policy/drafts")
    assert body["limits"]["approve"]["credit"]["controller"] == 25_000
    assert body["table"]["nodes"]
    assert body["note"] == "Less."
    assert "3,000 USD a credit" in ran.out
    assert f"Next: plixo policy simulate {DRAFT}" in ran.out
    assert plixo("policy", "draft", "--again", "1", "--json").document == MADE
    assert api.bodies("policy/drafts")[1] == {"again": 1, "note": ""}


def test_neither_a_folder_nor_a_version_or_both_is_bad_usage(api: Any, plixo: Any) -> None:
    for words in ((), (str(ROOT / "policies"), "--again", "1")):
        ran = plixo("policy", "draft", *words)
        assert (ran.code, "--again" in ran.err) == (2, True)
    assert api.asked == []


def test_a_folder_that_cannot_be_used_is_never_sent(api: Any, plixo: Any, tmp_path: Path) -> None:
    for command in ("draft", "simulate"):
        ran = plixo("policy", command, str(tmp_path))
        assert ran.code == 1
        assert "This policy cannot be used: limits.toml" in ran.err
    assert api.asked == []


def test_a_simulation_prints_every_request_and_its_result_alone_as_json(api: Any, plixo: Any) -> None:
    api.on("POST", "policy/simulations", lines({"done": 5, "total": 7}, {"result": RESULT}))
    ran = plixo("policy", "simulate", DRAFT, "--days", "7")
    assert ran.code == 0, ran.err
    read = " ".join(ran.out.split())
    assert "1 of 7 requests would go another way, 1 of them open." in read
    assert (
        "Example Foods, 4,200.00 USD * Controller → Controller and Legal (others are asked; above-controller)"
        in " ".join(word for word in read.split() if not word.startswith("CR-"))
    )
    assert api.bodies("policy/simulations") == [{"draft": DRAFT, "days": 7}]
    assert max(len(line) for line in ran.out.partition("\nNext: ")[0].splitlines()) <= 80
    assert plixo("policy", "simulate", str(ROOT / "policies"), "--json").document == RESULT


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ([{"done": 5, "total": 7}], "broke off"),
        ([{"error": {"code": "database_unavailable", "message": "No database."}}], "No database."),
    ],
)
def test_a_simulation_that_breaks_off_is_no_result(api: Any, plixo: Any, documents: list[Any], says: str) -> None:
    api.on("POST", "policy/simulations", lines(*documents))
    ran = plixo("policy", "simulate", DRAFT)
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err


def test_a_refused_simulation_is_said_in_one_line(api: Any, plixo: Any) -> None:
    error = {"code": "x", "message": "No.", "fields": [{"field": "draft", "code": "x", "message": "There is none."}]}
    api.on("POST", "policy/simulations", {"error": error}, 404)
    ran = plixo("policy", "simulate", DRAFT)
    assert (ran.code, ran.err) == (1, "plixo: There is none.\n")


def test_publishing_says_what_it_became(api: Any, plixo: Any) -> None:
    made = {**MADE, "published_by": WHO, "version": 2}
    api.on("POST", f"policy/drafts/{DRAFT}/publication", made)
    ran = plixo("policy", "publish", DRAFT)
    assert "Published as version 2." in ran.out
    assert "Published as version 2 by Controller" in ran.out


def test_drafts_and_versions_are_listed(api: Any, plixo: Any) -> None:
    api.on("GET", "policy/drafts", {"drafts": [MADE, {**MADE, "outdated": True}]})
    listed = plixo("policy", "drafts").out
    assert "Waits to be published" in " ".join(listed.split())
    assert DRAFT in listed
    version = {"version": 2, "hash": "b" * 64, "published_at": MADE["created_at"], "published_by": WHO}
    api.on("GET", "policy/versions", {"versions": [version, {**version, "version": 1, "published_by": None}]})
    told = " ".join(plixo("policy", "versions").out.split())
    assert "2 2026-08-03 14:00 UTC by Controller bbbbbbbbbbbb" in told
    assert "with a release" in told


def test_rates_are_shown_and_a_file_of_them_is_drafted(api: Any, plixo: Any, tmp_path: Path) -> None:
    rate = {"currency": "EUR", "rate": "1.25", "as_of": "2026-08-03T00:00:00+00:00"}
    found = {"base_currency": "USD", "days": 7, "rates": [{**rate, "stale": True}]}
    api.on("GET", "policy/rates", found)
    assert "too old: never automatic" in plixo("policy", "rates", "show").out
    api.on("POST", "policy/rates", {**MADE, "kind": "rates", "rates": [rate], "differences": []}, 201)
    file = tmp_path / "rates.csv"
    file.write_text("currency,rate,as_of\nEUR,1.25,2026-08-03\n")
    ran = plixo("policy", "rates", "set", str(file))
    assert f"Next: plixo policy publish {DRAFT}" in ran.out
    assert json.loads(api.asked[-1].content)["rates"] == [{"currency": "EUR", "rate": "1.25", "as_of": "2026-08-03"}]
    file.write_text("EUR;1.25")
    assert "The first line names the columns" in plixo("policy", "rates", "set", str(file)).err
    assert plixo("policy", "rates", "set", str(tmp_path / "none.csv")).code == 1
