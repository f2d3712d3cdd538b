"""A stand-in in a thread of this process, for tests and tools that want one without a process of its own."""

import threading
import time
from dataclasses import dataclass

from standin.layers.contract import Checks
from standin.server import HOST, AnnouncingServer, listen, new_server
from standin.settings import StandinSettings

PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class InProcess:
    """A running stand-in; `stop` it when done."""

    url: str
    settings: StandinSettings
    _server: AnnouncingServer
    _thread: threading.Thread

    def stop(self) -> None:
        """Lets running calls finish, closes the books and waits for it.

        Raises:
            TimeoutError: It did not stop.
        """
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the stand-in did not stop")


def start(settings: StandinSettings, *, port: int = 0, contract: Checks | None = None) -> InProcess:
    """Starts a stand-in and waits until it answers.

    Args:
        settings: File, seed and keys.
        port: Where on loopback; 0 takes a free one.
        contract: A loaded contract to share among several, since loading takes some tenths of a second.

    Raises:
        PortError: The port cannot be had.
        TimeoutError: It did not start.
    """
    listening = listen(port)
    server = new_server(settings, contract)
    server.announces = False
    thread = threading.Thread(target=server.run, args=([listening],), name="standin", daemon=True)
    thread.start()
    _await_start(server, thread)
    return InProcess(f"http://{HOST}:{listening.getsockname()[1]}", settings, server, thread)


def _await_start(server: AnnouncingServer, thread: threading.Thread) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise TimeoutError("the stand-in did not start")
        time.sleep(0.005)
