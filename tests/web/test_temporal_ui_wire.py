"""What only shows on a real connection: addresses that no client would send, readers who leave, answers cut off."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.web.temporal_ui import ADDRESS, PlayedUi

ASKED = "/temporal/api/v1/namespaces/default/workflows/credit%2FCR-1/history"


@pytest.fixture
def ui(served: Any) -> PlayedUi:
    return PlayedUi().beside(served.house)


@pytest.fixture
def operator(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=20) as client:
        assert client.post("/sign-in", data={"person": "p-operator"}).status_code == 303
        yield client


def status_of(served: Any, head: str, token: str) -> int:
    """The answer to a request as it is written."""
    host = httpx.URL(served.url)
    with socket.create_connection((host.host, host.port), timeout=20) as wire:
        wire.sendall(f"{head}\r\nCookie: plixo-dev={token}\r\nConnection: close\r\n\r\n".encode())
        return int(wire.recv(4096).split()[1])


class Endless(httpx.AsyncByteStream):
    """An answer that goes on until its reader is gone."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 50_000

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.asvs("1.3.6")
def test_no_request_line_leads_elsewhere(served: Any, ui: PlayedUi, operator: httpx.Client) -> None:
    token, host = operator.cookies["plixo-dev"], f"Host: {httpx.URL(served.url).netloc.decode()}"
    heads = {
        f"GET http://evil.example/temporal/x HTTP/1.1\r\n{host}": 404,
        f"GET //evil.example/temporal/x HTTP/1.1\r\n{host}": 404,
        f"GET /temporal/../temporal/x HTTP/1.1\r\n{host}": 404,
        f"GET /temporal/%2e%2e/api/v1/me HTTP/1.1\r\n{host}": 404,
        "GET /temporal/x HTTP/1.1\r\nHost: evil.example": 421,
        f"GET /temporal/y HTTP/1.1\r\n{host}": 200,
    }
    for head, status in heads.items():
        assert status_of(served, head, token) == status, head
    assert [str(request.url) for request in ui.asked] == [f"{ADDRESS}/temporal/y"]


def test_a_reader_who_leaves_lets_go_of_the_connection(ui: PlayedUi, operator: httpx.Client) -> None:
    endless = Endless()
    ui.answering = lambda _request: httpx.Response(200, stream=endless)
    with operator.stream("GET", ASKED) as answer:
        assert next(answer.iter_raw())
    assert endless.closed.wait(timeout=20)


def test_an_answer_without_end_is_cut_off_and_reads_as_broken(
    ui: PlayedUi, operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.temporal.answering.MAX_ANSWER", 200_000)
    endless = Endless()
    ui.answering = lambda _request: httpx.Response(200, stream=endless)
    got: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        read(operator, got)
    assert 0 < len(b"".join(got)) <= 200_000
    assert endless.closed.wait(timeout=20)


def read(operator: httpx.Client, got: list[bytes]) -> None:
    with operator.stream("GET", ASKED) as answer:
        for chunk in answer.iter_raw():
            got.append(chunk)  # noqa: PERF402 - what came before it broke is kept
