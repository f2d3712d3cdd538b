"""`plixo demo` that is told to stop in the middle of its story."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.program import PLIXO, ROOT, environment, processes

pytestmark = pytest.mark.journey


def test_sigterm_stops_every_part_in_its_order_and_leaves_no_traceback(tmp_path: Path) -> None:
    data = tmp_path / "data"
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as said, err.open("wb") as complained:
        command = [*PLIXO, "demo", "--data", str(data)]
        demo = subprocess.Popen(command, stdout=said, stderr=complained, env=environment(), cwd=ROOT)
    try:
        ends = time.monotonic() + 60
        while "Plixo is running." not in out.read_text():
            assert demo.poll() is None, err.read_text()
            assert time.monotonic() < ends, "it never ran"
            time.sleep(0.05)
        demo.send_signal(signal.SIGTERM)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 128 + signal.SIGTERM
    finally:
        demo.kill()
        demo.wait()
    assert err.read_text() == "plixo: Stopped.\n"
    assert processes(str(data)) == {}
    assert "finishing what is under way" in (data / "logs" / "worker.log").read_text()
