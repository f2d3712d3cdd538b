"""The independent checker: reads what happened where it happened, and says what must not be.

It trusts nothing that the product says of itself. It imports none of the product's code: it has its own reader of the
tables, of Temporal's histories and of the mailbox, its own decoder of what is encrypted there, its own canonical JSON,
and its own verifier of signatures.

    python -m demo.check --database FILE --ledger URL --temporal HOST:PORT --mailbox FOLDER --keys FILE
        --checkpoints FOLDER --audit-keys FILE [--json]

It exits with 1 when it found something, or could not see everything.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from demo.check_audit import check_audit
from demo.check_checkpoints import check_checkpoints, read_checkpoints
from demo.check_database import read_house
from demo.check_documents import check_documents
from demo.check_duties import check_duties, path_in_words
from demo.check_effects import check_effects, moved, moves, read_ledger
from demo.check_histories import check_histories, cost, group_runs, strangers
from demo.check_mail import check_mails, read_mails
from demo.check_model import Checkpoints, Finding, Report, Scene, Sources, UnreadableError, workflow_id
from demo.check_payloads import check_payloads, load_payload_keys
from demo.check_policy import check_policy
from demo.check_signatures import load_keys
from demo.check_signed import check_signed
from demo.check_table import table
from demo.check_temporal import FetchHistories, histories_from

__all__ = ["Finding", "Report", "Sources", "check", "judge", "table"]

PASSING: Final = frozenset(
    {
        "checkpoint_missing",
        "decision_left",
        "decision_only_in_database",
        "effect_unsettled",
        "workflow_missing",
        "workflow_open",
    },
)
"""Findings that only say that something is still under way: they count once patience has run out."""

DECIDING: Final = frozenset({"approve", "reject", "withdraw"})
"""What decides; a question, an answer or a change does not."""

PAUSE_SECONDS: Final = 0.25


async def check(
    sources: Sources,
    fetch_histories: FetchHistories | None = None,
    *,
    patience_seconds: float = 10.0,
) -> Report:
    """Read everything and say what must not be.

    Args:
        sources: Where to look.
        fetch_histories: Reads Temporal's histories; the server in `sources` unless given.
        patience_seconds: How long to look again while something is still under way: a request that has just ended has
            a workflow that is about to. What was done wrong is said at once.
    """
    fetch = fetch_histories or histories_from(sources.temporal_address, sources.namespace)
    until = time.monotonic() + patience_seconds
    while True:
        try:
            scene = await _read(sources, fetch)
            report = judge(scene)
        except UnreadableError as unreadable:
            return _blind("source_unreadable", str(unreadable))
        except (LookupError, TypeError, ValueError, AttributeError) as strange:
            return _blind("source_misshapen", f"Something has another shape than it was written in: {strange!r}.")
        passing = scene.moving or (report.findings and {found.what for found in report.findings} <= PASSING)
        if not passing or time.monotonic() >= until:
            return report
        await asyncio.sleep(PAUSE_SECONDS)


def judge(scene: Scene) -> Report:
    """What is to be said of everything that was read."""
    signed, findings = check_signed(scene, moved(scene))
    allowed, unfit = check_duties(scene, signed, moved(scene))
    findings += unfit
    findings += check_policy(scene.house, signed)
    findings += check_effects(scene, signed, allowed)
    findings += check_audit(scene.house)
    findings += check_documents(scene.house)
    findings += check_checkpoints(scene.house, scene.checkpoints) if scene.checkpoints else ()
    findings += check_histories(scene)
    findings += check_payloads(scene)
    findings += check_mails(scene.house, scene.mails) if scene.mails is not None else ()
    return Report(not findings, findings, _counts(scene), [_facts(scene, each) for each in scene.house.approvals])


async def _read(sources: Sources, fetch: FetchHistories) -> Scene:
    """The database is read first and once more at the end: what has not changed in between was seen as a whole."""
    house = await asyncio.to_thread(read_house, sources.database_url)
    ledger = await read_ledger(sources.ledger_url)
    histories = await fetch([workflow_id(approval_id) for approval_id in house.approvals])
    scene = Scene(
        house=house,
        ledger=ledger,
        histories=group_runs(histories, load_payload_keys(sources.payload_key_file)),
        mails=read_mails(sources.mailbox) if sources.mailbox else None,
        keys=load_keys(sources.public_keys),
        checkpoints=_checkpoints(sources),
    )
    return replace(scene, moving=await asyncio.to_thread(read_house, sources.database_url) != house)


def _checkpoints(sources: Sources) -> Checkpoints | None:
    if sources.checkpoints is None or sources.audit_keys is None:
        return None
    return read_checkpoints(sources.checkpoints, sources.audit_keys)


def _blind(what: str, why: str) -> Report:
    """Who has not seen everything, or not understood it, never says that all is well."""
    return Report(ok=False, findings=[Finding(what, "", why)], counts={}, approvals=[])


def _counts(scene: Scene) -> dict[str, int]:
    house = scene.house
    states = [row["state"] for row in house.approvals.values()]
    return {
        "requests": len(states),
        "executed": states.count("executed"),
        "effects in the ledger": len(moves(scene.ledger)),
        "recorded decisions": sum(row["status"] == "recorded" for row in house.decisions),
        "audit entries": len(house.audit),
        "refusals in the audit log": sum("refused" in row["event"] for row in house.audit),
        "checkpoints": len(house.checkpoints),
        "workflows": len(scene.histories),
        "workflows of nobody": len(strangers(scene)),
        "mails": sum(not mail.aside for mail in scene.mails or ()),
        "mails put aside": sum(mail.aside for mail in scene.mails or ()),
    }


def _facts(scene: Scene, approval_id: str) -> dict[str, Any]:
    row = scene.house.approvals[approval_id]
    events, actions = cost(scene, approval_id)
    return {
        "id": approval_id,
        "status": row["state"],
        "amount_minor": row["gross_minor" if row["state"] == "executed" else "amount_minor"],  # it may be less
        "currency": row["currency"],
        "path": path_in_words(row["path"]),
        "decided_by": [row["person_id"] for row in scene.house.recorded(approval_id) if row["verdict"] in DECIDING],
        "stripe_object": row["stripe_object"],
        "workflow_id": workflow_id(approval_id),
        "history_events": events,
        "billable_actions": actions,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Check from the command line; 1 when there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m demo.check", description="Check what happened, independently.")
    parser.add_argument("--database", required=True, help="SQLite file, or postgresql:// address")
    parser.add_argument("--ledger", required=True, help="address of the stand-in")
    parser.add_argument("--temporal", required=True, help="host and port of the Temporal server")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--mailbox", type=Path, help="Maildir; without it mails are not checked")
    parser.add_argument("--keys", required=True, type=Path, help="file of the public signing keys")
    parser.add_argument("--payload-keys", type=Path, help="file of the payload keys; beside --keys unless given")
    parser.add_argument("--checkpoints", type=Path, help="folder of checkpoints; without it they are not checked")
    parser.add_argument("--audit-keys", type=Path, help="file of the public keys that sign checkpoints")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    if (given.checkpoints is None) != (given.audit_keys is None):
        parser.error("--checkpoints and --audit-keys go together")
    sources = Sources(
        database_url=given.database,
        ledger_url=given.ledger,
        temporal_address=given.temporal,
        namespace=given.namespace,
        mailbox=given.mailbox,
        public_keys=given.keys,
        payload_keys=given.payload_keys,
        checkpoints=given.checkpoints,
        audit_keys=given.audit_keys,
    )
    report = asyncio.run(check(sources))
    if given.json:
        sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    else:
        Console().print(table(report))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
