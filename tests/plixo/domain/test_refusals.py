import pytest

from plixo.domain.reasons import OTHER_NEEDS_NOTE, STRIPE_REASONS, Reason
from plixo.domain.refusals import Conflict, NotAllowed, NotFound, Problem, Refused


@pytest.mark.parametrize("kind", [Refused, NotAllowed, Conflict, NotFound])
def test_a_refusal_for_one_reason_keeps_its_kind_and_all_three_words(kind: type[Refused]) -> None:
    refusal = kind.one("amount", "amount_missing", "Give the amount.")
    assert type(refusal) is kind
    assert isinstance(refusal, Refused)
    assert refusal.problems == (Problem("amount", "amount_missing", "Give the amount."),)
    assert refusal.code == "amount_missing"
    assert str(refusal) == "Give the amount."


def test_a_refusal_says_everything_wrong_and_branches_on_the_first() -> None:
    refusal = Refused(Problem("a", "first", "One."), Problem("b", "second", "Two."))
    assert str(refusal) == "One.; Two."
    assert refusal.code == "first"
    assert [problem.field for problem in refusal.problems] == ["a", "b"]


def test_stripe_has_a_word_for_five_of_the_reasons() -> None:
    assert {reason.value: word for reason, word in STRIPE_REASONS.items()} == {
        "duplicate_charge": "duplicate",
        "fraud": "fraudulent",
        "plan_change": "order_change",
        "cancellation": "order_change",
        "service_outage": "product_unsatisfactory",
    }


def test_a_reason_is_read_as_words() -> None:
    assert Reason.DUPLICATE_CHARGE.label == "Duplicate charge"
    assert len(Reason) == 16
    assert OTHER_NEEDS_NOTE == 20
