"""The `plixo` program as somebody at a terminal has it: started, read, interrupted, and looked after."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.places import CannotStart, Ports

ROOT = Path(__file__).resolve().parent.parent.parent
PLIXO = (str(Path(sys.executable).parent / "plixo"),)
CAP_DAC_OVERRIDE = 1
PR_CAPBSET_DROP = 24
PRIVATE = ("PLIXO_", "STRIPE_", "TEMPORAL_", "DATABASE_URL", "COLUMNS")


@dataclass(frozen=True)
class Said:
    """What a command that has ended left behind."""

    status: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """This one, without anything that a developer may have set for their own Plixo."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)} | more


def run(*arguments: str, program: Sequence[str] = PLIXO, humbly: bool = False, **more: str) -> Said:
    """What becomes of a command.

    Args:
        arguments: What follows the program.
        program: What is run.
        humbly: Without root's right to write everywhere.
        more: Variables of its environment.
    """
    ended = subprocess.run(
        [*program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(**more),
        cwd=ROOT,
        check=False,
        preexec_fn=_as_anybody if humbly else None,
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


def _as_anybody() -> None:
    """Root may write everywhere unless it gives that up; what it drops here does not come back with the program."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
        raise OSError("root cannot give up writing everywhere here")


def processes(about: str) -> dict[int, str]:
    """Running processes that name this in their arguments or their environment."""
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    found = {}
    for line in listed.stdout.splitlines():
        pid, state, words = line.split(maxsplit=2)
        if about in words and not state.startswith("Z") and int(pid) != os.getpid():
            found[int(pid)] = words
    return found


def free_port() -> int:
    """A port whose four followers are free as well."""
    while True:
        try:
            ports = Ports.following(Ports.free().console)
        except CannotStart:
            continue
        if not ports.taken():
            return ports.console


@dataclass
class Up:
    """`plixo up` on one folder; started as often as a test likes.

    Attributes:
        data: The folder.
        port: The console's.
        addresses: By the name that is printed.
    """

    data: Path
    port: int
    addresses: Mapping[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def out(self) -> str:
        return self._read("out")

    @property
    def err(self) -> str:
        return self._read("err")

    def start(self, *, wait: bool = True) -> None:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self._file("out").open("wb") as out, self._file("err").open("wb") as err:
            command = [*PLIXO, "up", "--data", str(self.data), "--port", str(self.port)]
            self._process = subprocess.Popen(command, stdout=out, stderr=err, env=environment(), cwd=ROOT)
        if wait:
            self.until_said("Stop with Ctrl-C.")
            self.addresses = dict(re.findall(r"^   (\S.*?)\s{2,}(http\S+)$", self.out, re.MULTILINE))

    def until_said(self, words: str, *, err: bool = False, times: int = 1, patience: float = 45) -> None:
        ends = time.monotonic() + patience
        while (self.err if err else self.out).count(words) < times:
            assert self.running, f"it ended: {self.out}{self.err}"
            assert time.monotonic() < ends, f"it never said '{words}': {self.out}{self.err}"
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Ctrl-C."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def wait(self, patience: float = 30) -> int:
        """Its exit status once it has ended."""
        assert self._process is not None
        return self._process.wait(patience)

    def part(self, words: str) -> int:
        """The process id of the part whose command holds these words."""
        assert self._process is not None
        listed = subprocess.run(["ps", "axww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        rows = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
        found = [int(row[0]) for row in rows if int(row[1]) == self._process.pid and words in row[2]]
        assert len(found) == 1, f"{len(found)} parts '{words}'"
        return found[0]

    def end(self) -> None:
        """Whatever happened, nothing is left; its parts die with it."""
        if self.running:
            assert self._process is not None
            self._process.kill()
            self._process.wait()

    def _file(self, name: str) -> Path:
        return self.data.with_name(f"{self.data.name}.{name}")

    def _read(self, name: str) -> str:
        return self._file(name).read_text(errors="replace")
