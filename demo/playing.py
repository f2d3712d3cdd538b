"""Playing the story on parts that run, and what is said of it at the end."""

import json as jsonlib
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from demo import check
from demo.stack import Stack
from demo.story import open_story


async def play(stack: Stack, console: Console, began: float) -> tuple[bool, str]:
    """Every scene, then the independent check and its table.

    Args:
        stack: The running parts.
        console: Where the story is told.
        began: When the whole began, as `time.monotonic` has it.

    Returns:
        Whether the check found nothing, and everything as one JSON object.
    """
    async with open_story(stack, console) as story:
        for scene in story.scenes:
            await scene()
        report = await check.check(_sources(stack))
    seconds = round(time.monotonic() - began, 1)
    console.print()
    console.print(check.table(report))
    console.print(f"\n{seconds} s. `make up` goes on from here; one request still waits.", highlight=False)
    about = {"close": story.closed, "weeks": _plain(story.weeks)}
    ok = report.ok and bool(story.weeks["check"]["ok"])
    return ok, jsonlib.dumps({**_document(report, story.teller.scenes, seconds), **about})


def _sources(stack: Stack) -> check.Sources:
    return check.Sources(
        database_url=stack.settings.database,
        ledger_url=stack.standin_url,
        temporal_address=stack.settings.temporal_address,
        namespace="default",
        mailbox=stack.data / "mailbox",
        public_keys=stack.settings.public_keys,
        payload_keys=stack.settings.payload_keys,
        checkpoints=stack.settings.checkpoint_folder,
        audit_keys=stack.settings.audit_public_keys,
    )


def _plain(weeks: Mapping[str, Any]) -> Mapping[str, Any]:
    found = weeks["check"]
    return {**weeks, "check": {**found, "findings": [vars(finding) for finding in found["findings"]]}}


def _document(report: check.Report, scenes: Mapping[str, int], seconds: float) -> dict[str, Any]:
    approvals = [{**fact, "scenario": scenes[fact["id"]]} for fact in report.approvals]
    approvals.sort(key=lambda fact: list(scenes).index(fact["id"]))
    findings = [vars(finding) for finding in report.findings]
    return {"approvals": approvals, "check": {"ok": report.ok, "findings": findings}, "seconds": seconds}
