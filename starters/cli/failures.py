"""How a command ends badly: one line that says what is wrong and what to do, and an exit code."""

REFUSED = 1
"""Exit code of a refusal: what was asked cannot be done as things stand."""
USAGE = 2
"""Exit code of bad usage: the command was typed wrongly."""


class CommandFailed(Exception):
    """A command stops here; its message is the line a person reads.

    Attributes:
        code: The exit code.
    """

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(CommandFailed):
    """No answer came: what was asked may have been done all the same."""


def one_line(text: str) -> str:
    """The text without line breaks and control characters, so that it stays the one line that was promised."""
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(words.split())
