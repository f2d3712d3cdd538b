"""Reading the mailbox as a person would."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


def letters(mailbox: Path) -> list[EmailMessage]:
    """Every mail in the Maildir, oldest first."""
    files = sorted(path for folder in ("new", "cur") for path in (mailbox / folder).glob("*"))
    return [message for path in files if isinstance(message := _read(path), EmailMessage)]


def letter_about(mailbox: Path, approval_id: str, recipient: str) -> EmailMessage | None:
    """The first mail to somebody about a request."""
    return next((one for one in letters(mailbox) if one["To"] == recipient and approval_id in text_of(one)), None)


def text_of(message: EmailMessage) -> str:
    """The plain part."""
    part = message.get_body(("plain",))
    return part.get_content() if part is not None else ""


def link_in(message: EmailMessage) -> str:
    """The link that the mail asks to follow."""
    found = re.search(r"https?://\S+/approvals/\S+", text_of(message))
    if found is None:
        raise LookupError(f"no link in the mail '{message['Subject']}'")
    return found[0]


def _read(path: Path) -> object:
    return message_from_bytes(path.read_bytes(), policy=policy.default)
