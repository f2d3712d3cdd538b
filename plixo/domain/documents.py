"""Documents on a request: which files are taken, what they are by their content, and how they are called.

What a file says of itself, by its name or by a header, decides nothing. Its name is for people.
"""

import base64
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from plixo.domain.refusals import Refused

_KIB: Final = 1024
MAX_BYTES: Final = 10 * _KIB * _KIB
MAX_SIZE_TEXT: Final = "10 MiB"
MOST: Final = 20
"""How many documents one request can have."""
MAX_NAME: Final = 100
"""Characters of a document's name, its ending among them."""

FIELD: Final = "document"
TAKEN: Final = "PDF, PNG, JPEG, plain text or CSV"

_ID: Final = re.compile(r"DO-[A-Z2-7]{26}")
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*]')
"""Characters that one system or another has a use for in a file's name."""
_RESERVED: Final = re.compile(r"(?i)\A(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|\Z)")
"""Names that are devices on Windows, whatever follows their first dot."""

_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\n\f\r"))
"""Bytes that no text has."""
_BEGINS_AS_MARKUP: Final = re.compile(rb"\s*<[A-Za-z!?/]")
_MARKUP: Final = (b"<!doctype", b"<html", b"<script", b"<svg", b"<iframe")
"""What makes a page of a text, wherever it stands."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_PRINT: Final = "Print it to a PDF."
_SAVE: Final = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
_ELSE: Final = (
    (b"MZ", "a Windows program", ""),
    (b"\x7fELF", "a program", ""),
    (b"\xca\xfe\xba\xbe", "a program", ""),
    (b"\xcf\xfa\xed\xfe", "a program", ""),
    (b"PK\x03\x04", "an Office file or an archive", _PRINT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office file", _PRINT),
    (b"{\\rtf", "an Office file", _PRINT),
    (b"Rar!\x1a", "an archive", ""),
    (b"7z\xbc\xaf\x27\x1c", "an archive", ""),
    (b"\x1f\x8b", "an archive", ""),
    (b"\xff\xfe", "UTF-16 text", _SAVE),
    (b"\xfe\xff", "UTF-16 text", _SAVE),
)
"""What files begin with that people are likely to try, what to call them in a refusal, and what to do."""


class DocumentKind(StrEnum):
    """What a document is, by its content."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TEXT = "text"

    @property
    def label(self) -> str:
        """In words, such as `PDF`."""
        return "Text" if self is DocumentKind.TEXT else self.value.upper()

    @property
    def media_type(self) -> str:
        """What it is served as, whatever was said when it was added."""
        return _MEDIA_TYPES[self]

    @property
    def endings(self) -> tuple[str, ...]:
        """How a name of this kind may end; the first is added to one that ends otherwise."""
        return _ENDINGS[self]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """What the content is.

        Raises:
            Refused: It is empty, longer than a document may be, or of no kind that is taken.
        """
        check_size(len(content))
        for begins, kind in _SIGNATURES:
            if content.startswith(begins):
                return cls(kind)
        _check_text(content)
        return cls(cls.TEXT)


_MEDIA_TYPES: Final = {
    DocumentKind.PDF: "application/pdf",
    DocumentKind.PNG: "image/png",
    DocumentKind.JPEG: "image/jpeg",
    DocumentKind.TEXT: "text/plain; charset=utf-8",
}
_ENDINGS: Final = {
    DocumentKind.PDF: (".pdf",),
    DocumentKind.PNG: (".png",),
    DocumentKind.JPEG: (".jpg", ".jpeg"),
    DocumentKind.TEXT: (".txt", ".csv"),
}
_SIGNATURES: Final = (
    (b"%PDF-", DocumentKind.PDF),
    (b"\x89PNG\r\n\x1a\n", DocumentKind.PNG),
    (b"\xff\xd8\xff", DocumentKind.JPEG),
)


@dataclass(frozen=True)
class Document:
    """A file that somebody added to a request; it never changes, and nobody removes it.

    Attributes:
        document_id: Its id, `DO-…`.
        approval_id: The request it is on.
        person_id: Who added it.
        name: What it is called.
        kind: What it is.
        size: In bytes.
        sha256: Over its bytes, in hexadecimal.
        added_at: When.
    """

    document_id: str
    approval_id: str
    person_id: str
    name: str
    kind: DocumentKind
    size: int
    sha256: str
    added_at: datetime

    @property
    def size_text(self) -> str:
        """How long it is, as people read it."""
        return size_text(self.size)


def check_size(size: int) -> None:
    """Refuse a file that is empty or too long.

    Args:
        size: In bytes.

    Raises:
        Refused: It is one of the two.
    """
    if size < 1:
        raise Refused.one(FIELD, "document_empty", f"The file is empty; choose one with {TAKEN} in it.")
    if size > MAX_BYTES:
        raise Refused.one(FIELD, "document_too_large", f"A document has {MAX_SIZE_TEXT} at most; send a smaller one.")


def check_room(there: int) -> None:
    """Refuse one document more than a request can have.

    Args:
        there: How many it has.

    Raises:
        Refused: It has as many as it can.
    """
    if there >= MOST:
        raise Refused.one(FIELD, "documents_full", f"A request has {MOST} documents at most; put several into one PDF.")


def document_id(approval_id: str, sha256: str) -> str:
    """The document's id: the same bytes on the same request are the same document."""
    digest = hashlib.sha256(f"{approval_id}/{sha256}".encode()).digest()
    return f"DO-{base64.b32encode(digest).decode()[:26]}"


def is_document_id(text: str) -> bool:
    """Whether the text has the shape of a document's id."""
    return _ID.fullmatch(text) is not None


def document_name(said: str, kind: DocumentKind) -> str:
    """The name that a document bears: what its file was called, made harmless, with the ending of what it is.

    Folders, control and invisible characters are taken out, characters that mean something to a file system become
    `_`, and what is too long is cut. Nothing is refused: a name is no reason to keep a document out.

    Args:
        said: What the file was called, as it was sent.
        kind: What it is by its content.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", said))[-1]
    visible = "".join(" " if letter.isspace() else letter for letter in last if _visible(letter))
    plain = _RESERVED.sub(r"_\1", _FORBIDDEN.sub("_", " ".join(visible.split())).lstrip("-~. "), count=1)
    ending = next((end for end in kind.endings if plain.lower().endswith(end)), "")
    stem = plain[: len(plain) - len(ending)].rstrip(". ") or "document"
    ending = ending or kind.endings[0]
    return f"{stem[: MAX_NAME - len(ending)].rstrip('. ')}{ending}"


def size_text(size: int) -> str:
    """A number of bytes as people read it, such as `1.2 MiB`; never less than it is."""
    if size < _KIB:
        return f"{size} {'byte' if size == 1 else 'bytes'}"
    if size < _KIB * _KIB:
        return f"{-(-size // _KIB)} KiB"
    return f"{-(-10 * size // (_KIB * _KIB)) / 10:.1f} MiB"


def _visible(letter: str) -> bool:
    """Whether a reader sees it: no control character, nothing that turns the direction, no half of a character."""
    return letter.isspace() or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _check_text(content: bytes) -> None:
    """Refuse what is no plain text, with what can be done about it where one can tell what it is."""
    known = next((one for begins, *one in _ELSE if content.startswith(begins)), None)
    if len(content.translate(None, _CONTROLS)) != len(content) or content.startswith(b"{\\rtf"):
        raise _no_kind(*(known or ("", "")))
    try:
        content.decode()
    except UnicodeDecodeError:
        raise _no_kind(*(known or ("text that is not UTF-8", _SAVE))) from None
    if _is_markup(content):
        raise _no_kind("a web page, SVG or other markup", _PRINT)


def _is_markup(content: bytes) -> bool:
    quiet = content.removeprefix(_BYTE_ORDER_MARK).lower()
    return _BEGINS_AS_MARKUP.match(quiet) is not None or any(mark in quiet for mark in _MARKUP)


def _no_kind(looks: str, todo: str) -> Refused:
    what = f"; this looks like {looks}" if looks else ""
    return Refused.one(FIELD, "document_type", f"A document is {TAKEN}{what}. {todo}".strip())
