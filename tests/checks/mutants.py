"""`make mutants`: change the pure rules in every small way and count the changes that no test of theirs notices.

mutmut does the work in `mutants/`, each time from nothing: what it kept of an earlier run hides tests written since.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
STATISTICS = Path("mutants") / "mutmut-cicd-stats.json"
MOST_ALIVE = 0.1
NOT_KILLED = ("survived", "no_tests", "suspicious", "segfault", "check_was_interrupted_by_user", "skipped")


def main() -> int:
    """Print the count and every mutant that lives; 1 when more than one in ten does."""
    mutmut = str(BIN / "mutmut")
    shutil.rmtree(STATISTICS.parent, ignore_errors=True)
    unhurried = {**os.environ, "CI": "true"}  # there Hypothesis sets no time limit, and draws the same examples
    subprocess.run([mutmut, "run", "--max-children", "2"], check=True, env=unhurried)
    subprocess.run([mutmut, "export-cicd-stats"], check=True, stdout=subprocess.DEVNULL)
    found = json.loads(STATISTICS.read_text())
    alive = sum(found.get(name, 0) for name in NOT_KILLED)
    subprocess.run([mutmut, "results"], check=True)
    print(f"{found['total']} mutants of plixo/domain, {alive} alive ({alive / found['total']:.1%}; at most 10 %)")
    return 1 if alive > MOST_ALIVE * found["total"] else 0


if __name__ == "__main__":
    sys.exit(main())
