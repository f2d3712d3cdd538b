"""Commands on the keys that Temporal's payloads are encrypted with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import line, pages, show, table, when
from starters.cli.reach import Json
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from plixo.temporal.payload_keys import KeyRing

app = App(
    name="keys",
    help="The keys that Temporal's payloads are encrypted with.",
    help_epilogue=example("plixo keys list"),
)


@app.command(name="list", help_epilogue=example("plixo keys list --json"))
def list_(*, as_json: Json = False) -> None:
    """Which keys there are, and which one encrypts; never the keys themselves.

    Args:
        as_json: Print one JSON document.
    """
    from plixo.temporal.payload_keys import load_payload_keys  # noqa: PLC0415 - `plixo --help` stays quick

    path = load_settings().payload_keys
    with _failures_named():
        ring = load_payload_keys(path)
    show(_document(path, ring), pages(_table(ring), line(f"\n{path}")), as_json=as_json)


@app.command(help_epilogue=example("plixo keys rotate"))
def rotate(*, prepare: bool = False, as_json: Json = False) -> None:
    """Make a newer key the current one: the prepared one, or else a new one. Older ones stay, to read what is there.

    Running processes take it up from the file by themselves. Where machines have a file each, prepare the key, copy the
    file to all of them, and rotate then.

    Args:
        prepare: Only add a new key that does not encrypt yet.
        as_json: Print one JSON document.
    """
    from plixo.temporal.payload_keys import rotate_payload_keys  # noqa: PLC0415 - `plixo --help` stays quick

    path = load_settings().payload_keys
    with _failures_named():
        ring = rotate_payload_keys(path, datetime.now(UTC), prepare=prepare)
    page = pages(_table(ring), line(f"\n{path}\n{_said(ring, prepared=prepare)}"))
    show(_document(path, ring), page, as_json=as_json, following="plixo keys rotate" if prepare else "plixo keys list")


def _said(ring: "KeyRing", *, prepared: bool) -> str:
    if prepared and ring.prepared:
        key = ring.prepared.key_id
        return f"The key {key} is there and encrypts nothing yet; give every machine this file, then rotate."
    return (
        f"The key {ring.current_id} encrypts from now on, in running processes too; what older keys encrypted stays "
        "readable. Where machines have a file each, copy this one to all of them now."
    )


@contextmanager
def _failures_named() -> Iterator[None]:
    from plixo.temporal.payload_keys import PayloadKeyError  # noqa: PLC0415 - `plixo --help` stays quick

    try:
        yield
    except PayloadKeyError as problem:
        raise CommandFailed(str(problem)) from problem


def _document(path: "Path", ring: "KeyRing") -> dict[str, object]:
    keys = [
        {"id": key.key_id, "made_at": key.made_at.isoformat(), "use": _use(ring, key.key_id)}
        for key in ring.keys.values()
    ]
    return {"file": str(path), "current": ring.current_id, "keys": keys}


def _table(ring: "KeyRing") -> "RenderableType":
    rows = [(key.key_id, when(key.made_at.isoformat()), _use(ring, key.key_id)) for key in ring.keys.values()]
    return table(("!key", "!made", "use"), rows, empty="")


def _use(ring: "KeyRing", key_id: str) -> str:
    if key_id == ring.current_id:
        return "encrypts and decrypts"
    return "prepared" if ring.prepared and ring.prepared.key_id == key_id else "decrypts"
