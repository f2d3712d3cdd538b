"""Signing in, and how Plixo is."""

from typing import Any, Final

from cyclopts import App

from starters.cli import tokens
from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import facts, heading, line, pages, show
from starters.cli.reach import HERE, Reach, reached
from starters.cli.world import WORLD

app_login = App(name="login", help_epilogue=example("plixo login --api https://plixo.company.example"))
app_status = App(name="status", help_epilogue=example("plixo status --json"))

_OK: Final = 200
_NOT_YET: Final = frozenset({428, 429})
"""Not confirmed yet; asked too often."""


@app_login.default
def login(*, reach: Reach = HERE) -> None:
    """Sign this machine in: a code is shown here, and confirmed in the console by whoever is signed in there.

    In dev, --as ROLE signs in as that role without the console.
    """
    with reached(reach, signed_in=bool(reach.role)) as api:
        token = _token_of(api.client.headers["Authorization"]) if reach.role else _confirmed(api, as_json=reach.as_json)
        api.client.headers["Authorization"] = f"Bearer {token}"
        me = api.get("me")
        kept = tokens.keep(api.address, token)
    person = {"person": me, "api": api.address, "kept_in": str(kept)}
    page = line(f"Signed in at {api.address} as {me['name']} ({me['role']}). The token is kept in {kept}.")
    show(person, page, as_json=reach.as_json, following="plixo approvals list")


@app_status.default
def status(*, reach: Reach = HERE) -> int:
    """Who is signed in, and whether Plixo is well; exits 1 when it is not."""
    with reached(reach) as api:
        me, state = api.get("me"), api.get("status")
    verdict = "Plixo is well." if state["ok"] else "Plixo is not well."
    about = [
        ("Address", api.address),
        ("Signed in", f"{me['name']} ({me['role']})"),
        *((name.capitalize(), word) for name, word in state["parts"].items()),
        ("Policy", state["policy"]),
        ("Unsent mails", str(state["unsent_mails"])),
    ]
    found = {"api": api.address, "person": me, "status": state}
    page = pages(heading(verdict), facts(about))
    show(found, page, as_json=reach.as_json, following=f"plixo approvals list{reach.suffix}")
    return 0 if state["ok"] else 1


def _confirmed(api: Any, *, as_json: bool) -> str:  # noqa: ANN401 - loaded late
    asked = api.post("logins")
    wanted = f"Open {asked['verify_url']} and confirm the code {asked['user_code']}."
    _say(wanted, as_json=as_json)
    waited, pause = 0.0, max(float(asked["interval"]), 1.0)
    while waited < float(asked["expires_in"]):
        WORLD.get().sleep(pause)
        waited += pause
        code, answer = api.ask("logins", "token", device_code=asked["device_code"])
        if code == _OK:
            return str(answer["token"])
        if code not in _NOT_YET:
            break
    raise CommandFailed("The code was not confirmed in time; run `plixo login` again.")


def _say(words: str, *, as_json: bool) -> None:
    """With --json standard output holds the document alone, so the code is shown beside it."""
    import sys  # noqa: PLC0415 - chosen at the moment of writing

    (sys.stderr if as_json else sys.stdout).write(words + "\n")


def _token_of(header: str) -> str:
    return header.removeprefix("Bearer ")
