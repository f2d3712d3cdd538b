import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import DEEPEST, can_be_hashed, canonical_json, sha256_hex

clean_text = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | clean_text,
    lambda inner: st.lists(inner) | st.dictionaries(clean_text, inner),
)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(plain)
def test_canonical_json_says_the_same_whatever_the_order_of_keys(value: Any) -> None:
    assert canonical_json(value) == canonical_json(reordered(value))
    assert sha256_hex(value) == sha256_hex(reordered(value))


@given(plain)
def test_canonical_json_reads_back_and_writes_the_same_again(value: Any) -> None:
    once = canonical_json(value)
    assert json.loads(once) == value
    assert canonical_json(json.loads(once)) == once


@given(plain, st.floats())
def test_a_float_is_refused_however_deep(value: Any, number: float) -> None:
    for holding in (number, [value, number], {"a": {"b": [value, (number,)]}}):
        with pytest.raises(TypeError, match=r"^a float has no exact spelling; use minor units or text$"):
            canonical_json(holding)


def test_canonical_json_has_sorted_keys_no_spaces_and_plain_letters() -> None:
    assert canonical_json({"b": [1, True, None], "a": "ü€"}) == '{"a":"ü€","b":[1,true,null]}'.encode()


def test_a_tuple_reads_like_a_list() -> None:
    assert canonical_json((1, (2,))) == b"[1,[2]]"


def test_the_hash_is_sha256_over_the_canonical_bytes() -> None:
    assert sha256_hex({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {True: 1}, [{"a": {2: 3}}]])
def test_a_key_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^a key must be text$"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1}, b"a", Decimal(1), datetime.now(UTC), object()])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^text holds half a character, which UTF-8 cannot say$"):
        canonical_json({"note": "\ud800"})


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deep_is_told_before_anything_fails_over_it(open_: str, close: str) -> None:
    assert can_be_hashed(json.loads(open_ * (DEEPEST - 1) + "1" + close * (DEEPEST - 1)))
    for times in (DEEPEST, 500):
        assert not can_be_hashed(json.loads(open_ * times + "1" + close * times))
    assert not can_be_hashed([1.5])
