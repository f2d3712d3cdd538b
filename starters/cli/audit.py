"""Commands on the audit log: they read the database or a file, and need nobody's sign-in."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import RenderableType

from plixo.domain.approval import State
from starters.cli.example import example
from starters.cli.failures import USAGE, CommandFailed
from starters.cli.output import facts, heading, line, pages, show, table, texts, when
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from starters.cli.audit_sources import Proof

app = App(
    name="audit",
    help="The audit log: prove it whole, take it with you.",
    help_epilogue=example("plixo audit verify"),
)


@app.command(
    help_epilogue=example(
        "plixo audit verify audit.json --keys signing-public.json "
        "--checkpoint checkpoint-000007.json --checkpoint-keys audit-public.json"
    )
)
def verify(
    file: Path | None = None,
    /,
    *,
    keys: Path | None = None,
    checkpoint: Path | None = None,
    checkpoint_keys: Path | None = None,
    as_json: Json = False,
) -> int:
    """Check every hash chain, every signature, the checkpoints and, in a file, the seal; name the first bad row.

    Args:
        file: What `plixo audit export --json` wrote; the database when left out.
        keys: The staff side's public keys; those in the data folder unless given.
        checkpoint: A checkpoint to hold it against. The database is held against the newest of the folder anyway.
        checkpoint_keys: The public audit keys; those in the data folder unless given.
        as_json: Print one JSON document.
    """
    from starters.cli import audit_sources  # noqa: PLC0415 - `plixo --help` stays quick

    given = audit_sources.Given(checkpoint, checkpoint_keys)
    proof = audit_sources.of_file(file, keys, given) if file else asyncio.run(audit_sources.of_database(keys, given))
    checked = proof.checked
    verdict = "The audit log is whole." if checked.ok else f"First bad row: {checked.findings[0]}"
    also = [line(f"Also: {finding}") for finding in checked.findings[1:]]
    following = "plixo audit export --json > audit.json" if checked.ok and not file else ""
    page = pages(heading(verdict), *also, facts(_proof_facts(proof)), *(line(note) for note in proof.notes))
    show(_proof_document(proof), page, as_json=as_json, following=following)
    return 0 if checked.ok else 1


@app.command(name="checkpoint", help_epilogue=example("plixo audit checkpoint --out /mnt/elsewhere/checkpoint.json"))
def checkpoint_now(*, out: Path | None = None, anew: str = "", as_json: Json = False) -> None:
    """Sign what the audit log holds now, and keep it in the folder of checkpoints; run it where the console runs.

    Args:
        out: A file to copy it to, such as on a disk that nobody can write twice.
        anew: Why the log may differ from the checkpoint before, as after a restored backup; signed as well.
        as_json: Print one JSON document.
    """
    from starters.cli import audit_checkpoints  # noqa: PLC0415 - `plixo --help` stays quick

    held, path = asyncio.run(audit_checkpoints.make(load_settings(), anew))
    if out:
        _write(out, path.read_text(encoding="utf-8"))
    made = held.checkpoint
    document = {**made.to_claims(), "file": str(out or path)}
    about = [
        ("Read", f"{made.requests} requests, {made.entries} entries, {when(made.at)}"),
        ("Root", made.root),
        ("Kept in", f"{path}{f', and {out}' if out else ''}"),
        ("Compared with", f"checkpoint {made.compared_with}" if made.compared_with else "none"),
    ]
    found = [line(f"Found: {finding}") for finding in made.findings]
    page = pages(heading(f"Checkpoint {made.number} is signed."), facts(about), *found)
    show(document, page, as_json=as_json, following="plixo audit verify")


@app.command(help_epilogue=example("plixo audit export --html audit.html"))
def export(*ids: str, html: Path | None = None, as_json: Json = False) -> None:
    """Tell what happened, step by step; with --json as a sealed file that anybody with the public keys can check.

    Args:
        ids: Requests, such as CR-…; every request when left out.
        html: A file to write as one page that needs nothing else, to be read or printed.
        as_json: Print the sealed file.
    """
    from starters.cli import audit_sources  # noqa: PLC0415 - `plixo --help` stays quick

    wrong = [name for name in ids if not audit_sources.is_approval_id(name)]
    if wrong:
        raise CommandFailed(f"'{wrong[0]}' is no request's id; they look like CR- and 26 letters and digits.", USAGE)
    exported = asyncio.run(audit_sources.export(ids, sealed=as_json))
    if html:
        from starters.cli.audit_html import story_page  # noqa: PLC0415 - the same

        _write(html, story_page(exported, whole=not ids))
        if not as_json:
            show({}, line(f"Written: {html}, {len(exported.blocks)} requests."), as_json=False)
            return
    names = {person_id: person.name for person_id, person in exported.people.items()}
    story = [_story(block, names) for block in exported.blocks]
    empty = line("Nobody has asked for anything yet; plixo credit request --help says how.")
    show(exported.document, pages(*(story or [empty])), as_json=as_json, following="plixo audit verify")


def _proof_document(proof: "Proof") -> dict[str, Any]:
    checked = proof.checked
    return {
        "ok": checked.ok,
        "source": proof.source,
        "keys": {"from": proof.keys_from, "ids": list(proof.key_ids)},
        "requests": checked.requests,
        "entries": checked.entries,
        "signatures": checked.signatures,
        "findings": list(checked.findings),
        "checkpoints": [{"number": one.checkpoint.number, "at": one.checkpoint.at} for one in proof.held],
        "notes": list(proof.notes),
    }


def _proof_facts(proof: "Proof") -> list[tuple[str, str]]:
    checked, held = proof.checked, [f"{one.checkpoint.number} of {when(one.checkpoint.at)}" for one in proof.held]
    return [
        ("Read", proof.source),
        ("Checked", f"{checked.requests} requests, {checked.entries} entries, {checked.signatures} signatures"),
        ("Keys", f"{', '.join(proof.key_ids)} of {proof.keys_from}"),
        ("Checkpoints", f"held against {'; '.join(held)}" if held else ""),
    ]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written ({error.strerror}); choose another file.") from error


def _story(block: Mapping[str, Any], names: Mapping[str, str]) -> RenderableType:
    rows = [(str(entry["seq"]), when(entry["at"]), _step(entry, names)) for entry in block["chain"]]
    nobody = "cannot be read" if block["state"] == "unreadable" else "nobody asked for it"
    state = State(block["state"]).label if block["request"] else nobody
    told = table([">#", "When!", "What happened"], rows, empty="Nothing is kept of it.")
    return pages(heading(f"{block['approval_id']}: {state}"), told, line(""))


def _step(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    detail = entry["detail"].items()
    told = "; ".join(f"{name.replace('_', ' ')} {texts(value)}" for name, value in detail if value not in ("", []))
    who = names.get(entry["actor"], entry["actor"])
    return "\n".join(part for part in (f"{entry['event'].replace('_', ' ').capitalize()}, by {who}", told) if part)
