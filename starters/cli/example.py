"""Examples under a command's help."""

import re
from typing import Final

_WIDTH: Final = 78


def example(command: str) -> str:
    """The command as the help's last lines, folded so that it can still be copied into a shell."""
    lines = ["Example:"]
    current = " "
    # Before an option, so that no quoted words are torn.
    for word in re.split(r" (?=--)", command):
        if len(current) + len(word) + 1 > _WIDTH - 2:
            lines.append(f"{current} \\")
            current = "   "
        current = f"{current} {word}"
    return "\n".join([*lines, current])
