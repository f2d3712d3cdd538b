"""Every command that the README shows, in its order, in a clean clone with an empty home."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def shown_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a newcomer gets: the committed files and those about to be."""
    target = tmp_path / "plixo"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
            (target / name).chmod((ROOT / name).stat().st_mode)
    subprocess.run("git init -q && git add -A", shell=True, cwd=target, check=True)
    return target


@pytest.fixture
def newcomer(tmp_path: Path) -> dict[str, str]:
    """A home with nothing in it, and nothing of ours in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    ours = ("PLIXO_", "STRIPE_", "TEMPORAL_", "DATABASE_URL", "VIRTUAL_ENV", "PYTEST_", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # `make test` inside a test only collects: running the suite in itself would never end.
    return {**kept, "HOME": str(home), "PYTEST_ADDOPTS": "--collect-only -q"}


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_the_readme_says_what_it_is_for_in_its_first_three_sentences() -> None:
    first = " ".join(README.split("\n\n")[1].split())
    sentences = re.split(r"(?<=\.) ", first)[:3]
    said = " ".join(sentences)
    assert all(word in said for word in ("billing team", "credit", "Stripe", "decided", "exactly once", "why"))


@pytest.mark.journey
@pytest.mark.timeout(420)
def test_every_command_of_the_readme_runs_in_its_order(
    clone: Path,
    newcomer: dict[str, str],
    running: list[subprocess.Popen[bytes]],
) -> None:
    commands = shown_commands()
    assert commands[:2] == ["make demo", "make up"]
    assert commands[-1] == "make test"
    for command in commands:
        if command == "make up":
            running.append(start_up(clone, newcomer))
            continue
        if command == "make test":
            stop_up(running[0])
        ran = subprocess.run(command, shell=True, cwd=clone, env=newcomer, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"


def start_up(clone: Path, newcomer: dict[str, str]) -> subprocess.Popen[bytes]:
    log = clone.parent / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "up"],
            cwd=clone,
            env=newcomer,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    for _ in range(600):
        if "Stop with Ctrl-C" in log.read_text():
            return process
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def stop_up(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) is not None
