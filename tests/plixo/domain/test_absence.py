"""Who is away, and who decides in their place."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from plixo.domain.absence import (
    LONGEST_CHAIN,
    Absence,
    absence_claims,
    absence_from_claims,
    away,
    away_between,
    check_absence,
    check_return,
    ended,
    first_day,
    in_place_of,
)
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Conflict, NotAllowed, Refused

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def person(name: str, *groups: Group, **more: object) -> Person:
    made = Person(name, name, f"{name}@plixo.example", frozenset(groups or {Group.FINANCE}))
    return replace(made, **more)  # type: ignore[arg-type] # a field's own


def absence(who: str, delegate: str, since: float = 0, days: float = 5, by: str = "") -> Absence:
    begins = NOON + since * DAY
    return Absence(f"AB-{who}-{delegate}-{since}", who, delegate, begins, begins + days * DAY, by or who)


def code(kind: type[Refused], new: Absence, *others: Absence, **people: Person) -> str:
    known = {name: person(name, Group.CONTROLLER) for name in "abcdefgh"} | people
    with pytest.raises(kind) as caught:
        check_absence(new, known, others)
    return caught.value.code


def test_an_absence_covers_from_its_first_second_to_the_one_before_its_last() -> None:
    one = absence("a", "b", days=1)
    second = timedelta(seconds=1)
    moments = (one.since - second, one.since, one.until - second, one.until)
    assert [one.covers(moment) for moment in moments] == [False, True, True, False]


def test_whoever_is_back_earlier_is_away_no_longer() -> None:
    one = ended(absence("a", "b"), NOON + DAY)
    assert (one.covers(NOON), one.covers(NOON + DAY), one.over) == (True, False, NOON + DAY)
    assert ended(absence("a", "b"), NOON + 9 * DAY).over == NOON + 5 * DAY


def test_what_is_signed_says_it_all_but_when_it_ended() -> None:
    one = absence("a", "b", by="c")
    assert absence_from_claims(absence_claims(one)) == absence_from_claims(absence_claims(ended(one, NOON))) == one


def test_a_chain_is_followed_to_who_is_there() -> None:
    gone = [absence("a", "b"), absence("b", "c"), absence("c", "d", since=1)]
    assert in_place_of(gone, "a", NOON) == ("b", "c")
    assert in_place_of(gone, "a", NOON + DAY) == ("b", "c", "d")
    assert (in_place_of(gone, "d", NOON), away(gone, "d", NOON)) == ((), None)


def test_a_chain_ends_at_its_fifth_and_a_circle_leads_to_nobody() -> None:
    names = "abcdefg"
    gone = [absence(one, other) for one, other in itertools.pairwise(names)]
    assert in_place_of(gone[:LONGEST_CHAIN], "a", NOON) == tuple("bcdef")
    assert in_place_of(gone[: LONGEST_CHAIN + 1], "a", NOON) == ()
    assert in_place_of([absence("a", "b"), absence("b", "a")], "a", NOON) == ()
    assert in_place_of([absence("a", "b"), absence("b", "c"), absence("c", "b")], "a", NOON) == ()


def test_a_circle_is_refused_when_it_is_entered_and_only_where_the_times_meet() -> None:
    assert code(Refused, absence("b", "a"), absence("a", "b")) == "absence_loop"
    assert code(Refused, absence("c", "a"), absence("a", "b"), absence("b", "c")) == "absence_loop"
    people = {name: person(name, Group.CONTROLLER) for name in "abc"}
    check_absence(absence("b", "a", since=5), people, [absence("a", "b")])
    check_absence(absence("b", "a"), people, [ended(absence("a", "b"), NOON)])
    parted = [absence("a", "b", days=2), absence("b", "c", since=2, days=2)]
    check_absence(absence("c", "a", days=4), people, parted)


def test_a_sixth_in_a_row_is_refused_when_it_is_entered() -> None:
    names = "bcdefg"
    others = [absence(one, other) for one, other in itertools.pairwise(names)]
    people = {name: person(name, Group.CONTROLLER) for name in "abcdefg"}
    check_absence(absence("a", "b"), people, others[:-1])
    assert code(Refused, absence("a", "b"), *others) == "absence_chain"


def test_two_absences_of_one_person_do_not_meet() -> None:
    first = absence("a", "b")
    assert code(Conflict, absence("a", "c", since=4), first) == "absence_overlaps"
    people = {name: person(name, Group.CONTROLLER) for name in "abc"}
    check_absence(absence("a", "c", since=5), people, [first])


@pytest.mark.parametrize(
    ("delegate", "expected"),
    [
        (person("b", active=False), "delegate_unable"),
        (person("b", Group.SUPPORT), "delegate_unable"),
    ],
    ids=["gone", "support"],
)
def test_who_stands_in_works_here_and_may_see_requests(delegate: Person, expected: str) -> None:
    assert code(Refused, absence("a", "b"), b=delegate) == expected


def test_nobody_stands_in_for_themselves_or_is_sent_away_by_a_colleague() -> None:
    assert code(Refused, absence("a", "a")) == "delegate_self"
    assert code(NotAllowed, absence("a", "b", by="c")) == "not_yours"
    assert code(Refused, absence("a", "b"), a=person("a", active=False)) == "not_active"


def test_an_administrator_names_approvers_or_whom_the_directory_names_and_never_themselves() -> None:
    admin = person("x", Group.ADMINISTRATOR)
    finance, controller = person("b"), person("a", Group.CONTROLLER)
    entered = absence("a", "b", by="x")
    assert code(NotAllowed, absence("a", "x", by="x"), x=admin) == "delegate_self"
    assert code(NotAllowed, entered, x=admin, b=finance, a=controller) == "delegate_not_approver"
    check_absence(entered, {"a": replace(controller, delegate_id="b"), "b": finance, "x": admin}, [])
    check_absence(entered, {"a": controller, "b": person("b", Group.LEGAL), "x": admin}, [])
    check_absence(entered, {"a": person("a"), "b": finance, "x": admin}, [])


def test_dates_are_days_of_the_one_who_is_away() -> None:
    tokyo = person("a", time_zone="Asia/Tokyo")
    since, until = away_between(tokyo, date(2026, 11, 25), date(2026, 11, 26), NOON)
    assert (since, until) == (datetime(2026, 11, 24, 15, tzinfo=UTC), datetime(2026, 11, 26, 15, tzinfo=UTC))
    today, _ = away_between(tokyo, date(2026, 11, 23), date(2026, 11, 23), NOON + timedelta(microseconds=7))
    assert today == NOON, "what is left of today, to the second"


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 11, 22), date(2026, 11, 30), ("from", "absence_past")),
        (date(2026, 11, 25), date(2026, 11, 24), ("until", "absence_backwards")),
        (date(2026, 11, 23), date(2027, 11, 24), ("until", "absence_too_long")),
        (date(2027, 11, 25), date(2027, 11, 26), ("until", "absence_too_long")),
    ],
    ids=["past", "backwards", "long", "far"],
)
def test_days_that_nobody_can_be_away_are_refused(first: date, last: date, expected: tuple[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        away_between(person("a"), first, last, NOON)
    assert (caught.value.problems[0].field, caught.value.code) == expected


def test_a_date_reads_like_one() -> None:
    assert first_day(" 2026-11-23 ", "from") == date(2026, 11, 23)
    for text in ("", "23.11.2026", "2026-13-01", "tomorrow"):
        with pytest.raises(Refused):
            first_day(text, "from")


def test_days_away_are_whole_days_by_the_persons_clock_and_the_one_it_begins_on() -> None:
    one = Absence("AB", "a", "b", NOON, datetime(2026, 11, 26, tzinfo=UTC), "a")
    assert sorted(one.days("UTC")) == [date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)]
    assert sorted(ended(one, NOON + DAY).days("UTC")) == [date(2026, 11, 23)]
    assert sorted(one.days("No/Zone")) == sorted(one.days("UTC"))


def test_people_end_their_own_absence_and_administrators_anybodys_while_it_lasts() -> None:
    one = absence("a", "b")
    assert check_return(one, person("a"), NOON + timedelta(microseconds=3)) == NOON
    assert check_return(one, person("x", Group.ADMINISTRATOR), NOON) == NOON
    with pytest.raises(NotAllowed):
        check_return(one, person("b"), NOON)
    with pytest.raises(Conflict):
        check_return(one, person("a"), one.until)
