"""The image and the compose file, which no test here can start: what they say must fit the product and each other."""

import functools
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from demo.places import Ports
from demo.stack import _temporal
from plixo.config import Settings
from plixo.store.roles import Roles
from starters.cli.app import build
from starters.cli.settings import variable
from web import codec
from web.middleware import HEALTH
from web.temporal.asking import ROOT as ROOT_OF_TEMPORAL_UI

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONCE = {"temporal-schema", "temporal-setup", "migrations", "database-roles"}
SETTINGS = {variable(name) for name in Settings.model_fields}
ISSUER = "PLIXO_OIDC_ISSUER"
WRITES, READS = "STRIPE_API_KEY", "PLIXO_STRIPE_READ_KEY"

INTERPOLATED = re.compile(r"\$(?:\$|\{(\w+)(?::([?-])([^}]*))?\}|(\w+))")


def strings(part: Any) -> Iterator[str]:
    """Every text in a part of the file, keys aside."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from strings(item)
    elif isinstance(part, str):
        yield part


def filled(text: str) -> str:
    """A value as Compose hands it on, with the variable's own name for what it holds; an issuer is an address."""

    def value(found: re.Match[str]) -> str:
        if not found[1]:
            return found[0][1:]
        if found[2] == "-":
            return found[3]
        return "https://issuer.example" if found[1] == ISSUER else f"a-{found[1].lower()}"

    return INTERPOLATED.sub(value, text)


def stages() -> dict[str, str]:
    """The image's stages by name, each with those that it is made from."""
    found: dict[str, str] = {}
    for stage in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]:
        base, name = re.match(r"FROM (\S+) AS (\S+)", stage).groups()
        found[name] = found.get(base, "") + stage
    return found


def image_environment(service: dict[str, Any]) -> dict[str, str]:
    lines = re.findall(r"^ENV (.*)$", stages()[service["build"]["target"]], re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def environment(name: str) -> dict[str, str]:
    """What a process of ours has in its environment."""
    given = {key: filled(value) for key, value in OURS[name]["environment"].items()}
    return image_environment(OURS[name]) | given


def settings(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable_name in SETTINGS:
        monkeypatch.delenv(variable_name, raising=False)
    for key, value in environment(name).items():
        if key in SETTINGS:
            monkeypatch.setenv(key, value)
    return Settings()


def mounts(name: str) -> dict[str, str]:
    """Where volumes and files are in a container: the place, and what is there."""
    found = {}
    for volume in SERVICES[name].get("volumes", []):
        source, target = (volume["source"], volume["target"]) if isinstance(volume, dict) else volume.split(":")[:2]
        found[target] = source
    return found


def mounted(name: str, place: Path) -> str | None:
    """The volume that holds a place; None when the container loses it."""
    within = [target for target in mounts(name) if PurePosixPath(place).is_relative_to(target)]
    return mounts(name)[max(within, key=len)] if within else None


def command_of(name: str) -> list[str]:
    service = OURS[name]
    said = re.findall(r"^CMD (\[.*\])$", stages()[service["build"]["target"]], re.MULTILINE)[-1]
    return service.get("command") or json.loads(said)


# --- what is set


@pytest.mark.parametrize("name", OURS)
def test_every_variable_that_a_process_is_given_is_a_setting(name: str) -> None:
    assert set(OURS[name]["environment"]) <= SETTINGS
    assert {key for key in image_environment(OURS[name]) if key.startswith("PLIXO_")} <= SETTINGS


@pytest.mark.parametrize("name", OURS)
def test_every_process_is_in_production_and_reads_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(name, monkeypatch).env == "production"


ROLES = {
    "migrations": ("plixo", "plixo"),
    "database-roles": ("plixo", "plixo"),
    "web": (Roles().staff, "staff"),
    "worker": (Roles().worker, "worker"),
}


def test_each_reaches_the_database_with_its_own_role(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (role, word) in ROLES.items():
        url = f"postgresql+psycopg://{role}:a-postgres_{word}_password@postgres:5432/plixo"
        assert settings(name, monkeypatch).database == url
        made = COMPOSE["configs"]["databases"]["content"]
        assert f"create role {role} login password :'{word}';" in made
        assert f"\\getenv {word} POSTGRES_{word.upper()}_PASSWORD" in made
        assert f"POSTGRES_{word.upper()}_PASSWORD" in SERVICES["postgres"]["environment"]
    named = {name for name, service in OURS.items() if "DATABASE_URL" in service["environment"]}
    assert named == set(ROLES)


def test_the_proxy_in_front_is_trusted_and_the_port_is_this_machines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "172.16.0.0/12" in settings("web", monkeypatch).trusted_proxies
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8321:8321"]


def test_every_value_from_outside_is_asked_for_in_words_or_has_a_default() -> None:
    """Without either, Compose would go on with nothing in its place."""
    named = [found for text in strings(COMPOSE) for found in INTERPOLATED.finditer(text) if found[0] != "$$"]
    assert {found[1] for found in named} >= {"POSTGRES_PASSWORD", WRITES, READS}
    for found in named:
        assert found[2], f"{found[0]} needs :?message or :-default"
        assert found[2] == "-" or found[3].startswith("set it to "), found[0]


def test_no_secret_is_written_down() -> None:
    secrets = [
        (name, value)
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|PWD|_KEY$", name)
    ]
    assert len(secrets) >= 7
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for _name, value in secrets), secrets


# --- who holds which key


def test_the_writing_stripe_key_is_the_workers_alone_and_the_reading_one_the_consoles() -> None:
    holders = {
        key: {name for name in SERVICES if any(key in text for text in [*SERVICES[name].get("environment", {})])}
        for key in (WRITES, READS)
    }
    assert holders == {WRITES: {"worker"}, READS: {"web"}}
    assert f"${{{WRITES}" not in json.dumps(SERVICES["web"])
    assert f"${{{READS}" not in json.dumps(SERVICES["worker"])


def test_the_private_signing_key_is_the_consoles_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    web = settings("web", monkeypatch)
    assert mounted("web", web.signing_key) == "signing-key"
    assert mounted("web", web.public_keys) == "public-keys"
    assert [name for name in SERVICES if "signing-key" in mounts(name).values()] == ["web"]


def test_a_worker_can_read_the_public_keys_and_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, web = settings("worker", monkeypatch), settings("web", monkeypatch)
    assert mounted("worker", worker.public_keys) == "public-keys"
    assert mounted("worker", worker.signing_key) is None
    assert worker.public_keys == web.public_keys
    assert "public-keys:/var/lib/plixo/public:ro" in SERVICES["worker"]["volumes"]


@pytest.mark.asvs("13.3.1")
def test_payload_keys_are_the_consoles_and_the_workers_alone_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, web = settings("worker", monkeypatch), settings("web", monkeypatch)
    assert worker.payload_keys == web.payload_keys
    assert mounted("web", web.payload_keys) == mounted("worker", worker.payload_keys) == "payload-keys"
    assert "payload-keys:/var/lib/plixo/payload:ro" in SERVICES["worker"]["volumes"]
    assert {name for name in SERVICES if "payload-keys" in mounts(name).values()} == {"web", "worker"}
    assert {name for name in OURS if "PLIXO_PAYLOAD_KEYS" in OURS[name]["environment"]} == {"web", "worker"}


def test_nothing_else_is_kept_beside_the_public_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may be given the public keys, and with them the volume."""
    web = settings("web", monkeypatch)
    assert len({web.signing_key.parent, web.public_keys.parent, web.payload_keys.parent}) == 3


def test_the_folders_of_all_keys_belong_to_whoever_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that is empty takes them over with their owner."""
    made = re.search(r"install -d -o plixo -g plixo -m 0700 (.*)$", stages()["web"], re.MULTILINE)[1].split()
    web = settings("web", monkeypatch)
    assert {str(path.parent) for path in (web.signing_key, web.public_keys, web.payload_keys)} <= set(made)


def test_the_people_of_a_new_database_are_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped ones are examples."""
    assert "${PLIXO_PEOPLE_SEED:?" in mounted("migrations", settings("migrations", monkeypatch).people_seed)


# --- what runs


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_command_line(name: str) -> None:
    assert re.findall(r"^ENTRYPOINT (.*)$", stages()[OURS[name]["build"]["target"]], re.MULTILINE) == ['["plixo"]']
    words = command_of(name)
    command, _bound, _ignored = build().parse_args(words, exit_on_error=False, print_error=False)
    assert command.__name__ == place(words)[-1]
    ran = subprocess.run(
        [sys.executable, "-m", "starters.cli", *words, "--help"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: plixo {' '.join(place(words))}")


def place(words: list[str]) -> list[str]:
    """The command without its options."""
    return list(itertools.takewhile(lambda word: not word.startswith("--"), words))


def test_each_process_is_there() -> None:
    commands = {" ".join(place(command_of(name))) for name in OURS}
    assert commands == {"temporal setup", "db upgrade", "db roles", "web", "worker"}


def test_nobody_starts_before_what_they_need() -> None:
    needs = {
        name: {on: how["condition"] for on, how in SERVICES[name].get("depends_on", {}).items()} for name in SERVICES
    }
    done, healthy = "service_completed_successfully", "service_healthy"
    assert needs == {
        "postgres": {},
        "temporal-schema": {"postgres": healthy},
        "temporal": {"temporal-schema": done},
        "temporal-setup": {"temporal": healthy},
        "temporal-ui": {"temporal": healthy},
        "migrations": {"postgres": healthy},
        "database-roles": {"migrations": done},
        "web": {"database-roles": done, "temporal-setup": done},
        "worker": {"database-roles": done, "temporal-setup": done, "web": healthy},
    }


def test_what_is_waited_for_says_whether_it_is_well() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name] or "HEALTHCHECK" in stages()[OURS[name]["build"]["target"]], name


def test_what_serves_comes_back_and_what_runs_once_does_not() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("on-failure:5" if name in ONCE else "unless-stopped"), name


def test_a_worker_may_finish_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    grace = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings("worker", monkeypatch).grace_seconds + 10


# --- the parts that are not ours


def test_the_images_are_the_versions_that_the_tests_run_on() -> None:
    temporal = Path(sys.executable).parent / "temporal"
    said = subprocess.run([temporal, "--version"], capture_output=True, text=True, check=True).stdout
    server, ui = re.search(r"Server ([\d.]+), UI ([\d.]+)", said).groups()
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{server}"
    assert SERVICES["temporal-schema"]["image"] == f"temporalio/admin-tools:{server}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{ui}"
    assert SERVICES["postgres"]["image"] == "postgres:16"


def test_the_cluster_is_told_what_the_embedded_one_is(tmp_path: Path) -> None:
    command = _temporal(tmp_path, Ports()).command
    given = [word for flag, word in itertools.pairwise(command) if flag == "--dynamic-config-value"]
    embedded = {key: json.loads(value) for key, value in (word.split("=", 1) for word in given)}
    told = yaml.safe_load(COMPOSE["configs"]["temporal"]["content"])
    assert {key: entry[0]["value"] for key, entry in told.items()} == embedded
    mounted_at = {one["source"]: one["target"] for one in SERVICES["temporal"]["configs"]}
    assert SERVICES["temporal"]["environment"]["DYNAMIC_CONFIG_FILE_PATH"] == mounted_at["temporal"]


def test_everybody_speaks_to_the_same_namespace() -> None:
    spoken = {environment(name)["PLIXO_TEMPORAL_NAMESPACE"] for name in ("temporal-setup", "web", "worker")}
    assert spoken == {SERVICES["temporal-ui"]["environment"]["TEMPORAL_DEFAULT_NAMESPACE"]}


def test_both_schemas_of_temporal_are_brought_up_to_date() -> None:
    script = filled(SERVICES["temporal-schema"]["command"][0])
    for database, schema in (("temporal", "temporal"), ("temporal_visibility", "visibility")):
        assert f"$tool --db {database} setup-schema -v 0.0\n" in script
        assert f"$tool --db {database} update-schema -d $schema/{schema}/versioned\n" in script
        assert f"create database {database} owner temporal;" in COMPOSE["configs"]["databases"]["content"]
    assert "schema=/etc/temporal/schema/postgresql/v12\n" in script
    assert subprocess.run(["/bin/sh", "-n", "-c", script], check=False).returncode == 0


def test_nothing_listens_for_other_machines() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8321:8321"]


def test_temporal_ui_is_reached_through_the_console_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that its image reads, and with the values that the embedded one is started with."""
    told = SERVICES["temporal-ui"]["environment"]
    assert told["TEMPORAL_UI_PUBLIC_PATH"] == ROOT_OF_TEMPORAL_UI
    assert told["TEMPORAL_CODEC_ENDPOINT"] == codec.router.prefix
    assert told["TEMPORAL_DISABLE_NEWS_FETCH"] == told["TEMPORAL_HIDE_LOGS"] == "true"
    assert settings("web", monkeypatch).temporal_ui_url == "http://temporal-ui:8080"
    assert "ports" not in SERVICES["temporal-ui"]
    embedded = _temporal(Path("data"), Ports()).command
    flags = dict(itertools.pairwise(embedded))
    assert flags["--ui-public-path"] == told["TEMPORAL_UI_PUBLIC_PATH"]
    assert flags["--ui-codec-endpoint"] == told["TEMPORAL_CODEC_ENDPOINT"]
    assert "--ui-disable-news-fetch" in embedded


def test_every_volume_and_config_is_named_and_used() -> None:
    used = {source for name in SERVICES for source in mounts(name).values() if not source.startswith("$")}
    assert used == set(COMPOSE["volumes"])
    assert mounts("postgres") == {"/var/lib/postgresql/data": "postgres-data"}
    configured = {one["source"] for service in SERVICES.values() for one in service.get("configs", [])}
    assert configured == set(COMPOSE["configs"])


# --- the image


def test_the_image_is_made_from_the_lock_and_runs_as_nobody_in_particular() -> None:
    assert set(re.findall(r"^FROM (\S+) AS", DOCKERFILE, re.MULTILINE)) == {"python:3.11-slim", "plixo"}
    installs = re.findall(r"pip install (.*?)(?: &&|$)", DOCKERFILE, re.MULTILINE)
    assert installs[0] == "--require-hashes -r /app/requirements.lock"
    assert installs[1].split() == ["--no-deps", "--no-build-isolation", "--editable", "/app"]
    assert len(installs) == 2
    for target in {service["build"]["target"] for service in OURS.values()}:
        assert re.findall(r"^USER (\S+)$", stages()[target], re.MULTILINE) == ["plixo"]
    assert all(service["cap_drop"] == ["ALL"] for service in OURS.values())


@pytest.fixture(scope="module")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `COPY . /app` copies: what .dockerignore lets through."""
    app = tmp_path_factory.mktemp("image") / "app"
    app.mkdir()
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, app / name)
    return app


def test_the_image_holds_every_package_and_nothing_of_the_tests(app_folder: Path) -> None:
    project = tomllib.loads((app_folder / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {path.name for path in app_folder.iterdir()} == {
        *packages, "policies", "templates", "pyproject.toml", "requirements.lock", project["project"]["readme"]
    }  # fmt: skip


def test_what_the_image_holds_is_enough_to_run(app_folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys, plixo, web.app, workers.main, web.rendering; from starters.cli.main import run;"
        "assert plixo.__file__.startswith(sys.argv[1]), plixo.__file__;"
        "sys.exit(run(['policy', 'check']) or run(['db', 'upgrade']))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    ran = subprocess.run(
        [sys.executable, "-c", script, str(app_folder)],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(app_folder), "PLIXO_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05))
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [200, 503])
def test_the_consoles_healthcheck_tells_well_from_unwell(status: int) -> None:
    python, flag, script = json.loads(re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[1])
    assert (python, flag) == ("python", "-c")
    words = command_of("web")
    assert words[words.index("--port") + 1] == "8321"
    with answering(status) as (port, asked):
        run = [sys.executable, flag, script.replace(" 8321,", f" {port},")]
        ran = subprocess.run(run, env={"http_proxy": "http://127.0.0.1:9"}, capture_output=True, check=False)
    assert (ran.returncode == 0) is (status == 200)
    assert len(asked) == 1
    assert asked[0] in HEALTH
