import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from starters.cli import tokens
from starters.cli.failures import CommandFailed
from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]
ME = {"person_id": "p-ada", "name": "Ada", "role": "Billing admin", "groups": ["billing_admin"], "email": "a@b.example"}
ASKED = {
    "device_code": "device-1",
    "user_code": "BCDF-GHJK",
    "verify_url": "http://127.0.0.1:8321/cli/confirm",
    "expires_in": 600,
    "interval": 2,
}
PENDING = (428, {"error": {"code": "pending", "message": "Not yet."}})


@pytest.mark.asvs("13.3.1")
def test_the_token_file_is_readable_by_its_owner_alone() -> None:
    path = tokens.keep("http://127.0.0.1:1", "secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    assert [one.name for one in path.parent.iterdir()] == ["token.json"]


def test_a_token_file_that_others_can_read_is_refused() -> None:
    path = tokens.keep("http://127.0.0.1:1", "secret")
    path.chmod(0o640)
    with pytest.raises(CommandFailed, match="can be read by others; run `chmod 600"):
        tokens.find("http://127.0.0.1:1")


def test_a_token_is_for_the_address_it_came_from() -> None:
    tokens.keep("http://127.0.0.1:1", "one")
    tokens.keep("http://127.0.0.1:2", "two")
    assert [tokens.find(f"http://127.0.0.1:{port}") for port in (1, 2, 3)] == ["one", "two", None]


@pytest.mark.parametrize("content", ["", "not json", "[" * 100_000])
def test_a_broken_token_file_is_named(content: str) -> None:
    path = tokens.keep("http://127.0.0.1:1", "secret")
    path.write_text(content)
    with pytest.raises(CommandFailed, match="holds no tokens; remove it and run `plixo login`"):
        tokens.find("http://127.0.0.1:1")


@pytest.mark.parametrize("content", ["[]", "7", '{"http://127.0.0.1:1": 7}'])
def test_a_token_file_of_another_shape_is_no_sign_in(content: str) -> None:
    path = tokens.keep("http://127.0.0.1:1", "secret")
    path.write_text(content)
    assert tokens.find("http://127.0.0.1:1") is None
    tokens.keep("http://127.0.0.1:1", "fresh")
    assert tokens.find("http://127.0.0.1:1") == "fresh"


def test_without_xdg_config_home_it_is_under_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tokens.place() == tmp_path / ".config" / "plixo" / "token.json"


def test_login_waits_for_the_confirmation_and_keeps_the_token(plixo: Plixo, api: FakeApi) -> None:
    answers = iter([PENDING, PENDING, (200, {"token": "fresh"})])
    api.on("POST", "logins", ASKED, 201)
    api.on("POST", "logins/token", lambda _request: next(answers))
    api.on("GET", "me", ME)
    ran = plixo("login")
    assert ran.code == 0
    assert "Open http://127.0.0.1:8321/cli/confirm and confirm the code BCDF-GHJK." in ran.out
    assert "Signed in at http://127.0.0.1:8321 as Ada (Billing admin)." in " ".join(ran.out.split())
    assert "Next: plixo approvals list" in ran.out
    assert tokens.find("http://127.0.0.1:8321") == "fresh"
    assert api.slept == [2, 2, 2]
    assert api.bodies("logins/token") == [{"device_code": "device-1"}] * 3
    assert "authorization" not in api.asked[0].headers
    assert api.asked[-1].headers["authorization"] == "Bearer fresh"


def test_login_with_json_says_the_code_beside_the_document(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "logins", ASKED, 201)
    api.on("POST", "logins/token", {"token": "fresh"})
    api.on("GET", "me", ME)
    ran = plixo("login", "--json")
    assert ran.document["person"] == ME
    assert "fresh" not in ran.out
    assert "confirm the code BCDF-GHJK" in ran.err


@pytest.mark.parametrize("answer", [PENDING, (400, {"error": {"code": "login_expired", "message": "Too late."}})])
def test_login_gives_up_when_nobody_confirms(plixo: Plixo, api: FakeApi, answer: object) -> None:
    api.on("POST", "logins", ASKED, 201)
    api.on("POST", "logins/token", lambda _request: answer)
    ran = plixo("login")
    assert ran.code == 1
    assert ran.err == "plixo: The code was not confirmed in time; run `plixo login` again.\n"
    assert tokens.find("http://127.0.0.1:8321") == "token-of-ada"
    assert sum(api.slept) <= 600


def test_login_as_a_role_keeps_that_roles_token(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "dev/token", {"token": "of-controller", "person": ME})
    api.on("GET", "me", ME)
    assert plixo("login", "--as", "controller").code == 0
    assert tokens.find("http://127.0.0.1:8321") == "of-controller"


def test_as_signs_in_for_one_command_and_keeps_nothing(plixo: Plixo, api: FakeApi) -> None:
    api.on("POST", "dev/token", {"token": "of-controller", "person": ME})
    api.on("GET", "me", ME)
    api.on("GET", "status", {"ok": True, "env": "dev", "parts": {"database": "ok"}, "policy": "1@a", "unsent_mails": 0})
    assert plixo("status", "--as", "billing-admin").code == 0
    assert api.bodies("dev/token") == [{"role": "billing_admin"}]
    assert api.asked[-1].headers["authorization"] == "Bearer of-controller"
    assert tokens.find("http://127.0.0.1:8321") == "token-of-ada"


def test_a_token_is_sent_to_its_own_address_only(plixo: Plixo, api: FakeApi) -> None:
    ran = plixo("status", "--api", "https://elsewhere.example")
    assert ran.code == 1
    assert api.asked == []
    assert json.loads(tokens.place().read_text()) == {"http://127.0.0.1:8321": "token-of-ada"}


def test_a_redirect_is_not_followed_with_the_token(plixo: Plixo, api: FakeApi) -> None:
    api.on("GET", "me", {}, 307)
    assert plixo("status").code == 1
    assert len(api.asked) == 1
