from dataclasses import replace

import pytest

from plixo.domain.approval import Approval
from plixo.domain.decision import Decision, Verdict
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict, Problem, Refused
from plixo.domain.several import MOST, Shown, chosen, sums

DIGEST = "0f" * 32
STAGE = Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), Clock(8, (4,), 40))
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def request_id(number: int = 0) -> str:
    return f"CR-{LETTERS[number // 32] * 25}{LETTERS[number % 32]}"


WAITING = Approval(request_id(), "p-admin", DIGEST, 420_000, ApprovalPath("r", "w", (STAGE,)), "credit").opened()


def approved(amount_minor: int) -> Approval:
    said = Decision("DE-1", request_id(), 0, 0, "p-legal", Group.LEGAL, Verdict.APPROVE, DIGEST, amount_minor)
    return WAITING.decided(said)


def problem(refusal: Refused) -> Problem:
    (found,) = refusal.problems
    return found


def test_what_was_shown_is_the_round_the_fingerprint_and_what_is_left_of_the_amount() -> None:
    assert Shown.of(WAITING) == Shown(request_id(), 0, DIGEST, 420_000)
    assert Shown.of(approved(300_000)) == Shown(request_id(), 0, DIGEST, 300_000)
    assert Shown.of(replace(WAITING, round=3)).round == 3


def test_a_form_brings_back_what_was_shown() -> None:
    shown = Shown(request_id(), 12, DIGEST, 300_000)
    assert shown.token == f"{request_id()}/12/{DIGEST}/300000"
    assert Shown.parse(shown.token) == shown


@pytest.mark.parametrize(
    "token",
    [
        "",
        request_id(),
        f"{request_id()}/0/{DIGEST}",
        f"{request_id()}/0/{DIGEST}/",
        f"{request_id()}/-1/{DIGEST}/1",
        f"{request_id()}/0/{DIGEST}/-1",
        f"{request_id()}/0/{DIGEST[1:]}/1",
        f"{request_id()}/0/{DIGEST.upper()}/1",
        f"{request_id()}/0/{DIGEST}/1/",
        f" {request_id()}/0/{DIGEST}/1",
        f"{request_id()}/0/{DIGEST}/1\n",
        f"{request_id()}/٣/{DIGEST}/1",
        f"{request_id()}/0/{DIGEST}/{'9' * 13}",
        f"{request_id()}/{'9' * 10}/{DIGEST}/1",
        f"CR-1/0/{DIGEST}/1",
    ],
)
def test_what_no_page_says_is_refused(token: str) -> None:
    with pytest.raises(Refused) as caught:
        Shown.parse(token)
    assert problem(caught.value) == Problem("row", "row_unreadable", "No page says this; tick the requests again.")


def test_what_stands_as_it_was_shown_may_be_decided() -> None:
    Shown.of(WAITING).check(WAITING)
    Shown.of(approved(300_000)).check(approved(300_000))
    Shown.of(WAITING).check(approved(420_000))


@pytest.mark.parametrize(
    "now", [replace(WAITING, round=1), replace(WAITING, digest="1e" * 32)], ids=["another round", "another fingerprint"]
)
def test_a_request_that_is_another_one_by_now_is_not_decided(now: Approval) -> None:
    with pytest.raises(Conflict) as caught:
        Shown.of(WAITING).check(now)
    said = "The request has changed since; read it again."
    assert problem(caught.value) == Problem("decision", "decision_out_of_date", said)


@pytest.mark.parametrize(("shown", "now"), [(WAITING, approved(300_000)), (approved(300_000), WAITING)])
def test_another_amount_than_the_one_that_was_shown_is_not_decided(shown: Approval, now: Approval) -> None:
    with pytest.raises(Conflict) as caught:
        Shown.of(shown).check(now)
    said = "Another amount is asked for by now; read it again."
    assert problem(caught.value) == Problem("amount", "amount_changed", said)


def test_what_is_ticked_counts_once_and_in_its_order() -> None:
    assert chosen([request_id(2), request_id(1), request_id(2)]) == (request_id(2), request_id(1))
    fifty = [request_id(number) for number in range(MOST)]
    assert chosen([*fifty, fifty[0]]) == tuple(fifty)


@pytest.mark.parametrize(
    ("ids", "code", "said"),
    [
        ([], "none_ticked", "Tick the requests that you want to decide on first."),
        (
            [request_id(number) for number in range(51)],
            "too_many_ticked",
            "Decide on at most 50 requests at once; 51 are ticked.",
        ),
        ([request_id(), "x"], "id_unreadable", "One of them is no request's id; tick the requests again."),
        ([request_id() + "\n"], "id_unreadable", "One of them is no request's id; tick the requests again."),
    ],
    ids=["none", "too many", "not an id", "a line too many"],
)
def test_what_cannot_be_gone_through_with_says_why(ids: list[str], code: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        chosen(ids)
    assert problem(caught.value) == Problem("id", code, said)


def test_each_currency_has_a_sum_of_its_own() -> None:
    amounts = [Money(420_000, "USD"), Money(5000, "JPY"), Money(1, "USD"), Money(90_000, "EUR")]
    assert sums(amounts) == (Money(90_000, "EUR"), Money(5000, "JPY"), Money(420_001, "USD"))
    assert sums([]) == ()
