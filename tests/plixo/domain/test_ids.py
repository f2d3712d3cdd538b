import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.ids import (
    CREDIT_PREFIX,
    approval_id,
    effect_id,
    idempotency_key,
    is_approval_id,
    parse_request_id,
    workflow_of,
)
from plixo.domain.refusals import Refused

clean_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(clean_text, clean_text)
def test_the_same_question_has_the_same_id_and_shows_neither_who_nor_what(who: str, what: str) -> None:
    made = approval_id("CR", who, what)
    assert made == approval_id("CR", who, what)
    assert is_approval_id(made)
    assert len(made) == 29


@given(clean_text, clean_text, clean_text, clean_text)
def test_two_questions_have_two_ids(who: str, what: str, who2: str, what2: str) -> None:
    same = (who, what) == (who2, what2)
    assert (approval_id("CR", who, what) == approval_id("CR", who2, what2)) == same


def test_who_and_what_cannot_run_into_each_other() -> None:
    assert approval_id("CR", "p-1", "2") != approval_id("CR", "p-", "12")


def test_an_approval_id_is_the_start_of_a_hash_in_letters() -> None:
    digest = hashlib.sha256(b"3:p-1req").digest()
    assert approval_id("WO", "p-1", "req") == "WO-" + base64.b32encode(digest).decode()[:26]
    assert CREDIT_PREFIX == "CR"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CR-",
        "CR-" + "A" * 25,
        "CR-" + "A" * 27,
        "cr-" + "A" * 26,
        "CR-" + "a" * 26,
        "CR-" + "1" * 26,
        "C-" + "A" * 26,
        "CR-" + "A" * 26 + "\n",
        " CR-" + "A" * 26,
    ],
)
def test_what_has_another_shape_is_no_approval_id(text: str) -> None:
    assert is_approval_id(text) is False
    assert is_approval_id("CR-" + "A" * 26) is True


@pytest.mark.parametrize("text", ["a", "Z9", "a.b_c:d-e", "x" * 100, "0"])
def test_a_request_id_of_plain_letters_is_taken(text: str) -> None:
    assert parse_request_id(text) == text
    assert parse_request_id(f" {text}\n") == text


@pytest.mark.parametrize(
    "text", ["", " ", "x" * 101, ".a", "-a", "a b", "a/b", "ä", "a\x00", "{{7*7}}", "=cmd()", "a\nb"]
)
def test_any_other_request_id_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_request_id(text)
    (problem,) = caught.value.problems
    assert (problem.field, problem.code) == ("request_id", "request_id_invalid")
    assert problem.message == (
        "Give a request id of 1 to 100 letters, digits or . _ : - so that asking twice stays one request."
    )


def test_ids_made_from_an_approvals_id_can_be_told_apart() -> None:
    assert effect_id("CR-1") == "EF-CR-1"
    assert idempotency_key("CR-1", 0) == "plixo-CR-1-r0"
    assert idempotency_key("CR-1", 1) == "plixo-CR-1-r1"
    assert workflow_of("CR-1") == "credit/CR-1"
