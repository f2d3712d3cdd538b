import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import stripe

KEY = "sk_test_plixo_standin"


def start(database: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "standin", "--db", str(database), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline().strip()
    assert line.startswith("standin listening on http://127.0.0.1:"), process.communicate()
    return process, line.removeprefix("standin listening on ")


def client(url: str) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=0)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    process, url = start(tmp_path / "new" / "books.sqlite", "--port", "0", "--seed", "demo")
    assert httpx.get(f"{url}/_health").json()["status"] == "ok"
    process.send_signal(stop)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_survives_a_stop_and_a_kill(tmp_path: Path, stop: signal.Signals) -> None:
    process, url = start(tmp_path / "books.sqlite", "--seed", "demo")
    v1 = client(url).v1
    ask = {"invoice": "in_ExamplePress0070", "amount": 240_000}
    note = v1.credit_notes.create(ask, {"idempotency_key": "kept"})
    now = httpx.post(f"{url}/_clock", json={"advance_seconds": 3_600}).json()["now"]
    ledger = httpx.get(f"{url}/_ledger").json()
    process.send_signal(stop)
    process.communicate(timeout=10)
    process, url = start(tmp_path / "books.sqlite", "--seed", "demo")
    try:
        again = client(url).v1.credit_notes.create(ask, {"idempotency_key": "kept"})
        assert again.id == note.id
        assert httpx.get(f"{url}/_ledger").json() == ledger
        assert httpx.get(f"{url}/_clock").json()["now"] >= now
        assert client(url).v1.invoices.retrieve("in_ExamplePress0070").amount_remaining == 560_000
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_a_call_in_work_is_finished_before_it_stops(tmp_path: Path) -> None:
    process, url = start(tmp_path / "books.sqlite")
    httpx.post(f"{url}/_faults", json={"kind": "slow", "seconds": 1, "path": "/v1/customers"})
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as wire:
        head = ("POST /v1/customers HTTP/1.1", "Host: x", f"Authorization: Bearer {KEY}", "Content-Length: 6", "", "")
        wire.sendall("\r\n".join(head).encode() + b"name=A")
        while not httpx.get(f"{url}/_faults").json()[0]["hits"]:
            time.sleep(0.02)
        process.terminate()
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
    assert process.wait(10) == 0
    process.communicate()


def test_answers_are_not_held_back_by_the_network_stack(tmp_path: Path) -> None:
    process, url = start(tmp_path / "books.sqlite")
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as http:
            http.get("/v1/customers")
            started = time.monotonic()
            for _ in range(50):
                http.get("/v1/customers")
            assert time.monotonic() - started < 50 * 0.03, "Nagle's algorithm is on: each answer takes 40 ms"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def failed(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "standin", *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, words = failed("--db", str(tmp_path / "books.sqlite"), "--port", str(port))
    assert code == 1
    assert words == f"standin: port {port} is taken; choose another with --port, or 0 for a free one\n"


def test_a_port_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    code, words = failed("--db", str(tmp_path / "books.sqlite"), "--port", "70000")
    assert (code, words.count("\n")) == (1, 1)
    assert words.startswith("standin: port 70000 cannot be used (")


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "books.sqlite", tmp_path):
        code, words = failed("--db", str(path))
        assert code == 1
        assert words.startswith(f"standin: {path} cannot be written (")
        assert words.count("\n") == 1


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    path.write_text("This is not a database, it is a letter that somebody kept here. " * 100)
    code, words = failed("--db", str(path))
    assert (code, words.count("\n")) == (1, 1)


def test_an_unknown_seed_is_one_clear_line(tmp_path: Path) -> None:
    code, words = failed("--db", str(tmp_path / "books.sqlite"), "--seed", "prod")
    assert (code, words) == (1, "standin: there is no seed 'prod'; choose one of: demo\n")
