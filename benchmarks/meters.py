"""Meters: what processes used, what the server billed, what Stripe was called."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

MIB: Final = 1024 * 1024
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_bytes(pid: int) -> int:
    """What a process holds in memory now (resident set)."""
    said = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(said[1]) * 1024 if said else 0


@dataclass(frozen=True)
class Processor:
    """Watches the processor time of named processes.

    Attributes:
        pids: Process ids by name.
    """

    pids: Mapping[str, int]

    def read(self) -> dict[str, float]:
        """Seconds so far, by name."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}


@dataclass(frozen=True)
class StripeCalls:
    """Counts calls at the stand-in, by a fault that never strikes.

    Attributes:
        url: The stand-in's.
    """

    url: str

    async def begin(self) -> None:
        """Count from now on."""
        rule = {"kind": "delay", "path": "/v1/*", "nth": 10**12}
        async with httpx.AsyncClient(base_url=self.url) as http:
            await http.delete("/_faults")
            (await http.post("/_faults", json=rule)).raise_for_status()

    async def read(self) -> int:
        """Calls since then."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            rules: list[dict[str, int]] = (await http.get("/_faults")).json()
        return rules[0]["calls"]


@dataclass(frozen=True)
class Actions:
    """The server's own count of billable actions.

    Attributes:
        url: Where the server's metrics are.
    """

    url: str

    async def read(self) -> float:
        """Actions so far; the count lags some seconds behind."""
        async with httpx.AsyncClient() as http:
            said = (await http.get(self.url)).text
        return sum(float(count) for count in re.findall(r"^action(?:_total)?\{.*\} (\S+)$", said, re.MULTILINE))
