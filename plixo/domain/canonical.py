"""One spelling for everything that is hashed or signed.

Sorted keys, no spaces, UTF-8, no floats: two readers who agree on the content agree on the bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Final

DEEPEST: Final = 50
"""How deep a value may be nested that somebody else can have written; ours are far flatter."""


def canonical_json(value: object) -> bytes:
    """The value as canonical JSON.

    Raises:
        TypeError: It holds something that JSON cannot say exactly, a float among them.
    """
    _refuse_floats(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError as broken:
        raise TypeError("text holds half a character, which UTF-8 cannot say") from broken


def sha256_hex(value: object) -> str:
    """SHA-256 over the value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def can_be_hashed(value: object) -> bool:
    """Whether `canonical_json` can say it, alone and as a part of something greater."""
    try:
        return not _is_too_deep(value) and bool(canonical_json(value))
    except (TypeError, ValueError):
        return False


def _is_too_deep(value: object) -> bool:
    """Level by level, since a function that calls itself would be stopped by the depth it looks for."""
    level = [value]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _items(one)]
        if not level:
            return False
    return True


def _items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no exact spelling; use minor units or text")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("a key must be text")
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
