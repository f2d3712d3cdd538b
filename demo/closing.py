"""The close of the story: both sides compared, and the audit log taken out and proved where there is nothing else."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client

from demo.actors import Unexpected
from demo.places import binary
from demo.stack import Stack
from demo.waiting import until
from plixo.config import ROOT
from workflows.schedules import CHECKPOINT

OFFLINE: Final = "import sys; sys.path.insert(0, {root!r}); from starters.cli.main import main; main()"
"""The command line for a process with no environment at all."""


@dataclass(frozen=True)
class Taken:
    """What an auditor takes along.

    Attributes:
        audit: The sealed file.
        page: The same for a reader.
        checkpoint: The newest checkpoint.
        keys: The public keys that verify requests, decisions and the seal.
        checkpoint_keys: Those that verify checkpoints.
    """

    audit: Path
    page: Path
    checkpoint: Path
    keys: Path
    checkpoint_keys: Path


async def reconcile(stack: Stack) -> dict[str, Any]:
    """`plixo stripe reconcile`: what Stripe shows by listing, against what was approved.

    Raises:
        Unexpected: The two do not tie.
    """
    found: dict[str, Any] = json.loads(await _plixo(stack, "stripe", "reconcile", "--every-customer", "--json"))
    return found


async def checkpoint(stack: Stack, temporal: Client) -> Path:
    """Have Temporal's schedule ask for a checkpoint now instead of at night, and wait until the console signed it."""
    folder = stack.settings.checkpoint_folder
    before = set(folder.glob("checkpoint-*.json"))
    await temporal.get_schedule_handle(CHECKPOINT).trigger()

    async def signed() -> Path | None:
        return max(set(folder.glob("checkpoint-*.json")) - before, default=None)

    return await until("the console to sign a checkpoint", signed)


async def take_out(stack: Stack, signed: Path) -> Taken:
    """`plixo audit export`, as a sealed file and as a page."""
    audit, page = stack.data / "audit.json", stack.data / "audit.html"
    audit.write_text(await _plixo(stack, "audit", "export", "--html", str(page), "--json"), encoding="utf-8")
    return Taken(audit, page, signed, stack.settings.public_keys, stack.settings.audit_public_keys)


async def verify_offline(taken: Taken) -> dict[str, Any]:
    """`plixo audit verify` in an empty folder, with an empty environment: it has the files that it is given alone.

    Raises:
        Unexpected: Something in them does not hold.
    """
    with tempfile.TemporaryDirectory(prefix="plixo-auditor-") as folder:
        given = (taken.audit, taken.checkpoint, taken.keys, taken.checkpoint_keys)
        audit, signed, keys, checkpoint_keys = (shutil.copy(path, folder) for path in given)
        asked = ["audit", "verify", audit, "--keys", keys, "--json"]
        asked += ["--checkpoint", signed, "--checkpoint-keys", checkpoint_keys]
        program = [sys.executable, "-I", "-c", OFFLINE.format(root=str(ROOT))]
        found: dict[str, Any] = json.loads(await _said([*program, *asked], {}, Path(folder)))
    return found


async def _plixo(stack: Stack, *words: str) -> str:
    """A machines' command, where the console runs and as it runs."""
    return await _said([str(binary("plixo")), *words], {**os.environ, **stack.web.environment}, ROOT)


async def _said(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    out, err = await process.communicate()
    if process.returncode:
        said = (err or out).decode(errors="replace")
        raise Unexpected(f"`{' '.join(command[-6:])}` ended with {process.returncode}: {said[-500:]}")
    return out.decode()
