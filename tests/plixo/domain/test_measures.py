"""How long deciding takes."""

from datetime import UTC, datetime, timedelta

from plixo.domain.measures import Decided, Pace, Waits, months, paces
from plixo.domain.people import Group

NOON = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)


def decided(hours: float, group: Group = Group.CONTROLLER) -> Decided:
    return Decided(group, NOON, NOON + timedelta(hours=hours), 8)


def test_half_and_nine_in_ten_are_within_and_what_came_after_it_was_due_is_late() -> None:
    found = [decided(hours) for hours in (10, 1, 2, 3, 4, 5, 6, 7, 8, 9)]
    assert paces(found) == (Pace(Group.CONTROLLER, 10, 5.5, 9.0, 2),)
    assert paces([decided(8)])[0].late == 0
    assert paces([decided(3)]) == (Pace(Group.CONTROLLER, 1, 3.0, 3.0, 0),)


def test_each_group_is_measured_by_itself_and_one_that_decided_nothing_is_left_out() -> None:
    found = paces([decided(4, Group.LEGAL), decided(2), decided(6, Group.LEGAL)])
    assert [(one.group, one.decisions, one.median_hours) for one in found] == [
        (Group.CONTROLLER, 1, 2.0),
        (Group.LEGAL, 2, 5.0),
    ]
    assert paces([]) == ()


def test_a_clock_that_was_behind_makes_no_time_negative() -> None:
    assert decided(-1).hours == 0
    assert not decided(-1).late


def test_months_end_with_this_one_and_begin_at_midnight() -> None:
    edges = months(NOON, 3)
    assert [f"{one:%Y-%m-%d %H:%M}" for one in edges] == [
        "2026-06-01 00:00",
        "2026-07-01 00:00",
        "2026-08-01 00:00",
        "2026-09-01 00:00",
    ]
    assert [f"{one:%Y-%m}" for one in months(datetime(2026, 1, 31, tzinfo=UTC), 2)] == ["2025-12", "2026-01", "2026-02"]


def test_who_is_asked_is_said_in_words() -> None:
    assert Waits((Group.CONTROLLER, Group.LEGAL), 1, 0).label == "Controller and Legal"
    assert Waits((), 1, 0).label == "Nobody"
