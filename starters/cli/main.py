"""`plixo`: the command line's one way in and its one way out."""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

from cyclopts import CycloptsError, MissingArgumentError

from starters.cli.app import build
from starters.cli.failures import USAGE, CommandFailed, one_line

_INTERRUPTED: Final = 130
_LONGEST: Final = 1000
"""How much of a line is shown: what was typed may be in it, and a mebibyte helps nobody."""


def main() -> None:
    """What the `plixo` script runs."""
    leave(run(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End the process.

    Temporal's client has threads of its own, which outlive its last answer. One that wants Python back while Python
    takes itself down aborts the process, whatever the command had achieved: so there is nothing to take down.
    """
    if "temporalio" not in sys.modules:
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has gone, or it was closed
            stream.flush()
    os._exit(code)


def run(tokens: Sequence[str]) -> int:
    """Run one command.

    Args:
        tokens: The command line after `plixo`.

    Returns:
        0 when it is done, 1 for a refusal, 2 for bad usage.
    """
    try:
        _check_text(tokens)
        result = build()(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as mistyped:
        return _failed(f"{_words(mistyped)} See `{_place(mistyped)} --help`.", USAGE)
    except CommandFailed as failed:
        return _failed(str(failed), failed.code)
    except KeyboardInterrupt:
        return _failed("Stopped.", _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; at exit Python would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _check_text(tokens: Sequence[str]) -> None:
    if any("\ud800" <= letter <= "\udfff" for token in tokens for letter in token):
        raise CommandFailed("The command line is not UTF-8 text; type it in a UTF-8 terminal.", USAGE)


def _words(mistyped: CycloptsError) -> str:
    argument = mistyped.argument
    if isinstance(mistyped, MissingArgumentError) and argument is not None and argument.parameter.help:
        return f"{argument.name} is missing: {argument.parameter.help}"
    words = one_line(str(mistyped))
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _place(mistyped: CycloptsError) -> str:
    return " ".join(("plixo", *(mistyped.command_chain or ())))


def _failed(message: str, code: int) -> int:
    line = one_line(message)
    sys.stderr.write(f"plixo: {line if len(line) <= _LONGEST else line[:_LONGEST] + '…'}\n")
    return code
