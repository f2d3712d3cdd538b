"""`make check`: lint, format, types, layers, dependencies, Temporal's rules, sizes, requirements, what is forbidden."""

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
CHECKS = {
    "lint": [BIN / "ruff", "check", "--quiet", "."],
    "format": [BIN / "ruff", "format", "--quiet", "--check", "."],
    "types": [BIN / "mypy", "--no-error-summary"],
    "layers": [BIN / "lint-imports", "--no-logo"],
    "dependencies": [BIN / "deptry", "."],
    "temporal": [BIN / "temporalint", "workflows"],
    "sizes": [sys.executable, "tests/checks/sizes.py"],
    "requirements": [sys.executable, "tests/checks/asvs.py"],
    "commits": [sys.executable, "tests/checks/commits.py"],
}


def main() -> int:
    """Run every check and name those that failed; 1 when one did."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, [str(part) for part in command])]
    if failed:
        print(f"make check: {', '.join(failed)} failed")
    else:
        print(f"make check: {len(CHECKS)} checks hold")
    return 1 if failed else 0


def _passes(name: str, command: list[str]) -> bool:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(f"--- {name}: {' '.join(command)}\n{ran.stdout}{ran.stderr}")
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
