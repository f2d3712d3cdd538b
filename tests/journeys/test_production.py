"""docs/production.md, followed from an empty machine to a credit in Stripe, a backup, and a restore after everything
was lost. A dev server of Temporal stands for the cluster, the stand-in for Stripe; the rest is as the page says.
"""

import json
import re
import shutil
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from demo.mailbox import open_mailbox
from demo.places import Ports
from tests.support.databases import SERVER
from tests.support.new_machine import Machine, Proxy, own_names, place_in
from tests.support.production_page import Page
from tests.support.provider_tls import Certificate, provider
from tests.web.organisation import Organisation

pytestmark = [pytest.mark.journey, pytest.mark.postgres]
BASE = "https://plixo.example.com"
BACKUP = "plixo-2026-11-22.tar.gz"


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    with provider(Certificate.make(tmp_path)) as found:
        yield found


@pytest.fixture
def machine(tmp_path: Path, organisation: Organisation) -> Iterator[Machine]:
    ports, tag = Ports.free(), uuid.uuid4().hex[:8]
    folder = tmp_path / "machine"
    page = Page.read().with_own(own_names(folder, ports, tag, organisation))
    made = Machine(folder, page, ports, tag, tmp_path / "provider.pem")
    folder.mkdir()
    try:
        with open_mailbox(folder / "mailbox", ports.smtp):
            yield made
    finally:
        made.forget()


def browser(machine: Machine, organisation: Organisation, email: str) -> httpx.Client:
    """Somebody signed in to the console, by the provider and through the proxy."""
    client = httpx.Client(transport=Proxy(machine.ports.console), base_url=BASE, timeout=20)
    organisation.claims = {"email": email}
    leading = place_in(client.post("/sign-in/oidc"))
    trusted = ssl.create_default_context(cafile=str(machine.trusted))
    back = httpx.get(leading, verify=trusted).headers["location"]
    assert back.startswith(f"{BASE}/sign-in/callback?")
    answer = client.get(back, headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/approvals"), answer.text
    return client


def asked(client: httpx.Client, amount: str) -> str:
    form = {"customer": "cus_ExampleLogistics", "invoice": "", "amount": amount, "currency": "USD"}
    form |= {"reason": "service_outage", "note": "", "memo": "", "request_id": f"production-{amount}"}
    answer = client.post("/credits", data=form)
    found = re.fullmatch(r"/approvals/(CR-\w+)\?said=asked", answer.headers.get("location", ""))
    assert found, answer.text
    return found[1]


def approve(client: httpx.Client, approval_id: str) -> None:
    answer = client.post(f"/approvals/{approval_id}/decisions", data={"verdict": "approve", "comment": ""})
    assert answer.status_code == 303, answer.text


def until(machine: Machine, approval_id: str, state: str) -> None:
    url = make_url(SERVER).set(database=f"plixo_{machine.tag}").render_as_string(hide_password=False)
    ends = time.monotonic() + 45
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            found = connection.execute("select state from approvals where approval_id = %s", [approval_id]).fetchone()
            if found == (state,):
                return
            assert time.monotonic() < ends, f"{approval_id} is {found}, not {state}"
            time.sleep(0.05)


def ready(machine: Machine) -> tuple[int, dict[str, str]]:
    answer = httpx.get(f"http://127.0.0.1:{machine.ports.console}/readyz", timeout=20)
    return answer.status_code, answer.json()["parts"]


def at_work(machine: Machine) -> list["subprocess.Popen[bytes]"]:
    """The console, the workers and their promotion, as section 6 has them."""
    number = len(machine.running)
    machine.start(f"as web plixo web --port {machine.ports.console}", "console listening")
    machine.start("as worker plixo worker", "build 2026-11-22.1")
    assert json.loads(machine.shell_json("as worker plixo worker promote --wait 60"))["current"] == "2026-11-22.1"
    assert ready(machine) == (200, {"database": "ok", "temporal": "ok", "workers": "ok"})
    return machine.running[number:]


@pytest.mark.timeout(360)
def test_an_empty_machine_becomes_production_form_loses_everything_and_comes_back(
    machine: Machine, organisation: Organisation
) -> None:
    machine.prepare()
    machine.databases()
    machine.stripe()
    temporal = machine.temporal()
    etc, archive = machine.folder / "etc", machine.folder / "var" / "backups" / BACKUP
    machine.shell(f"as owner plixo people check {etc}/people.toml")
    machine.shell("as owner plixo db upgrade")
    machine.shell("as owner plixo db roles --apply")
    machine.shell("as owner plixo temporal setup")
    processes = at_work(machine)

    requester = browser(machine, organisation, "billing.admin@plixo.example")
    approver = browser(machine, organisation, "controller@plixo.example")
    first, second = asked(requester, "4200.00"), asked(requester, "900.00")
    until(machine, first, "waiting")
    approve(approver, first)
    until(machine, first, "executed")
    until(machine, second, "waiting")
    assert len(machine.books(first)) == 1

    machine.shell(f"as web plixo backup {archive}")
    assert archive.stat().st_mode & 0o777 == 0o600

    machine.stop([*processes, temporal])
    lose_everything(machine)
    machine.databases(only="create database")
    machine.databases(only="revoke")
    machine.temporal()
    restored = json.loads(machine.shell_json(f"as owner plixo restore {archive}"))
    assert restored["audit"] == {"ok": True, "requests": 2, "findings": []}
    machine.shell("as owner plixo db roles --apply")
    machine.shell("as owner plixo temporal setup")
    assert json.loads(machine.shell_json("as owner plixo temporal resume")) == {"open": 1}
    processes = at_work(machine)

    approve(browser(machine, organisation, "controller@plixo.example"), second)
    until(machine, second, "executed")
    assert [len(machine.books(one)) for one in (first, second)] == [1, 1]
    for command in machine.untyped():
        machine.shell(command)
    assert "as worker plixo worker promote 2026-11-22.1 --wait 60" in machine.typed
    machine.stop(processes)
    assert {process.returncode for process in processes} <= {0, -15, 143}


def lose_everything(machine: Machine) -> None:
    shutil.rmtree(machine.folder / "var" / "lib")
    (machine.folder / "var" / "lib").mkdir()
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"drop database plixo_{machine.tag} with (force)".encode())
