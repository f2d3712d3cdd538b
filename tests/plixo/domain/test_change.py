from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.canonical import canonical_json, sha256_hex
from plixo.domain.change import ProposedChange, Target, TargetKind, differences
from plixo.domain.money import Money
from plixo.domain.reasons import Reason

TARGET = Target(TargetKind.INVOICE, "in_1", "open", "USD", "A-0001")
CHANGE = ProposedChange("credit", "cus_1", Money(420_000, "USD"), TARGET, Reason.SERVICE_OUTAGE, "a note", "a memo")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
targets = st.builds(Target, st.sampled_from(TargetKind), text, text, st.sampled_from(["USD", "JPY"]), text)
changes = st.builds(
    ProposedChange,
    text,
    text,
    st.builds(Money, st.integers(1, 10**8), st.sampled_from(["USD", "JPY"])),
    targets,
    st.sampled_from(Reason),
    text,
    text,
)


@pytest.mark.parametrize(
    "other",
    [
        replace(CHANGE, kind="refund"),
        replace(CHANGE, customer_id="cus_2"),
        replace(CHANGE, reason=Reason.GOODWILL),
        replace(CHANGE, note="another"),
        replace(CHANGE, memo="another"),
        replace(CHANGE, note="a memo", memo="a note"),
        replace(CHANGE, target=replace(TARGET, kind=TargetKind.CUSTOMER_BALANCE)),
        replace(CHANGE, target=replace(TARGET, target_id="in_2")),
        replace(CHANGE, target=replace(TARGET, status="paid")),
        replace(CHANGE, target=replace(TARGET, currency="EUR")),
    ],
)
def test_the_fingerprint_changes_with_every_meaningful_field(other: ProposedChange) -> None:
    assert other.digest != CHANGE.digest


@given(changes, st.integers(1, 10**8), text)
def test_the_fingerprint_changes_neither_with_the_amount_nor_with_the_shown_number(
    change: ProposedChange, minor: int, number: str
) -> None:
    lower = replace(change, amount=replace(change.amount, minor=minor), target=replace(change.target, number=number))
    assert lower.digest == change.digest


@given(changes, changes)
def test_two_changes_share_a_fingerprint_only_when_they_say_the_same(one: ProposedChange, two: ProposedChange) -> None:
    def meaning(change: ProposedChange) -> ProposedChange:
        return replace(change, amount=Money(1, "USD"), target=replace(change.target, number=""))

    assert (one.digest == two.digest) == (meaning(one) == meaning(two))


def test_the_fingerprint_is_that_of_the_written_down_fields() -> None:
    said = {
        "kind": "credit",
        "customer": "cus_1",
        "reason": "service_outage",
        "note": "a note",
        "memo": "a memo",
        "target": {"kind": "invoice", "id": "in_1", "status": "open", "currency": "USD"},
    }
    assert CHANGE.digest == sha256_hex(said)


@given(changes)
def test_a_change_reads_back_from_its_claims(change: ProposedChange) -> None:
    assert ProposedChange.from_claims(change.to_claims()) == change
    canonical_json(change.to_claims())


def test_claims_are_plain_data() -> None:
    expected: dict[str, Any] = {
        "kind": "credit",
        "customer_id": "cus_1",
        "amount": {"minor": 420_000, "currency": "USD"},
        "target": {"kind": "invoice", "target_id": "in_1", "status": "open", "currency": "USD", "number": "A-0001"},
        "reason": "service_outage",
        "note": "a note",
        "memo": "a memo",
    }
    claims = CHANGE.to_claims()
    assert claims == expected
    assert type(claims["reason"]) is str
    assert type(claims["target"]["kind"]) is str


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (TARGET, ()),
        (replace(TARGET, number="A-0002"), ()),
        (replace(TARGET, status="void"), ("the invoice was open and is now void",)),
        (replace(TARGET, currency="EUR"), ("its currency was USD and is now EUR",)),
        (replace(TARGET, target_id="in_2"), ("the target was in_1 and is now in_2",)),
        (replace(TARGET, kind=TargetKind.CUSTOMER_BALANCE), ("the target was in_1 and is now in_1",)),
        (
            replace(TARGET, target_id="in_2", status="paid", currency="EUR"),
            (
                "the target was in_1 and is now in_2",
                "the invoice was open and is now paid",
                "its currency was USD and is now EUR",
            ),
        ),
    ],
)
def test_what_changed_in_stripe_is_said_in_words(now: Target, words: tuple[str, ...]) -> None:
    assert differences(TARGET, now) == words


@given(changes, changes)
def test_a_target_differs_exactly_where_its_fingerprint_would(one: ProposedChange, two: ProposedChange) -> None:
    moved = replace(one, target=two.target)
    assert bool(differences(one.target, two.target)) == (moved.digest != one.digest)


def test_a_target_kind_is_said_in_words() -> None:
    assert [kind.label for kind in TargetKind] == ["invoice", "customer balance"]
