import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plixo.temporal.payload_keys import load_payload_keys

Plixo = Callable[..., Any]


def uses(document: Any) -> list[str]:
    return [key["use"] for key in document["keys"]]


def test_keys_are_listed_and_rotated(plixo: Plixo, tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys" / "payload-keys.json"
    first = plixo("keys", "rotate", "--json").document
    assert (first["file"], uses(first)) == (str(path), ["encrypts and decrypts"])

    prepared = plixo("keys", "rotate", "--prepare", "--json").document
    assert prepared["current"] == first["current"]
    assert uses(prepared) == ["encrypts and decrypts", "prepared"]

    rotated = plixo("keys", "rotate", "--json").document
    assert rotated["current"] == prepared["keys"][1]["id"]
    assert uses(rotated) == ["decrypts", "encrypts and decrypts"]
    assert plixo("keys", "list", "--json").document == rotated


def test_a_person_is_told_what_follows(plixo: Plixo) -> None:
    made = plixo("keys", "rotate")
    assert "encrypts from now on, in running processes too" in " ".join(made.out.split())
    assert "Next: plixo keys list" in made.out
    prepared = plixo("keys", "rotate", "--prepare")
    assert "encrypts nothing yet; give every machine this file, then rotate" in " ".join(prepared.out.split())
    assert "Next: plixo keys rotate" in prepared.out


@pytest.mark.asvs("16.2.5")
def test_no_key_is_ever_printed(plixo: Plixo, tmp_path: Path) -> None:
    shown = "".join(plixo("keys", *words).out for words in (("rotate",), ("rotate", "--json"), ("list",)))
    secrets = [entry["key"] for entry in json.loads((tmp_path / "data/keys/payload-keys.json").read_text())["keys"]]
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in shown]


def test_another_file_may_be_named(plixo: Plixo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIXO_PAYLOAD_KEYS", str(tmp_path / "elsewhere.json"))
    made = plixo("keys", "rotate", "--json").document
    assert load_payload_keys(tmp_path / "elsewhere.json").current_id == made["current"]
    assert not (tmp_path / "data").exists()


def test_a_file_that_cannot_be_used_is_said_in_one_line(plixo: Plixo, tmp_path: Path) -> None:
    missing = plixo("keys", "list")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "There are no payload keys at" in missing.err

    plixo("keys", "rotate")
    (tmp_path / "data/keys/payload-keys.json").chmod(0o644)
    open_ = plixo("keys", "rotate")
    assert (open_.code, open_.err.count("\n")) == (1, 1)
    assert "can be read by others (mode 644); set it to 600." in open_.err
