"""Does the audit log still hold what its checkpoints say? With a Merkle tree and a reader of the checker's own."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from demo.check_model import Checkpoints, Finding, House, Row, UnreadableError
from demo.check_signatures import BadSignatureError, canonical, load_keys, verify

_NAME: Final = re.compile(r"checkpoint-(\d{6,})\.json")


def read_checkpoints(folder: Path, keys: Path) -> Checkpoints:
    """Every checkpoint in the folder, and the keys that sign them.

    Raises:
        UnreadableError: The folder or the keys cannot be read.
    """
    try:
        found = {int(name[1]): path for path in folder.iterdir() if (name := _NAME.fullmatch(path.name))}
        files = {number: _json(path) for number, path in found.items()}
    except FileNotFoundError:
        files = {}
    except OSError as broken:
        raise UnreadableError(f"The folder of checkpoints cannot be read: {broken!r}") from broken
    return Checkpoints(files, load_keys(keys) if keys.exists() else {})


def check_checkpoints(house: House, kept: Checkpoints) -> Iterator[Finding]:
    """A finding for every checkpoint that is not to be trusted, and for everything it holds and the log does not."""
    rows = {row["number"]: row for row in house.checkpoints}
    previous = ""
    for number in sorted({*rows, *kept.files}):
        row, document = rows.get(number), kept.files.get(number)
        if row is None or document is None:
            where = "the database" if row is None else "the folder"
            yield Finding("checkpoint_missing", "", f"Checkpoint {number} is missing in {where}.")
        else:
            yield from _one(house, number, row, document, kept.keys)
        if row is not None:
            if row["previous"] != previous:
                yield Finding("checkpoint_altered", "", f"Checkpoint {number} does not follow the one before it.")
            previous = hashlib.sha256(str(row["signed"]).encode()).hexdigest()


def _one(
    house: House, number: int, row: Row, document: object, keys: Mapping[str, Ed25519PublicKey]
) -> Iterator[Finding]:
    try:
        body = verify(row["signed"], "checkpoint", keys)["body"]
    except BadSignatureError as bad:
        yield Finding("checkpoint_unsigned", "", f"Checkpoint {number}: {bad}.")
        return
    try:
        heads = _heads(document)
        same = isinstance(document, dict) and document["signed"] == row["signed"]
        named = ("number", "root", "requests", "entries", "previous")
        same = same and all(body[name] == row[name] for name in named) and body["number"] == number
        tied = root_of(heads) == body["root"] and len({name for name, _, _ in heads}) == body["requests"]
    except (KeyError, TypeError, ValueError):
        same = tied = False
    if not (same and tied):
        yield Finding("checkpoint_altered", "", f"Checkpoint {number}: its row, its file and what was signed differ.")
        return
    for approval_id, entries, last in heads:
        yield from _held(house, number, approval_id, entries, last)


def _held(house: House, number: int, approval_id: str, entries: int, last: str) -> Iterator[Finding]:
    chain = house.chain(approval_id)
    if not chain:
        words = f"Checkpoint {number} holds it with {entries} entries, and nothing is left of it."
        yield Finding("audit_request_missing", approval_id, words)
    elif len(chain) < entries:
        words = f"Entry {len(chain) + 1} is missing: checkpoint {number} holds {entries}."
        yield Finding("audit_cut", approval_id, words)
    elif chain[entries - 1]["hash"] != last:
        yield Finding("audit_rewritten", approval_id, f"Entry {entries} is not the one that checkpoint {number} holds.")


def root_of(heads: Sequence[tuple[str, int, str]]) -> str:
    """The Merkle tree hash of RFC 9162 over the heads in the order of their names."""
    leaves = [canonical(list(head)) for head in sorted(heads)]
    return _tree(leaves).hex()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) <= 1:
        return hashlib.sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def _heads(document: object) -> list[tuple[str, int, str]]:
    if not isinstance(document, dict):
        raise TypeError("no object")
    return [(str(name), int(entries), str(last)) for name, entries, last in document["heads"]]


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
