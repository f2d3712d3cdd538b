"""A mailbox for one machine: an SMTP server on loopback that keeps every mail in a Maildir.

A mail whose Message-ID arrived before is put aside, as mail stores do: who was cut off before hearing that a mail was
taken has to send it again, and its reader is to see it once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import Envelope, Session

from demo.places import CannotStart

REPEATED: Final = "Repeated"
"""The Maildir's folder of mails that arrived before."""


class MailStore(Mailbox):
    """Keeps each Message-ID once; also those of earlier times, which the folder holds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._known: set[str] | None = None

    def prepare_message(self, session: Session, envelope: Envelope) -> Message:  # noqa: ARG002 - aiosmtpd's own
        """What came, with who sent it to whom; its body is kept as it is, not taken apart."""
        assert isinstance(envelope.content, bytes), "the controller does not decode"
        message = BytesHeaderParser().parsebytes(envelope.content)
        message["X-MailFrom"] = str(envelope.mail_from)
        message["X-RcptTo"] = ", ".join(envelope.rcpt_tos)
        return message

    def handle_message(self, message: Message) -> None:
        """Keep it, or put it aside."""
        known = self._ids()
        name = str(message.get("Message-ID", "")).strip()
        if name and name in known:
            self.mailbox.add_folder(REPEATED).add(message)
            return
        self.mailbox.add(message)
        known.add(name)

    def _ids(self) -> set[str]:
        """Read when the first mail comes, so that a full mailbox does not hold up the start."""
        if self._known is None:
            files = (path for folder in ("new", "cur") for path in (self._folder / folder).iterdir())
            self._known = {_id_in(path) for path in files}
        return self._known


def _id_in(file: Path) -> str:
    with file.open("rb") as mail:
        return str(BytesHeaderParser().parse(mail).get("Message-ID", "")).strip()


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
    controller = Controller(MailStore(folder), hostname="127.0.0.1", port=port)
    try:
        controller.start()
    except OSError as error:
        raise CannotStart(f"The mailbox cannot listen on port {port}: {error.strerror}; choose with --port.") from error
    try:
        yield
    finally:
        controller.stop()
