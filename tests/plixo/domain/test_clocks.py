from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from plixo.domain.business_time import WEEKDAYS, Calendar
from plixo.domain.clocks import Event, Happening, Moments, office, repeated, stage_moments
from plixo.domain.path import Clock, Escalation, Seat, Stage
from plixo.domain.people import Group

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
MONDAY = datetime(2026, 8, 3, 9, tzinfo=UTC)
OFFICE = Calendar("UTC")
MORNINGS = Calendar("UTC", closes=time(13))
CLOCK = Clock(8, (4, 7), 40, 0, (Escalation(8, "delegate"), Escalation(16, "cfo")))
REMIND, ESCALATE = Happening.REMIND, Happening.ESCALATE


def at(day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(2026, 8, day, hour, minute, tzinfo=UTC).timestamp())


def one(clock: Clock = CLOCK) -> Stage:
    return Stage((Seat(C),), clock)


def test_one_person_is_reminded_and_others_let_in_in_their_own_hours() -> None:
    assert stage_moments(one(), [{"p-c": OFFICE}], MONDAY) == Moments(
        due=at(3, 17),
        expire=at(7, 17),
        events=(
            Event(at(3, 13), REMIND, C, 0, "p-c"),
            Event(at(3, 16), REMIND, C, 1, "p-c"),
            Event(at(3, 17), ESCALATE, C, 0),
            Event(at(4, 17), ESCALATE, C, 1),
        ),
    )


def test_a_stage_waits_for_the_hours_of_its_slowest_and_reminds_each_by_their_own() -> None:
    found = stage_moments(one(), [{"p-c": OFFICE, "p-half": MORNINGS}], MONDAY)
    assert (found.due, found.expire) == (at(4, 13), at(14, 13))
    assert [(event.at, event.person_id, event.nth) for event in found.events if event.what is REMIND] == [
        (at(3, 13), "p-c", 0),
        (at(3, 13), "p-half", 0),
        (at(3, 16), "p-c", 1),
        (at(4, 12), "p-half", 1),
    ]
    assert [event.at for event in found.events if event.what is ESCALATE] == [at(4, 13), at(6, 13)]


def test_each_seat_keeps_its_own_clock_and_the_stage_ends_with_the_last() -> None:
    slow = Clock(16, (8,), 80)
    stage = Stage((Seat(C), Seat(L)), slow, (CLOCK, slow))
    found = stage_moments(stage, [{"p-c": OFFICE}, {"p-l": OFFICE}], MONDAY)
    assert (found.due, found.expire) == (at(4, 17), at(14, 17))
    assert {event.group: event.at for event in found.events if event.nth == 0 and event.what is REMIND} == {
        C: at(3, 13),
        L: at(3, 17),
    }
    assert stage_moments(replace(stage, clocks=(replace(CLOCK, expire_hours=0), slow)), [{}, {}], MONDAY).expire == 0


def test_where_nobody_is_asked_the_offices_hours_count() -> None:
    clock = replace(CLOCK, office="Mon-Fri 12:00-16:00 UTC")
    found = stage_moments(one(clock), [{}], MONDAY)
    assert found.due == at(4, 16)
    assert found.events[0] == Event(at(3, 16), REMIND, C, 0, "")
    assert office(clock) == Calendar("UTC", time(12), time(16), WEEKDAYS)


def test_what_comes_next_is_the_earliest_that_concerns_who_is_waited_for() -> None:
    moments = Moments(9, 50, (Event(10, REMIND, C, 0, "p"), Event(20, REMIND, L, 0, "q"), Event(30, ESCALATE, C, 0)))
    assert moments.following([C, L]) == ("remind", 10)
    assert moments.following([L]) == ("remind", 20)
    assert replace(moments, events=moments.events[1:]).following([C]) == ("escalate", 30)
    assert moments.following([CFO]) == ("expire", 50)
    assert replace(moments, expire=5).following([C]) == ("expire", 5)
    assert replace(moments, expire=0).following([CFO]) == ("nothing", 0)
    assert moments.upcoming([C]) == (moments.events[0], moments.events[2])


@pytest.mark.parametrize("turned", [False, True])
def test_at_one_moment_people_are_reminded_before_others_are_let_in_and_both_before_it_ends(*, turned: bool) -> None:
    both = (Event(10, REMIND, C, 0, "p"), Event(10, ESCALATE, C, 0))
    moments = Moments(9, 10, both[::-1] if turned else both)
    assert moments.following([C]) == ("remind", 10)
    assert Moments(9, 10, both[1:]).following([C]) == ("escalate", 10)
    assert Moments(9, 10).following([C]) == ("expire", 10)


def test_moments_come_back_as_they_were_kept() -> None:
    found = stage_moments(one(), [{"p-c": OFFICE}], MONDAY)
    assert Moments.from_claims(found.to_claims()) == found
    assert found.to_claims()["events"][0] == [at(3, 13), "remind", "controller", 0, "p-c"]
    assert {key: found.to_claims()[key] for key in ("due", "expire")} == {"due": found.due, "expire": found.expire}


@pytest.mark.parametrize(
    "broken",
    [{}, {"due": 1, "expire": 2}, {"due": "soon", "expire": 2, "events": []}, {"due": 1, "expire": 2, "events": [[1]]}],
)
def test_moments_that_are_none_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        Moments.from_claims(broken)


def test_after_the_last_reminder_it_goes_on_every_so_many_hours_past_what_was_missed() -> None:
    clock = replace(CLOCK, remind_every=8)
    last = Event(at(3, 16), REMIND, C, 1, "p-c")
    now = MONDAY + timedelta(hours=7)
    assert repeated(last, clock, OFFICE, now) == Event(at(4, 16), REMIND, C, 2, "p-c")
    assert repeated(last, clock, OFFICE, now + timedelta(days=1)) == Event(at(5, 16), REMIND, C, 3, "p-c")
    assert repeated(last, clock, OFFICE, now + timedelta(days=7)) == Event(at(11, 16), REMIND, C, 7, "p-c")
    assert repeated(last, CLOCK, OFFICE, now) is None
    assert repeated(replace(last, nth=0), clock, OFFICE, now) is None
    again = replace(last, at=at(4, 16), nth=2)
    assert repeated(again, clock, OFFICE, now + timedelta(days=1)) == Event(at(5, 16), REMIND, C, 3, "p-c")
