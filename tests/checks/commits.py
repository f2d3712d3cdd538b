"""Refuse what must never be committed: registry addresses, resolvers' lock files, unfinished marks, keys."""

import re
import subprocess
import sys
from pathlib import Path

FORBIDDEN_FILES = {"uv.lock", "pylock.toml", "poetry.lock"}
PATTERNS = {
    "a package registry's address": re.compile(r"^(--index-url|--extra-index-url|-i )|://[^ ]*/simple\b", re.MULTILINE),
    "an unfinished mark": re.compile(r"\b(TODO|FIXME)\b|\bXXX:"),
    "a live key": re.compile(r"\b[sr]k_live_[A-Za-z0-9]{10,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
OWN = "tests/checks/commits.py"


def main() -> int:
    """Print every finding; 1 when there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True
    )
    findings = [line for name in listed.stdout.split("\n") if name for line in _findings(Path(name))]
    for line in findings:
        print(line)
    return 1 if findings else 0


def _findings(path: Path) -> list[str]:
    if path.name in FORBIDDEN_FILES:
        return [f"{path}: holds registry addresses; the locks are requirements.lock and requirements-dev.lock"]
    if str(path) == OWN or not path.is_file() or "vendor" in path.parts:
        return []
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return []
    return [f"{path}: holds {what}" for what, pattern in PATTERNS.items() if pattern.search(text)]


if __name__ == "__main__":
    sys.exit(main())
