"""A machine that is to become production form by docs/production.md: what the page takes for granted, and a shell."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import make_url

from demo.places import Ports, binary
from tests.support.databases import SERVER
from tests.support.production_page import Page
from tests.support.program import ROOT, environment
from tests.web.organisation import CLIENT_ID, CLIENT_SECRET, Organisation


@dataclass
class Machine:
    """Where the page is followed.

    Attributes:
        folder: Instead of the machine's own places.
        page: The page with this machine's names and addresses.
        ports: Where things listen.
        tag: What makes names in PostgreSQL this machine's alone.
        trusted: The certificates that are trusted here.
        typed: Which commands of the page were run.
    """

    folder: Path
    page: Page
    ports: Ports
    tag: str
    trusted: Path
    typed: list[str] = field(default_factory=list)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    # The page's own steps

    def prepare(self) -> None:
        """The folders, the files of settings and the people."""
        for place in ("etc", "var/lib", "var/backups"):
            (self.folder / place).mkdir(parents=True)
        for place, content in self.page.files.items():
            Path(place).write_text(content)
        (self.folder / "etc" / "people.toml").write_text((ROOT / "plixo" / "directory" / "seed.toml").read_text())

    def databases(self, only: str = "") -> None:
        """The page's statements to PostgreSQL; those that begin so, or all."""
        with psycopg.connect(SERVER, autocommit=True) as server:
            for statement in self.page.blocks("sql")[0].split(";\n"):
                if statement.strip() and statement.startswith(only):
                    server.execute(statement.encode())

    def shell(self, command: str, *, option: str = "") -> str:
        """What a command of the page says; it has to succeed."""
        self._type(command)
        ran = subprocess.run(self._bash(f"{command} {option}"), capture_output=True, text=True, timeout=100,
                             check=False, env=self._environment(), cwd=ROOT)  # fmt: skip
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def shell_json(self, command: str) -> str:
        """The same, for a program to read."""
        return self.shell(command, option="--json")

    def start(self, command: str, ready: str) -> None:
        """Leave a command of the page running, once it says so."""
        self._type(command)
        log = self.folder / f"{command.split()[3]}.{len(self.running)}.log"
        self._leave(self._bash(command), log, ready, env=self._environment())

    # What the page takes for granted

    def temporal(self) -> "subprocess.Popen[bytes]":
        """A cluster that has nothing of ours."""
        command = [str(binary("temporal")), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
        command += ["--port", str(self.ports.temporal), "--log-level", "error"]
        return self._leave(command, self.folder / f"temporal.{len(self.running)}.log", "")

    def stripe(self) -> None:
        command = [sys.executable, "-m", "standin", "--port", str(self.ports.standin), "--seed", "demo"]
        command += ["--db", str(self.folder / "standin.db")]
        self._leave(command, self.folder / "standin.log", "standin listening")

    def books(self, approval_id: str) -> list[dict[str, Any]]:
        """What Stripe really did for a request."""
        rows: list[dict[str, Any]] = httpx.get(f"http://127.0.0.1:{self.ports.standin}/_ledger").json()
        return [row for row in rows if (row["metadata"] or {}).get("plixo_approval") == approval_id]

    def stop(self, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
        """Ask each to stop, with whatever it started; they must end well."""
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(30)

    def forget(self) -> None:
        """Nothing of it is left, whatever happened."""
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"drop database if exists plixo_{self.tag} with (force)".encode())
            for role in ("plixo_staff", "plixo_worker", "plixo"):
                server.execute(f"drop role if exists {role}_{self.tag}".encode())

    def untyped(self) -> list[str]:
        """What the page shows and nobody has run."""
        return [command for command in self.page.commands if command not in self.typed and "as()" not in command]

    def _type(self, command: str) -> None:
        assert command in self.page.commands, f"the page does not show {command}"
        self.typed.append(command)

    def _leave(self, command: Sequence[str], log: Path, ready: str, **how: Any) -> "subprocess.Popen[bytes]":
        with log.open("wb") as out:
            options = {"env": environment(), "cwd": ROOT, "start_new_session": True, **how}
            process = subprocess.Popen(command, stdout=out, stderr=out, **options)
        self.running.append(process)
        ends = time.monotonic() + 60
        while ready not in log.read_text():
            assert process.poll() is None, f"{command[-1]}: {log.read_text()}"
            assert time.monotonic() < ends, f"{command[-1]} is not ready: {log.read_text()}"
            time.sleep(0.05)
        return process

    def _bash(self, command: str) -> list[str]:
        (function,) = [line for line in self.page.commands if line.startswith("as() ")]
        if "plixo db roles" in command:  # as the page says of roles with other names
            command += f" --staff plixo_staff_{self.tag} --worker plixo_worker_{self.tag}"
        return ["bash", "-euc", f"{function}\n{command}"]

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return environment(PATH=path, SSL_CERT_FILE=str(self.trusted))


def own_names(folder: Path, ports: Ports, tag: str, organisation: Organisation) -> dict[str, str]:
    """This machine's names and addresses for those of the page."""
    server = make_url(SERVER)
    standin = f"http://127.0.0.1:{ports.standin}"
    return {
        r"/etc/plixo": str(folder / "etc"),
        r"/var/(?=lib|backups)": f"{folder}/var/",
        r"\bplixo_(staff|worker)\b": rf"plixo_\1_{tag}",
        r"(?<=role )plixo\b|(?<=owner )plixo\b(?=;)|(?<=database )plixo\b|(?<=//)plixo(?=:)": f"plixo_{tag}",
        r"db\.internal/plixo\b": f"{server.host}:{server.port or 5432}/plixo_{tag}",
        r"temporal\.internal:7233": f"127.0.0.1:{ports.temporal}",
        r"smtp://relay\.internal:25": f"smtp://127.0.0.1:{ports.smtp}",
        r"https://login\.example\.com": organisation.url,
        r"(?<=PLIXO_OIDC_CLIENT_ID=)plixo\b": f"'{CLIENT_ID}'",
        r"(?<=PLIXO_OIDC_CLIENT_SECRET=)client-secret": f"'{CLIENT_SECRET}'",
        r"\brk_reads": f"rk_test_plixo_standin\nPLIXO_STRIPE_BASE_URL={standin}",
        r"\brk_writes": f"sk_test_plixo_standin\nPLIXO_STRIPE_BASE_URL={standin}",
        r"--port 8321": f"--port {ports.console}",
    }


class Proxy(httpx.BaseTransport):
    """What stands in front of the console and ends TLS, as far as a browser sees it."""

    def __init__(self, port: int) -> None:
        """The console's port on this machine."""
        self._port, self._inner = port, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on under its own name."""
        headers = {**request.headers, "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return self._inner.handle_request(httpx.Request(request.method, url, headers=headers, stream=request.stream))


def place_in(page: httpx.Response) -> str:
    """Where the page that leads to the provider leads."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found, page.text
    return found[1].replace("&amp;", "&")
