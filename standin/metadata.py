"""Metadata: merged on update, a key unset by an empty value, all of it by an empty string."""

from standin.call import Doc
from standin.errors import bad_param

MOST_KEYS = 50
LONGEST_KEY = 40
LONGEST_VALUE = 500


def merged(current: Doc | None, given: Doc | str | None) -> Doc:
    """What metadata becomes when `given` is applied to `current`.

    Raises:
        ApiError: Too many keys, or a key or value that is too long.
    """
    if given == "":
        return {}
    changes = given if isinstance(given, dict) else {}
    result = {**(current or {}), **changes}
    result = {key: value for key, value in result.items() if value != ""}
    _check(result)
    return result


def _check(metadata: Doc) -> None:
    if len(metadata) > MOST_KEYS:
        raise bad_param("metadata", f"Metadata can have up to {MOST_KEYS} keys, but you passed in {len(metadata)}.")
    for key, value in metadata.items():
        if len(key) > LONGEST_KEY or "[" in key or "]" in key:
            raise bad_param("metadata", f"Metadata keys have up to {LONGEST_KEY} characters and no square brackets.")
        if len(value) > LONGEST_VALUE:
            raise bad_param(f"metadata[{key}]", f"Metadata values can have up to {LONGEST_VALUE} characters.")
