"""docs/production.md: every setting, command, file and operation that it names is there as it says."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from temporalio.envconfig import ClientConfig

from plixo.config import Settings
from plixo.oidc.provider import CALLBACK
from plixo.store.roles import Roles
from plixo.stripe.gateway import CALLS_PER_SECOND
from starters.cli.app import build
from starters.cli.settings import variable
from tests.support.production_page import Page
from web.health import router
from web.middleware import MAX_UPLOAD
from web.temporal.asking import ROOT as ROOT_OF_TEMPORAL_UI
from workflows import attributes

ROOT = Path(__file__).resolve().parents[1]
PAGE = Page.read()
SETTINGS = {variable(name): field for name, field in Settings.model_fields.items()}
SPOKEN = sorted(set(PAGE.spoken))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
FOREIGN = {"TEMPORAL_CONFIG_FILE"}
"""Variables of others: Temporal's own."""


def test_every_setting_is_on_the_page_and_every_variable_of_the_page_is_a_setting() -> None:
    assert sorted(PAGE.settings) == sorted(SETTINGS)
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", PAGE.text))
    assert named - set(SETTINGS) == FOREIGN


def test_the_defaults_that_the_page_tells_are_those_of_the_settings() -> None:
    table = PAGE.text.partition("### Every setting")[2]
    told = dict(re.findall(r"^\| `([A-Z_]+)` \|.*?; `?([\d.]+)`? \|$", table, re.MULTILINE))
    shipped = {name: str(field.default).removesuffix(".0") for name, field in SETTINGS.items()}
    shipped["PLIXO_STRIPE_CALLS_PER_SECOND"] = f"{CALLS_PER_SECOND:.0f}"
    assert len(told) >= 4
    assert told == {name: shipped[name] for name in told}


@pytest.mark.parametrize("place", PAGE.files)
def test_every_file_of_settings_is_read_without_complaint(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "env"
    file.write_text(PAGE.files["/etc/plixo/plixo.env"] + PAGE.files[place])
    script = f"set -a; . {file}; {sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'"
    read = json.loads(subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout)
    for name in PAGE.variables["/etc/plixo/plixo.env"] | PAGE.variables[place]:
        assert name in SETTINGS
        monkeypatch.setenv(name, read[name])
    assert Settings().env == "production"


def test_each_key_is_in_one_file_alone() -> None:
    holders = {
        name: [place for place, found in PAGE.variables.items() if name in found]
        for name in ("STRIPE_API_KEY", "PLIXO_STRIPE_READ_KEY", "PLIXO_OIDC_CLIENT_SECRET")
    }
    assert holders == {
        "STRIPE_API_KEY": ["/etc/plixo/worker.env"],
        "PLIXO_STRIPE_READ_KEY": ["/etc/plixo/web.env"],
        "PLIXO_OIDC_CLIENT_SECRET": ["/etc/plixo/web.env"],
    }
    assert "PLIXO_DATA" not in PAGE.variables["/etc/plixo/worker.env"] | PAGE.variables["/etc/plixo/plixo.env"]


def test_each_file_names_the_role_of_its_process() -> None:
    roles = {place: found["DATABASE_URL"] for place, found in PAGE.variables.items() if "DATABASE_URL" in found}
    names = {place: url.partition("//")[2].partition(":")[0] for place, url in roles.items()}
    assert names == {
        "/etc/plixo/owner.env": "plixo",
        "/etc/plixo/web.env": Roles().staff,
        "/etc/plixo/worker.env": Roles().worker,
    }
    sql = PAGE.blocks("sql")[0]
    for place, url in roles.items():
        password = url.partition("//")[2].partition(":")[2].partition("@")[0]
        assert f"create role {names[place]} login password '{password}';" in sql


def plixo_words(line: str) -> list[str] | None:
    """What follows `plixo` in a line; None where it is another program's."""
    words = shlex.split(line)
    words = words[2:] if words[:1] == ["as"] else words
    return words[1:] if words[:1] == ["plixo"] else None


COMMANDS = [line for line in PAGE.commands if not line.startswith("as() ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_of_the_command_line_with_those_options(line: str) -> None:
    words = plixo_words(line)
    assert words is not None, line
    assert shlex.split(line)[1] in {Path(place).stem for place in PAGE.files}
    build().parse_args(words, exit_on_error=False, print_error=False)
    place, apps, _options = build().parse_commands(words)
    assert place
    assert apps[-1].default_command is not None


SHORT = [word for word in SPOKEN if word.startswith("plixo ")]


@pytest.mark.parametrize("spoken", SHORT)
def test_every_command_that_is_spoken_of_is_there(spoken: str) -> None:
    place = [word for word in spoken.split()[1:] if not word.startswith("--")]
    app = build()
    for word in place:
        app = app[word]


def test_every_option_that_is_spoken_of_is_one() -> None:
    helps = {name: subprocess.run([sys.executable, "-m", "starters.cli", *name.split(), "--help"], capture_output=True,
                                  text=True, check=True).stdout for name in ("db roles", "restore")}  # fmt: skip
    spoken = {word for word in SPOKEN if word.startswith("--")}
    assert spoken == {"--staff", "--worker", "--replace"}
    assert all(f"{word} " in helps["db roles"] + helps["restore"] for word in spoken)


def test_what_the_shell_is_given_is_sound() -> None:
    for script in [*PAGE.blocks("sh"), "\n".join(PAGE.commands)]:
        ran = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")
    install = "\n".join(PAGE.blocks("sh"))
    image = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r" in install
    for line in re.findall(r"pip install (--no-deps \S+ --editable)", install):
        assert line in image
    assert re.search(r"--no-deps --no-build-isolation --editable", install)


def test_what_is_run_in_a_container_is_a_service_and_a_command() -> None:
    lines = re.findall(r"^docker compose run (.*)$", "\n".join(PAGE.blocks("sh")), re.MULTILINE)
    assert len(lines) == 1
    for line in lines:
        words = shlex.split(line)
        at = next(number for number, word in enumerate(words) if word in COMPOSE["services"])
        place, apps, rest = build().parse_commands(words[at + 1 :])
        assert place == ("backup",)
        assert apps[-1].default_command is not None
        assert rest[0].startswith(words[words.index("--volume") + 1].partition(":")[2] + "/")
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r"apt-get install .*\bpostgresql-client\b", image)
    assert re.search(r"useradd .*--uid 10001\b", image)
    assert "(10001)" in PAGE.text


def test_every_file_of_ours_that_is_named_is_there() -> None:
    named = {word for word in SPOKEN if re.fullmatch(r"[\w-]+(\.yml|\.lock|/[\w./-]*)", word)}
    named |= set(re.findall(r"-r (\S+)", "\n".join(PAGE.blocks("sh"))))
    inside = {"keys/"}
    assert named >= {"docker-compose.yml", "requirements.lock", "plixo/directory/seed.toml", "policies/"}
    for name in named - inside:
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\(([^)]+)\)", PAGE.text):
        assert (ROOT / "docs" / link).exists(), link


def test_every_place_of_the_machine_is_one_that_its_files_name() -> None:
    told = {place for found in PAGE.variables.values() for place in found.values() if place.startswith("/")}
    named = set(re.findall(r"/(?:etc|var)/[\w./-]*[\w]", PAGE.text)) - set(PAGE.files)
    for place in named:
        known = any(place == one or one.startswith(f"{place}/") for one in told)
        assert known or place.startswith("/var/backups/") or place == "/etc/plixo", place


def test_temporals_own_settings_are_read_as_the_page_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(PAGE.blocks("toml")[0])
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    found = ClientConfig.load_client_connect_config()
    profile = tomllib.loads(file.read_text())["profile"]["default"]
    assert (found["target_host"], found["namespace"], found["api_key"]) == tuple(profile.values())
    for key in attributes.ALL:
        kind = key.indexed_value_type.name.title().replace("_L", "L")
        assert f"`{key.name}` ({kind})" in " ".join(PAGE.text.split())
    assert "matching.enableFairness" in SPOKEN
    assert "matching.enableFairness" in COMPOSE["configs"]["temporal"]["content"]


_PLAIN_CALLS = {"{": "retrieve", "preview": "preview", '"': "create", "{quote": "balance_transactions.create"}
"""What follows the kind of object in the address of a call that is made without the SDK's objects."""


def test_the_operations_of_stripe_are_all_that_the_gateway_calls() -> None:
    gateway = (ROOT / "plixo" / "stripe" / "gateway.py").read_text()
    called = {name.removesuffix("_async") for name in re.findall(r"self\._api\.([\w.]+_async)", gateway)}
    called |= {"customers.balance_transactions.list" for _ in re.findall(r"entries\.list_async", gateway)}
    plain = re.findall(r'"/v1/([\w]+)/?(\{quote|preview|\{|")', gateway)
    called |= {f"{kind}.{_PLAIN_CALLS[rest]}" for kind, rest in plain}
    table = PAGE.text.partition("## 4. Stripe keys")[2].partition("\n\n## ")[0]
    told = set(re.findall(r"`((?:customers|invoices|credit_notes)\.[\w.]+)`", table))
    assert told == called
    (console,) = re.findall(r"^\| `PLIXO_STRIPE_READ_KEY`.*$", table, re.MULTILINE)
    assert "Write" not in console
    assert ".create" not in console


def test_the_addresses_that_are_named_are_the_consoles() -> None:
    paths = {word for word in SPOKEN if re.fullmatch(r"/[a-z]+", word)}
    assert paths == {route.path for route in router.routes} | {ROOT_OF_TEMPORAL_UI}
    assert f"`https://plixo.example.com{CALLBACK}`" in PAGE.text
    (proxy,) = PAGE.blocks("nginx")
    assert {"Host", "X-Forwarded-For", "X-Forwarded-Proto"} == set(re.findall(r"proxy_set_header (\S+)", proxy))
    assert PAGE.variables["/etc/plixo/web.env"]["PLIXO_TRUSTED_PROXIES"] == "127.0.0.1"
    assert f"client_max_body_size {MAX_UPLOAD // 1024 // 1024}m;" in proxy
    port = re.search(r"127\.0\.0\.1:(\d+)", proxy)[1]
    assert f"as web plixo web --port {port}" in PAGE.commands


@pytest.mark.asvs("15.1.2")
def test_the_bill_of_materials_names_every_package_of_the_lock() -> None:
    program = [sys.executable, "tests/checks/sbom.py", "requirements.lock"]
    said = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = json.loads(said)
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert [one["name"] for one in found["components"]] == pinned
    assert "pkg:pypi/temporalio@1.35.0" in {one["purl"] for one in found["components"]}
    assert (found["bomFormat"], found["metadata"]["component"]["name"]) == ("CycloneDX", "plixo")
    assert len({one["bom-ref"] for one in found["components"]}) == len(pinned) > 50
    assert "`make sbom`" in PAGE.text
    assert "\nsbom:" in (ROOT / "Makefile").read_text()
