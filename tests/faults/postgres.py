"""A PostgreSQL of our own, which can be stopped hard without anybody else noticing."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psycopg

from demo.parts import Part
from demo.places import Ports
from tests.faults.field import until

OWNER: Final = "postgres"


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there is none."""
    found = [Path(path).resolve().parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in found if (path / "initdb").exists() and (path / "postgres").exists()), None)


@asynccontextmanager
async def own_postgres(bin_folder: Path, log: Path) -> AsyncIterator[tuple[Part, str]]:
    """The server's process and the address of an empty database in it; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="plixo-pg-") as folder:
        data, port = Path(folder) / "data", Ports.free().smtp
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        initdb = [str(bin_folder / "initdb"), "--no-sync", "-A", "trust", "-U", OWNER, "-D", str(data)]
        await asyncio.to_thread(subprocess.run, [*_as_owner(), *initdb], check=True, capture_output=True, cwd=folder)
        command = [str(bin_folder / "postgres"), "-D", str(data), "-p", str(port), "-k", folder]
        server = Part("PostgreSQL", [*_as_owner(), *command, "-c", "listen_addresses=127.0.0.1"], log)
        url = f"postgresql://{OWNER}@127.0.0.1:{port}/postgres"
        await server.start()
        try:
            await until("PostgreSQL to answer", lambda: _answers(url))
            yield server, url
        finally:
            await server.stop()


def _as_owner() -> list[str]:
    """PostgreSQL refuses to be run by root; what runs it then is not to survive us either."""
    if os.geteuid() != 0:
        return []
    who = pwd.getpwnam(OWNER)
    return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "--pdeathsig", "QUIT"]


async def _answers(url: str) -> bool:
    try:
        await asyncio.to_thread(lambda: psycopg.connect(url, connect_timeout=2).close())
    except psycopg.Error:
        return False
    return True
