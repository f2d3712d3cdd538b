"""One line that says what is wrong and what to do; exit code 2 for bad usage, 1 for a refusal."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from plixo.signing.keys import load_or_create_signing_key
from starters.cli.settings import load_settings
from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]
REQUEST = ("credit", "request", "--customer", "cus_1", "--amount", "5.00", "--currency", "USD", "--reason", "goodwill")


def one_line(ran: Ran, code: int) -> str:
    assert ran.code == code
    assert ran.out == ""
    assert ran.err.startswith("plixo: ")
    assert ran.err.count("\n") == 1
    return ran.err.strip()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("nonsense",), 'Unknown command "nonsense"'),
        (("credi",), 'Did you mean "credit"?'),
        (("credit", "nonsense"), "Available commands: import, request, preview, show, list, withdraw, nudge."),
        (("credit", "show"), "APPROVAL_ID is missing: The request's id"),
        (("status", "--nonsense"), "Unknown option: --nonsense"),
        (("status", "--as"), "--as"),
        (("status", "--as", "king"), "--as takes one of support, billing_admin, controller, legal"),
        (("status", "--api", "plixo.example"), "--api must be an address such as"),
        (("status", "--api", "ftp://plixo.example"), "--api must be an address such as"),
        (("status", "--api", "http://me:secret@127.0.0.1"), "--api must be an address such as"),
        (("status", "--api", "http://plixo.example"), "would show your token to the network; use https"),
        (("web", "--port", "many"), "--port"),
        (("web", "--port", "65536"), "--port"),
        (("up", "--port", "-1"), "--port"),
        (("approvals", "list", "--tab", "nonsense"), "--tab"),
        (("approvals", "list", "--page", "0"), "--page"),
        (("audit", "export", "nonsense"), "'nonsense' is no request's id; they look like CR-"),
        (("status", "\udcff"), "not UTF-8"),
        (REQUEST[:2], "--customer is missing: Who gets it, by Stripe's id"),
        (REQUEST[:4], "--amount is missing: Gross, in the currency's major unit"),
        (REQUEST[:6], "--currency is missing: Three letters"),
        (REQUEST[:8], "--reason is missing: Why: billing_error, duplicate_charge"),
    ],
)
def test_bad_usage_is_told_in_a_line_and_exits_2(
    plixo: Plixo, api: FakeApi, words: tuple[str, ...], named: str
) -> None:
    assert named in one_line(plixo(*words), 2)
    assert api.asked == []


def test_nobody_signed_in_says_how_to_sign_in(plixo: Plixo) -> None:
    assert "run `plixo login`, or in dev add --as controller" in one_line(plixo("status"), 1)


def test_nobody_there_says_how_to_start_it(plixo: Plixo) -> None:
    line = one_line(plixo("login", "--api", "http://127.0.0.1:9"), 1)
    assert line == "plixo: Plixo is not running at http://127.0.0.1:9; start it with `make up`."


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (401, {"error": {"code": "unauthenticated", "message": "Sign in."}}, "Nobody is signed in at http://127.0.0.1"),
        (403, {"error": {"code": "not_asked", "message": "This waits for Legal."}}, "plixo: This waits for Legal."),
        (404, {"error": {"code": "unknown", "message": "There is no such request."}}, "There is no such request."),
        (503, {"error": {"message": "Stripe is away.", "request_id": "r1"}}, "now: Stripe is away. (request r1)"),
        (200, "<html>hello</html>", "answers 200, but not as Plixo's API; check --api or PLIXO_API."),
        (502, "<html>\nbad\n</html>", "answers 502, but not as Plixo's API; check --api or PLIXO_API."),
        (404, {"detail": "Not Found"}, "answers 404, but not as Plixo's API; check --api or PLIXO_API."),
        (307, {}, "answers 307, but not as Plixo's API; check --api or PLIXO_API."),
        (200, httpx.ReadTimeout("slow"), "did not answer within 30 s"),
        (200, httpx.ReadError("cut\noff"), "gave no answer: cut off."),
    ],
)
def test_a_refusal_is_told_in_a_line_and_exits_1(
    plixo: Plixo,
    api: FakeApi,
    status: int,
    answer: Any,
    said: str,
) -> None:
    api.on("GET", "me", answer, status)
    assert said in one_line(plixo("status"), 1)


def test_a_refused_field_is_named_as_its_option(plixo: Plixo, api: FakeApi) -> None:
    fields = [
        {"field": "amount", "code": "amount_too_precise", "message": "JPY has no decimals."},
        {"field": "request_id", "code": "request_id_invalid", "message": "Give a request id."},
        {"field": "person", "code": "own_request", "message": "Nobody decides on their own request."},
    ]
    api.on("POST", "credits", {"error": {"code": "x", "message": "m", "fields": fields}}, 422)
    line = one_line(plixo(*REQUEST), 1)
    assert "--amount: JPY has no decimals. --request-id: Give a request id. Nobody decides on their own" in line


@pytest.mark.parametrize("words", [("status", "--json"), (*REQUEST, "--json")])
def test_with_json_a_refusal_leaves_standard_output_empty(plixo: Plixo, api: FakeApi, words: tuple[str, ...]) -> None:
    refused = {"error": {"code": "not_allowed", "message": "No."}}
    for method, path in (("GET", "me"), ("POST", "credits")):
        api.on(method, path, refused, 403)
    assert "No." in one_line(plixo(*words), 1)


def test_orders_to_the_terminal_never_reach_it(plixo: Plixo, api: FakeApi) -> None:
    api.on("GET", "me", {"error": {"message": "\x1b]0;owned\x07\x1b[2J\nplixo: all is well"}}, 403)
    line = one_line(plixo("status"), 1)
    assert "\x1b" not in line
    assert "\x07" not in line


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PLIXO_ENV", "staging", "PLIXO_ENV cannot be used: Input should be 'dev' or 'production'."),
        ("PLIXO_GRACE_SECONDS", "soon", "PLIXO_GRACE_SECONDS cannot be used: Input should be a valid number"),
        (
            "PLIXO_MAX_CACHED_WORKFLOWS",
            "many",
            "PLIXO_MAX_CACHED_WORKFLOWS cannot be used: Input should be a valid int",
        ),
    ],
)
def test_a_bad_setting_is_named(
    plixo: Plixo,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(name, value)
    for words in (("worker",), ("web",), ("db", "upgrade"), ("status",), ("audit", "verify")):
        assert said in one_line(plixo(*words), 1)


@pytest.mark.asvs("16.2.5")
def test_a_refused_setting_never_shows_its_secret(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIXO_ENV", "dev")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live_secret")
    line = one_line(plixo("worker"), 1)
    assert "refuses live Stripe keys" in line
    assert "secret" not in line


@pytest.mark.asvs("16.2.5")
def test_a_database_that_is_away_is_named_without_its_password(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plixo:hunter2@127.0.0.1:9/plixo")
    line = one_line(plixo("db", "upgrade"), 1)
    assert "postgresql+psycopg://plixo:***@127.0.0.1:9/plixo cannot be used" in line
    assert "hunter2" not in line


def test_a_database_that_is_not_there_is_not_made_by_reading(plixo: Plixo, tmp_path: Path) -> None:
    assert "There is no database at" in one_line(plixo("audit", "export"), 1)
    assert not (tmp_path / "data" / "plixo.db").exists()


def test_a_folder_that_cannot_be_written_is_named(
    plixo: Plixo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLIXO_DATA", str(tmp_path / "file" / "data"))
    assert "cannot be written (Not a directory); set PLIXO_DATA to a folder." in one_line(plixo("db", "upgrade"), 1)


SERVERS = [("worker",), ("web", "--port", "0")]


@pytest.mark.parametrize("words", SERVERS)
def test_without_a_temporal_no_process_starts(plixo: Plixo, words: tuple[str, ...]) -> None:
    assert "No Temporal is configured; set PLIXO_TEMPORAL_ADDRESS" in one_line(plixo(*words), 1)


def test_without_a_stripe_key_or_public_keys_no_process_starts(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", "127.0.0.1:9")
    assert "There are no public signing keys at" in one_line(plixo("worker"), 1)
    assert "STRIPE_API_KEY (or PLIXO_STRIPE_READ_KEY) cannot be used" in one_line(plixo("web", "--port", "0"), 1)


def test_a_key_folder_that_cannot_be_written_is_named(
    plixo: Plixo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys").write_text("in the folder's place")
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", "127.0.0.1:9")
    line = one_line(plixo("web", "--port", "0"), 1)
    assert f"keys at {tmp_path / 'data' / 'keys'}" in line
    assert "cannot be" in line


def test_a_temporal_that_is_away_keeps_the_worker_from_starting(plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = load_settings().data / "keys"
    load_or_create_signing_key(keys / "signing-private.json", keys / "signing-public.json")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_key")
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", "127.0.0.1:9")
    assert "There are no payload keys at" in one_line(plixo("worker"), 1)
    assert plixo("keys", "rotate").code == 0
    assert "Temporal does not answer at 127.0.0.1:9; start it" in one_line(plixo("worker"), 1)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_whoever_stops_reading_gets_no_traceback(form: tuple[str, ...]) -> None:
    """As `plixo people check | head -1` does."""
    words = [sys.executable, "-m", "starters.cli", "policy", "check", *form]
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_colour_is_for_terminals_alone() -> None:
    """On a pseudo-terminal there is some, through a pipe none."""
    words = [sys.executable, "-m", "starters.cli", "policy", "check"]
    piped = subprocess.run(words, capture_output=True, check=True)
    keeper, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 80, 0, 0))
    with subprocess.Popen(words, stdout=terminal, env=os.environ | {"TERM": "xterm-256color"}):
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux's way to say that the other end has closed
            while part := os.read(keeper, 65536):
                shown += part
    os.close(keeper)
    assert b"\x1b[" in shown
    assert b"\x1b[" not in piped.stdout
