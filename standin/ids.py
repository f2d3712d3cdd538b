"""Ids that look like Stripe's: a prefix and random letters, or one set aside by the seed."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits
LENGTH = 24


class Ids:
    """Gives out ids; the seed sets fixed ones aside for the next object of a prefix."""

    def __init__(self) -> None:
        self._aside: dict[str, str] = {}

    def set_aside(self, prefix: str, object_id: str) -> None:
        """The next id of this prefix is this one."""
        self._aside[prefix] = object_id

    def new(self, prefix: str) -> str:
        """A new id such as `in_…`."""
        return self._aside.pop(prefix, None) or prefix + "_" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
