"""The tokens of `plixo login`: one an address, in a file that nobody else can read."""

import json
import os
from pathlib import Path

from starters.cli.failures import CommandFailed

_OTHERS = 0o077


def place() -> Path:
    """Where they are kept: under `XDG_CONFIG_HOME`, or `~/.config`."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home else Path.home() / ".config") / "plixo" / "token.json"


def find(address: str) -> str | None:
    """The token for an address; a token is never shown to another one.

    Raises:
        CommandFailed: The file can be read by others, or holds no tokens.
    """
    found = _read().get(address)
    return found if isinstance(found, str) else None


def keep(address: str, token: str) -> Path:
    """Keep a token, in place of an older one for the same address; where it is kept.

    Raises:
        CommandFailed: The file cannot be written.
    """
    path = place()
    try:
        known = _read()
    except CommandFailed:
        known = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, {**known, address: token})
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written ({error.strerror}); set XDG_CONFIG_HOME to a folder.") from error
    return path


def _read() -> dict[str, object]:
    path = place()
    try:
        if path.stat().st_mode & _OTHERS:
            raise CommandFailed(f"{path} can be read by others; run `chmod 600 {path}`, then sign in again.")
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} holds no tokens; remove it and run `plixo login`.") from error
    return known if isinstance(known, dict) else {}


def _write(path: Path, tokens: dict[str, object]) -> None:
    """Written beside and moved over: there is no moment at which it is half written or readable by others."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(tokens, file)
    fresh.replace(path)
