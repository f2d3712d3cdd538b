"""Free text as people type it: notes, comments, memos."""

import unicodedata
from typing import Final

from plixo.domain.refusals import Refused

MAX_NOTE: Final = 2000
"""Characters of a note or a comment to colleagues."""

_BIDI: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def parse_text(text: str, field: str, longest: int) -> str:
    """Free text, with surrounding blanks removed and Unicode composed.

    Raises:
        Refused: It is too long, holds control characters, or would be taken for a template or a formula elsewhere.
    """
    if len(text) > longest:
        raise Refused.one(field, f"{field}_too_long", f"Keep the {field} under {longest:,} characters.")
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if any(_is_control(letter) for letter in plain):
        wanted = f"The {field} holds control characters; type it as plain text."
        raise Refused.one(field, f"{field}_control_characters", wanted)
    if any(mark in plain for mark in ("{{", "}}", "{%", "%}")) or plain.startswith(("=", "+", "@")):
        wanted = f"The {field} looks like a template or a formula; write it in words."
        raise Refused.one(field, f"{field}_not_plain", wanted)
    return plain


def _is_control(letter: str) -> bool:
    return letter in _BIDI or (unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\t")
