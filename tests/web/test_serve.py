import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from plixo.config import Settings
from web.limiting import LOGINS
from web.serve import CannotServe, serve

ROOT = Path(__file__).parents[2]
SERVE = """
import asyncio
from plixo.config import Settings
from web.serve import serve
asyncio.run(serve(Settings(), port=0))
"""


def started(settings: Settings, **more: str) -> subprocess.Popen[str]:
    told = {"PLIXO_ENV": "dev", "PLIXO_DATA": str(settings.data), "PLIXO_STRIPE_BASE_URL": settings.stripe_base_url}
    told |= {"PLIXO_STRIPE_READ_KEY": "rk_test_plixo_standin", "PLIXO_TEMPORAL_ADDRESS": "127.0.0.1:9", **more}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen([sys.executable, "-c", SERVE], cwd=ROOT, env=kept | told, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_when_told(settings: Settings, number: signal.Signals) -> None:
    process = started(settings)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("console listening on http://127.0.0.1:")
        url = line.split()[-1]
        assert httpx.get(f"{url}/livez").status_code == 200
        # Temporal is not there: pages are served all the same, and readiness says which part is missing.
        assert httpx.get(f"{url}/sign-in").status_code == 200
        ready = httpx.get(f"{url}/readyz", timeout=20)
        assert ready.json()["parts"] == {"database": "ok", "temporal": "cannot be reached"}
        assert "server" not in ready.headers
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began < 8
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "plixo.example"])
async def test_the_dev_sign_in_is_never_open_to_other_machines(settings: Settings, host: str) -> None:
    with pytest.raises(CannotServe, match="listens on loopback only"):
        await serve(settings, port=0, host=host)


async def test_a_taken_port_is_said_in_one_line(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=f"Port {port} on 127.0.0.1 cannot be used") as caught:
            await serve(settings, port=port)
    assert "\n" not in str(caught.value)


async def test_requests_under_way_are_answered_before_it_stops(settings: Settings, house: Any) -> None:
    assert house.app
    process = await asyncio.to_thread(started, settings)
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        async with httpx.AsyncClient(base_url=line.split()[-1], timeout=20) as client:
            # Readiness waits for a Temporal that is not there, which gives the signal time to arrive in the middle.
            asked = asyncio.create_task(client.get("/readyz"))
            await asyncio.sleep(0.2)
            process.terminate()
            assert (await asked).status_code == 503
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.asvs("2.4.1")
@pytest.mark.parametrize(("proxies", "others_are_held_up"), [("192.0.2.7, 127.0.0.0/8", False), ("192.0.2.7", True)])
def test_visitors_behind_a_proxy_are_counted_one_by_one_where_the_proxy_is_trusted(
    settings: Settings, proxies: str, others_are_held_up: Any
) -> None:
    """Whoever may say where visitors come from could otherwise begin logins without end, or use up everybody's."""
    process = started(settings, PLIXO_ENV="production", PLIXO_TRUSTED_PROXIES=proxies)
    try:
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().split()[-1]) as client:

            def begin(visitor: str) -> int:
                return client.post("/api/v1/logins", headers={"X-Forwarded-For": visitor}).status_code

            assert {begin(f"6.6.6.{turn}, 198.51.100.1") for turn in range(LOGINS.amount)} == {201}
            assert begin("198.51.100.1") == 429
            assert (begin("198.51.100.2") == 429) is others_are_held_up
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("wrong", ["everybody", "*", "0.0.0.0/0", "::/0", "10.0.0.1/8", "10.0.0.1; 10.0.0.2"])
def test_a_proxy_is_named_by_its_address_and_never_everybody_trusted(wrong: str) -> None:
    with pytest.raises(ValidationError, match=r"trusted_proxies|PLIXO_TRUSTED_PROXIES"):
        Settings(trusted_proxies=wrong)
