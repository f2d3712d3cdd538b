from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe._encode import _api_encode

from standin.contract.form import MalformedFormError, decode

names = st.from_regex(r"[a-z_][a-zA-Z0-9_ &=+%é-]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = texts | st.integers() | st.booleans()
# In a list the SDK leaves out what is empty and writes Python's `True`; nobody can read either back.
items = texts | st.integers()
trees = st.recursive(
    scalars,
    lambda inner: (
        st.dictionaries(names, inner, min_size=1, max_size=4)
        | st.lists(items, min_size=1, max_size=12)
        | st.lists(st.dictionaries(names, inner, min_size=1, max_size=3), min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def as_text(tree: object) -> object:
    """What is left of a tree once every leaf has been written as text."""
    if isinstance(tree, dict):
        return {name: as_text(below) for name, below in tree.items()}
    if isinstance(tree, list):
        return [as_text(item) for item in tree]
    return str(tree).lower() if isinstance(tree, bool) else str(tree)


def encoded_by_the_sdk(params: dict[str, object]) -> bytes:
    """The last step of the SDK's own requestor, which leaves brackets as they are."""
    return urlencode(list(_api_encode(params))).replace("%5B", "[").replace("%5D", "]").encode()


@settings(deadline=None)  # a busy machine is no finding
@given(st.dictionaries(names, trees, max_size=5))
def test_what_the_sdk_encodes_is_read_back(params: dict[str, object]) -> None:
    assert decode(encoded_by_the_sdk(params)) == as_text(params)


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", {}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=", {"a": ""}),
        (b"a[]=x&a[]=y", {"a": ["x", "y"]}),
        (b"a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        (b"a[10]=k&a[9]=j", {"a": {"10": "k", "9": "j"}}),
        (b"a%5Bb%5D=%C3%A9+%2B", {"a": {"b": "é +"}}),
        (b"a[b][0][c]=1&a[b][1][c]=2", {"a": {"b": [{"c": "1"}, {"c": "2"}]}}),
        (b"a[00]=x", {"a": {"00": "x"}}),
    ],
)
def test_the_keys_alone_tell_lists_from_mappings(body: bytes, tree: dict[str, object]) -> None:
    assert decode(body) == tree


@pytest.mark.parametrize(
    "body",
    [
        b"a[=1",
        b"a]=1",
        b"[a]=1",
        b"a[b]c=1",
        b"=1",
        b"a=1&a[b]=2",
        b"a[b]=2&a=1",
        b"\xff=1",
        b"a=%ff",
        b"a" + b"[a]" * 99,
    ],
)
def test_a_malformed_form_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedFormError):
        decode(body)


@settings(deadline=None)  # a busy machine is no finding
@given(st.binary(max_size=60) | st.text("ab[]=&0%", max_size=60).map(str.encode))
def test_no_body_does_worse_than_being_refused(body: bytes) -> None:
    try:
        tree = decode(body)
    except MalformedFormError:
        return
    assert isinstance(tree, dict)
