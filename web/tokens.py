"""Secrets that only their holder keeps: 256 random bits, known here by their hash alone."""

import hashlib
import secrets
from typing import Final

_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no word comes out; none that reads like a digit."""


def new_token() -> str:
    """A fresh token: 256 bits, safe in cookies and headers."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is kept of a token. It has too many bits to be guessed back, so no salt is needed."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def new_user_code() -> str:
    """A code for people to compare, such as `BCDF-GHJK`: 34 bits, worth something for minutes and to staff only."""
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(8)]
    return f"{''.join(letters[:4])}-{''.join(letters[4:])}"


def parse_user_code(text: str) -> str:
    """A code as somebody typed it, whatever its case and with or without the hyphen; empty when it is none."""
    letters = "".join(letter for letter in text.upper() if letter not in " -")
    if len(letters) != 8 or any(letter not in _CODE_LETTERS for letter in letters):  # noqa: PLR2004 - as made above
        return ""
    return f"{letters[:4]}-{letters[4:]}"
