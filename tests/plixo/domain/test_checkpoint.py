import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import canonical_json
from plixo.domain.checkpoint import EMPTY_ROOT, Checkpoint, Head, denial, merkle_root

HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
HEADS = st.dictionaries(st.from_regex(r"CR-[A-Z2-7]{26}", fullmatch=True), st.tuples(st.integers(1, 99), HASH)).map(
    lambda found: [Head(name, entries, last) for name, (entries, last) in found.items()]
)
SOME = HEADS.filter(bool)


def by_the_rfc(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + by_the_rfc(leaves[:split]) + by_the_rfc(leaves[split:])).digest()


def leaf(head: Head) -> bytes:
    return canonical_json([head.approval_id, head.entries, head.hash])


@given(HEADS)
def test_the_root_is_that_of_the_rfcs_tree(heads: list[Head]) -> None:
    assert merkle_root(heads) == by_the_rfc([leaf(head) for head in sorted(heads)]).hex()


@pytest.mark.parametrize("count", range(18))
def test_whatever_the_number_of_leaves(count: int) -> None:
    heads = [Head(f"CR-{number:026d}", 1, "0" * 64) for number in range(count)]
    assert merkle_root(heads) == by_the_rfc([leaf(head) for head in heads]).hex()


def test_over_nothing_there_is_a_root_too() -> None:
    assert merkle_root([]) == EMPTY_ROOT


@given(HEADS, st.randoms())
def test_the_order_does_not_matter(heads: list[Head], chance: object) -> None:
    shuffled = list(heads)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merkle_root(shuffled) == merkle_root(heads)


@given(SOME, st.data())
def test_whatever_is_changed_changes_the_root(heads: list[Head], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(heads) - 1))
    head, rest = heads[place], heads[:place] + heads[place + 1 :]
    cut = Head(head.approval_id, head.entries - 1, head.hash)
    other = Head(head.approval_id, head.entries, "z" * 64)
    renamed = Head(f"{head.approval_id}X", head.entries, head.hash)
    roots = {merkle_root(changed) for changed in (heads, rest, [*rest, cut], [*rest, other], [*rest, renamed])}
    assert len(roots) == 5


@given(SOME)
def test_a_chain_with_two_heads_is_refused(heads: list[Head]) -> None:
    with pytest.raises(ValueError, match="two heads"):
        merkle_root([*heads, Head(heads[0].approval_id, 100, "f" * 64)])


@given(st.lists(HASH, min_size=1, unique=True), st.data())
def test_a_chain_that_only_grew_is_never_denied(hashes: list[str], data: st.DataObject) -> None:
    entries = data.draw(st.integers(1, len(hashes)))
    assert denial(Head("CR-A", entries, hashes[entries - 1]), hashes, 7) is None


@given(st.lists(HASH, min_size=1, unique=True), st.data())
def test_a_chain_that_was_cut_always_is_and_its_first_missing_entry_named(
    hashes: list[str], data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, len(hashes) - 1))
    said = denial(Head("CR-A", len(hashes), hashes[-1]), hashes[:left], 7)
    entry = "the whole request is missing" if left == 0 else f"entry {left + 1} is missing: the chain was cut off"
    assert said is not None
    assert said.startswith(f"CR-A: {entry} (checkpoint 7 holds")


def test_a_chain_that_was_made_anew_is_named() -> None:
    said = denial(Head("CR-A", 2, "b"), ["x", "y", "z"], 7)
    assert said == "CR-A: entry 2 is not the one that checkpoint 7 holds: the chain was made anew up to there"


def test_what_is_signed_comes_back_as_it_was() -> None:
    made = Checkpoint(3, "2026-11-22T13:00:00.000+00:00", "ab", 2, 9, "cd", 2, ("CR-A: entry 1 was changed",), "moved")
    assert Checkpoint.from_claims(json.loads(canonical_json(made.to_claims()))) == made
