"""Sending mails: rendered from templates, each with a Message-ID made from its key."""

import hashlib
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr, parseaddr
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiosmtplib
import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from plixo.config import ROOT, Settings
from plixo.ports import Letter


@dataclass(frozen=True)
class PostOffice:
    """Renders letters and hands them to an SMTP relay.

    Attributes:
        templates: `templates/email`: a `.txt` and a `.html` for each letter; the text's first line is the subject.
        base_url: Where the console is, for links.
        sender: As `Name <address>`.
        smtp_url: `smtp://` or `smtps://`, with user and password where the relay wants them.
    """

    templates: Environment
    base_url: str
    sender: str
    smtp_url: str

    @classmethod
    def open(cls, settings: Settings) -> "PostOffice":
        """A post office for the configured relay."""
        environment = Environment(
            loader=FileSystemLoader(ROOT / "templates"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["local"] = local_time
        return cls(environment, settings.base_url.rstrip("/"), settings.mail_from, settings.smtp_url)

    def render(self, letter: Letter) -> Message:
        """The mail as it will be sent: text and HTML, no tracking.

        Raises:
            ValueError: The key or the address would write a header of its own.
        """
        words = {name: _plain(name, value) for name, value in letter.context.items()}
        place = letter.context.get("place") or f"/approvals/{letter.context['approval_id']}"
        context = {**words, "link": f"{self.base_url}{place}"}
        text = self.templates.get_template(f"email/{letter.template}.txt").render(context)
        subject, _, body = text.partition("\n")
        html = self.templates.get_template(f"email/{letter.template}.html").render({**context, "subject": subject})
        name, sender = parseaddr(self.sender)
        # The old classes of the standard library: the newer ones read back every header that they are given, which
        # takes six times as long as all the rest. What may be in a header is seen to here.
        message = MIMEMultipart("alternative", boundary=f"=_{secrets.token_hex(16)}")
        message["Subject"] = " ".join(subject.split())
        message["From"] = formataddr((name, sender))
        message["To"] = _one_line("address", letter.to)
        message["Message-ID"] = message_id(letter.key, sender)
        message["X-Plixo-Key"] = _one_line("key", letter.key)
        message["Auto-Submitted"] = "auto-generated"
        message.attach(_body(body.strip() + "\n", "plain"))
        message.attach(_body(css_inline.inline(html), "html"))
        return message

    @asynccontextmanager
    async def round(self) -> AsyncIterator["Round"]:
        """For several letters, one after the other; the connection is closed at the end of the block."""
        url = urlsplit(self.smtp_url)
        smtp = aiosmtplib.SMTP(
            hostname=url.hostname,
            port=url.port or (465 if url.scheme == "smtps" else 25),
            username=url.username,
            password=url.password,
            use_tls=url.scheme == "smtps",
            start_tls=None if url.username else False,
            timeout=20,
        )
        try:
            yield Round(self, smtp)
            await _take_leave(smtp)
        finally:
            smtp.close()


@dataclass(frozen=True)
class Round:
    """Letters that go over one connection, made when the first of them is sent.

    Attributes:
        office: Renders them.
        smtp: The connection.
    """

    office: PostOffice
    smtp: aiosmtplib.SMTP

    async def send(self, letter: Letter) -> None:
        """Hand a letter to the relay.

        Where one fails, nobody knows what the relay still waits for: the next goes over a connection of its own.

        Raises:
            aiosmtplib.SMTPException: The relay did not take it.
            OSError: The relay cannot be reached.
        """
        message = self.office.render(letter)
        try:
            if not self.smtp.is_connected:
                await self.smtp.connect()
            await self.smtp.send_message(message, recipients=[letter.to])
        except BaseException:
            self.smtp.close()
            raise


async def _take_leave(smtp: aiosmtplib.SMTP) -> None:
    """What was sent was taken already, whatever the relay answers now."""
    if smtp.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError):
            await smtp.quit(timeout=LEAVE_SECONDS)


LEAVE_SECONDS: Final = 2.0
"""How long the relay may take to say goodbye."""


def _body(words: str, subtype: str) -> MIMEText:
    """As it is where every mail server takes it so."""
    plain = words.isascii() and all(len(line) <= LONGEST_LINE for line in words.splitlines())
    return MIMEText(words, subtype, "us-ascii" if plain else "utf-8")


def _one_line(what: str, value: str) -> str:
    if len(value.splitlines()) != 1 or any(unicodedata.category(letter) in _UNSEEN for letter in value):
        raise ValueError(f"invalid {what} of a mail: it is empty, or holds a linefeed or another sign that is not seen")
    return value


LONGEST_LINE: Final = 998
"""Of a mail, in bytes, without its end (RFC 5322)."""

_LONG: Final = frozenset({"note", "comment", "why"})
"""Words that may have several lines; any other is one, so that a customer's name cannot write lines of its own."""


def _plain(name: str, value: object) -> object:
    """Words without control characters or marks that turn the writing round."""
    if isinstance(value, list):
        return [_plain(name, one) for one in value]
    if isinstance(value, dict):
        return {inner: _plain(inner, one) for inner, one in value.items()}
    if not isinstance(value, str):
        return value
    lines = value.split("\n") if name in _LONG else [value]
    return "\n".join(" ".join(_visible(line).split()) for line in lines)


def _visible(line: str) -> str:
    return "".join(letter for letter in line if letter.isspace() or unicodedata.category(letter) not in _UNSEEN)


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})


def message_id(key: str, sender: str) -> str:
    """The Message-ID of a letter: the same letter always has the same one."""
    domain = sender.rpartition("@")[2] or "localhost"
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def local_time(moment: str, zone: str) -> str:
    """A moment in the reader's own time, such as `Mon 3 Aug 2026, 14:00 (Europe/Berlin)`."""
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)):%a %-d %b %Y, %H:%M} ({zone})"
