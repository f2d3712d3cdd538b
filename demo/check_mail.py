"""Did every mail leave at most once, for people of the house alone?"""

import mailbox
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from pathlib import Path
from typing import Final

from demo.check_model import Finding, House, Mail, UnreadableError

ASIDE: Final = "Repeated"
"""The Maildir's folder of mails whose Message-ID had arrived before: their readers see them once."""


def read_mails(path: Path) -> list[Mail]:
    """What arrived in a Maildir.

    Raises:
        UnreadableError: There is no such mailbox.
    """
    try:
        box = mailbox.Maildir(path, create=False)
        kept = [_mail(name, message) for name, message in sorted(box.items())]
        again = sorted(box.get_folder(ASIDE).items()) if ASIDE in box.list_folders() else []
        return kept + [replace(_mail(name, message), aside=True) for name, message in again]
    except (mailbox.Error, OSError) as broken:
        raise UnreadableError(f"The mailbox cannot be read: {broken!r}") from broken


def _mail(name: str, message: Message) -> Mail:
    said = [str(value) for header in ("To", "Cc", "Bcc", "X-RcptTo") for value in message.get_all(header, [])]
    recipients = {address.lower() for _, address in getaddresses(said) if address}
    key, message_id = (_said(message, name) for name in ("X-Plixo-Key", "Message-ID"))
    return Mail(name, key, tuple(sorted(recipients)), message_id)


def _said(message: Message, header: str) -> str:
    """What a header says; one that is longer than a line was encoded on its way (RFC 2047)."""
    return str(make_header(decode_header(str(message.get(header, ""))))).strip()


def check_mails(house: House, mails: Sequence[Mail]) -> Iterator[Finding]:
    """Holds the mailbox against the outbox and the directory."""
    kept = [mail for mail in mails if not mail.aside]
    yield from _swallowed(kept, [mail for mail in mails if mail.aside])
    yield from _sent_too_often(house, mails)
    yield from _kept(house, kept)


def _swallowed(kept: Sequence[Mail], aside: Sequence[Mail]) -> Iterator[Finding]:
    """What was put aside must be there already, for the same readers: another mail would have been lost."""
    there = {(mail.message_id, mail.key, mail.recipients) for mail in kept}
    for mail in aside:
        if (mail.message_id, mail.key, mail.recipients) not in there:
            detail = f"{mail.key} has the Message-ID of another mail, so its reader never sees it."
            yield Finding("mail_swallowed", _about(mail.key), detail)


def _sent_too_often(house: House, mails: Sequence[Mail]) -> Iterator[Finding]:
    """Who takes a mail from the outbox sends it once; it is taken again only when that one did not say that it had."""
    for key, times in Counter(mail.key for mail in mails).items():
        row = house.outbox.get(key)
        if row and times > row["attempts"]:
            yield Finding(
                "double_mail", _about(key), f"{key} was sent {times} times, and taken {row['attempts']} times."
            )


def _kept(house: House, mails: Sequence[Mail]) -> Iterator[Finding]:
    known = {row["email"].lower() for row in house.people.values()}
    arrived = Counter(mail.key for mail in mails)
    for key, times in arrived.items():
        if key and times > 1:
            yield Finding("double_mail", _about(key), f"{key} arrived {times} times.")
        if key not in house.outbox:
            yield Finding("mail_nobody_wrote", _about(key), f"A mail arrived with the key '{key}', never posted.")
    for mail in mails:
        for stranger in sorted(set(mail.recipients) - known):
            yield Finding("mail_to_stranger", _about(mail.key), f"{mail.name} went to {stranger}, who is unknown here.")
        row = house.outbox.get(mail.key)
        if row and row["recipient"].lower() not in mail.recipients:
            yield Finding("mail_misdirected", _about(mail.key), f"{mail.key} was for {row['recipient']}.")
    for key, row in house.outbox.items():
        if row["sent_at"] and not arrived[key]:
            yield Finding("mail_missing", _about(key), f"{key} is said to have left and did not arrive.")


def _about(key: str) -> str:
    return key.partition("/")[0]
