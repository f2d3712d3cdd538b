"""One spelling for everything that is hashed or signed.

Sorted keys, no spaces, UTF-8, no floats: two readers who agree on the content agree on the bytes.
"""

import hashlib
import json


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
