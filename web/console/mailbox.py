"""Mails that were sent, in dev only: nobody needs a mail program to follow a link."""

import asyncio
import mailbox
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from plixo.domain.refusals import NotFound
from web.console.inbox_view import plain_text
from web.identity import SignInNeeded, StaffPart, page_visit
from web.rendering import bare_page, page

router = APIRouter(include_in_schema=False, prefix="/mailbox")

NEWEST: Final = 100
LINK: Final = re.compile(r"https?://[^\s<>\"]+")
FRAME_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
"""A mail brings its own styles; it gets them in a frame that can run nothing and reach nothing but its links."""


@dataclass(frozen=True)
class Mail:
    """A mail in the mailbox.

    Attributes:
        key: Its name in the Maildir.
        arrived: Seconds since 1970.
        message: Its headers and parts.
    """

    key: str
    arrived: float
    message: EmailMessage

    @property
    def text(self) -> str:
        """The part for reading as it is."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""

    @property
    def html(self) -> str:
        """The part with looks; empty where there is none."""
        part = self.message.get_body(("html",))
        return str(part.get_content()) if part else ""


@router.get("")
async def show_all(request: Request, staff: StaffPart) -> Response:
    """The newest mails, newest first."""
    q = plain_text(request.query_params.get("q", ""))
    found = await asyncio.to_thread(_newest, staff.settings.data / "mailbox")
    kept = [mail for mail in found if q.lower() in f"{mail.message['To']} {mail.message['Subject']}".lower()]
    return await _page(request, staff, "console/mailbox.html", {"mails": kept, "q": q})


@router.get("/{key}")
async def show(request: Request, staff: StaffPart, key: str) -> Response:
    """One mail."""
    mail = await _one(staff, key)
    return await _page(request, staff, "console/mail.html", {"mail": mail, "text": linked(mail.text)})


@router.get("/{key}/html")
async def looks(staff: StaffPart, key: str) -> Response:
    """The mail's own looks, for a frame: its links open outside of it."""
    mail = await _one(staff, key)
    html = mail.html.replace("<head>", '<head><base target="_top">', 1)
    return HTMLResponse(html, headers={"Content-Security-Policy": FRAME_POLICY})


def linked(text: str) -> Markup:
    """The text with its links made clickable, and nothing else in it understood as markup."""
    parts, end = [], 0
    for found in LINK.finditer(text):
        parts += [Markup.escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(found[0])]
        end = found.end()
    return Markup().join([*parts, Markup.escape(text[end:])])


async def _page(request: Request, staff: StaffPart, template: str, context: dict[str, object]) -> Response:
    """With the menu for who is signed in; one reads a mail before that, too."""
    try:
        visit = await page_visit(request, staff)
    except SignInNeeded:
        return bare_page(request, template, context)
    return page(visit, template, context)


async def _one(staff: StaffPart, key: str) -> Mail:
    found = await asyncio.to_thread(_newest, staff.settings.data / "mailbox")
    mail = next((mail for mail in found if mail.key == key), None)
    if mail is None:
        raise NotFound.one("mail", "mail_unknown", "There is no such mail; it may be older than those shown.")
    return mail


def _newest(folder: Path) -> Sequence[Mail]:
    if not (folder / "new").is_dir():
        return ()
    box = mailbox.Maildir(folder, factory=None, create=False)
    mails = [_read(box, key) for key in box.keys()]  # noqa: SIM118 - a Maildir iterates over messages
    return sorted(mails, key=lambda mail: mail.arrived, reverse=True)[:NEWEST]


def _read(box: mailbox.Maildir, key: str) -> Mail:
    message = BytesParser(EmailMessage, policy=default).parsebytes(box.get_bytes(key))
    date = message["Date"]
    arrived = parsedate_to_datetime(date).timestamp() if date else float(key.partition(".")[0])
    return Mail(key, arrived, message)
