"""Commands on the audit log: they read the database or a file, and need nobody's sign-in."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import RenderableType

from plixo.domain.approval import State
from starters.cli.example import example
from starters.cli.failures import USAGE, CommandFailed
from starters.cli.output import facts, heading, line, pages, show, table, texts, when
from starters.cli.reach import Json

app = App(
    name="audit",
    help="The audit log: prove it whole, take it with you.",
    help_epilogue=example("plixo audit verify"),
)


@app.command(help_epilogue=example("plixo audit verify audit.json --keys signing-public.json"))
def verify(file: Path | None = None, /, *, keys: Path | None = None, as_json: Json = False) -> int:
    """Check every hash chain, every signature and, in a file, the seal; name the first bad row.

    Args:
        file: What `plixo audit export --json` wrote; the database when left out.
        keys: The staff side's public keys; those in the data folder unless given.
        as_json: Print one JSON document.
    """
    from starters.cli import audit_sources  # noqa: PLC0415 - `plixo --help` stays quick

    proof = audit_sources.of_file(file, keys) if file else asyncio.run(audit_sources.of_database(keys))
    checked = proof.checked
    document = {
        "ok": checked.ok,
        "source": proof.source,
        "keys": {"from": proof.keys_from, "ids": list(proof.key_ids)},
        "requests": checked.requests,
        "entries": checked.entries,
        "signatures": checked.signatures,
        "findings": list(checked.findings),
    }
    verdict = "The audit log is whole." if checked.ok else f"First bad row: {checked.findings[0]}"
    read = f"{checked.requests} requests, {checked.entries} entries, {checked.signatures} signatures"
    about = facts(
        [("Read", proof.source), ("Checked", read), ("Keys", f"{', '.join(proof.key_ids)} of {proof.keys_from}")]
    )
    notes = [line(f"Also: {finding}") for finding in checked.findings[1:]]
    following = "plixo audit export --json > audit.json" if checked.ok and not file else ""
    caveat = [line(proof.caveat)] if proof.caveat else []
    show(document, pages(heading(verdict), *notes, about, *caveat), as_json=as_json, following=following)
    return 0 if checked.ok else 1


@app.command(help_epilogue=example("plixo audit export --json > audit.json"))
def export(*ids: str, as_json: Json = False) -> None:
    """Tell what happened, step by step; with --json as a sealed file that anybody with the public keys can check.

    Args:
        ids: Requests, such as CR-…; every request when left out.
        as_json: Print the file.
    """
    from starters.cli import audit_sources  # noqa: PLC0415 - `plixo --help` stays quick

    wrong = [name for name in ids if not audit_sources.is_approval_id(name)]
    if wrong:
        raise CommandFailed(f"'{wrong[0]}' is no request's id; they look like CR- and 26 letters and digits.", USAGE)
    exported = asyncio.run(audit_sources.export(ids, sealed=as_json))
    story = [_story(block, exported.names) for block in exported.blocks]
    empty = line("Nobody has asked for anything yet; plixo credit request --help says how.")
    show(exported.document, pages(*(story or [empty])), as_json=as_json, following="plixo audit verify")


def _story(block: Mapping[str, Any], names: Mapping[str, str]) -> RenderableType:
    rows = [(str(entry["seq"]), when(entry["at"]), _step(entry, names)) for entry in block["chain"]]
    state = State(block["state"]).label if block["request"] else "nobody asked for it"
    told = table([">#", "When!", "What happened"], rows, empty="Nothing is kept of it.")
    return pages(heading(f"{block['approval_id']}: {state}"), told, line(""))


def _step(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    detail = entry["detail"].items()
    told = "; ".join(f"{name.replace('_', ' ')} {texts(value)}" for name, value in detail if value not in ("", []))
    who = names.get(entry["actor"], entry["actor"])
    return "\n".join(part for part in (f"{entry['event'].replace('_', ' ').capitalize()}, by {who}", told) if part)
