"""A mailbox for one machine: an SMTP server on loopback that keeps every mail in a Maildir."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from demo.places import CannotStart


@contextmanager
def open_mailbox(folder: Path, port: int) -> Iterator[None]:
    """Take mail for as long as the block lasts.

    Args:
        folder: The Maildir; made when missing.
        port: On loopback.

    Raises:
        CannotStart: It cannot listen there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    controller = Controller(Mailbox(folder), hostname="127.0.0.1", port=port)
    try:
        controller.start()
    except OSError as error:
        raise CannotStart(f"The mailbox cannot listen on port {port}: {error.strerror}; choose with --port.") from error
    try:
        yield
    finally:
        controller.stop()
