from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.credit import MAX_MEMO, CreditForm, TypedCredit, parse_credit
from plixo.domain.money import Money
from plixo.domain.reasons import Reason
from plixo.domain.refusals import Refused
from plixo.domain.texts import MAX_NOTE, parse_text

SOUND = CreditForm(
    customer="cus_ExampleLogistics",
    amount="4,200.00",
    currency="usd",
    reason="service_outage",
    request_id="may-outage",
    invoice="in_0001",
    note="The outage of May.",
    memo="With our apologies.",
)


def problems(**fields: str) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as caught:
        parse_credit(replace(SOUND, **fields))
    return [(problem.field, problem.code, problem.message) for problem in caught.value.problems]


def test_a_sound_form_is_read_field_by_field() -> None:
    expected = TypedCredit(
        customer_id="cus_ExampleLogistics",
        amount=Money(420_000, "USD"),
        reason=Reason.SERVICE_OUTAGE,
        request_id="may-outage",
        invoice_id="in_0001",
        note="The outage of May.",
        memo="With our apologies.",
    )
    assert parse_credit(SOUND) == expected


def test_blanks_around_a_field_and_the_case_of_a_code_mean_nothing() -> None:
    blank = {name: f"  {value}\n" for name, value in vars(SOUND).items()}
    assert parse_credit(CreditForm(**{**blank, "reason": " Service_OUTAGE "})) == parse_credit(SOUND)


@pytest.mark.parametrize("invoice", ["", "  "])
def test_without_an_invoice_it_goes_to_the_customers_balance(invoice: str) -> None:
    assert parse_credit(replace(SOUND, invoice=invoice)).invoice_id == ""


def test_everything_that_is_wrong_is_named_at_once_in_the_order_of_the_form() -> None:
    wrong = problems(
        customer="", invoice="ch_1", currency="XXQ", amount="0", reason="", note="\x00", memo="{{7*7}}", request_id=""
    )
    fields = [field for field, _code, _message in wrong]
    assert fields == ["customer", "invoice", "currency", "amount", "reason", "note", "memo", "request_id"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"customer": " "},
            ("customer", "customer_missing", "Choose the customer; Stripe's ids start with cus_."),
        ),
        (
            {"customer": "in_0001"},
            ("customer", "customer_invalid", "That is no customer id; Stripe's start with cus_."),
        ),
        (
            {"customer": "cus_a b"},
            ("customer", "customer_invalid", "That is no customer id; Stripe's start with cus_."),
        ),
        (
            {"customer": "cus_" + "a" * 97},
            ("customer", "customer_invalid", "That is no customer id; Stripe's start with cus_."),
        ),
        ({"invoice": "0001"}, ("invoice", "invoice_invalid", "That is no invoice id; Stripe's start with in_.")),
        ({"reason": " "}, ("reason", "reason_missing", "Choose a reason; who decides depends on it.")),
        (
            {"reason": "because"},
            (
                "reason",
                "reason_unknown",
                f"That is no reason code; choose one of {', '.join(reason.value for reason in Reason)}.",
            ),
        ),
        (
            {"note": "n" * (MAX_NOTE + 1)},
            ("note", "note_too_long", "Keep the note under 2,000 characters."),
        ),
        (
            {"memo": "m" * (MAX_MEMO + 1)},
            ("memo", "memo_too_long", "Keep the memo under 300 characters."),
        ),
        (
            {"reason": "other", "note": "n" * 19},
            (
                "note",
                "note_too_short",
                "The reason 'other' needs a note of 20 characters or more that says why.",
            ),
        ),
        (
            {"memo": "a\u202eb"},
            ("memo", "memo_control_characters", "The memo holds control characters; type it as plain text."),
        ),
        (
            {"memo": "@SUM(A1)"},
            ("memo", "memo_not_plain", "The memo looks like a template or a formula; write it in words."),
        ),
    ],
)
def test_a_wrong_field_is_refused_in_words_that_help(fields: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert problems(**fields) == [expected]


@pytest.mark.parametrize(
    "fields",
    [
        {"customer": "cus_" + "a" * 96},
        {"note": "n" * MAX_NOTE},
        {"memo": "m" * MAX_MEMO},
        {"reason": "OTHER ", "note": "n" * 20},
        {"reason": "goodwill", "note": ""},
    ],
)
def test_what_is_just_within_its_bounds_is_taken(fields: dict[str, str]) -> None:
    parse_credit(replace(SOUND, **fields))


def test_a_wrong_currency_does_not_hide_a_wrong_amount_nor_blame_a_right_one() -> None:
    assert [field for field, *_ in problems(currency="XXQ")] == ["currency"]
    assert [field for field, *_ in problems(currency="XXQ", amount="-1")] == ["currency", "amount"]


def test_a_wrong_reason_asks_for_no_note_and_a_wrong_note_is_named_once() -> None:
    assert [field for field, *_ in problems(reason="because", note="")] == ["reason"]
    assert [code for _, code, _ in problems(reason="other", note="=1+1")] == ["note_not_plain"]


@pytest.mark.parametrize("mark", ["{{", "}}", "{%", "%}", "\x00", "\x07", "\x1b[0m", "\u200e", "\u2069", "\ud800"])
def test_marks_that_mean_something_to_a_machine_are_refused_wherever_they_stand(mark: str) -> None:
    for text in (f"a{mark}", f"{mark}b", f"a {mark} b"):
        with pytest.raises(Refused):
            parse_text(text, "note", 100)


def test_a_lone_carriage_return_is_no_line() -> None:
    with pytest.raises(Refused):
        parse_text("a\rb", "note", 100)


@pytest.mark.parametrize("start", "=+@")
def test_what_starts_a_formula_is_refused_at_the_start_alone(start: str) -> None:
    assert parse_text(f"1 {start} 1", "note", 100) == f"1 {start} 1"
    with pytest.raises(Refused):
        parse_text(f"  {start}1", "note", 100)


def test_lines_and_tabs_stay_and_letters_are_composed() -> None:
    assert parse_text(" a\r\nb\tc\n", "note", 100) == "a\nb\tc"
    assert parse_text("e\u0301", "note", 100) == "\u00e9"


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="{}%=+@"), max_size=100))
def test_plain_words_of_any_language_are_taken_and_stay_as_they_are_when_read_again(text: str) -> None:
    once = parse_text(text, "note", 100)
    assert parse_text(once, "note", 200) == once
