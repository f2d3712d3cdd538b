"""How a command's process ends once Temporal's client was in it."""

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, sys, threading
{loaded}
from starters.cli import main
atexit.register(lambda: print("taken down"))
main.run = lambda _words: (print("done"), 3)[1]
main.main()
"""


@pytest.mark.parametrize(("loaded", "said"), [("import temporalio.client", "done\n"), ("", "done\ntaken down\n")])
def test_python_is_not_taken_down_under_the_threads_of_temporals_client(loaded: str, said: str) -> None:
    """They abort the process when they come back in the middle of it, now and then and on a busy machine."""
    words = [sys.executable, "-c", SCRIPT.format(loaded=loaded)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, said, "")
