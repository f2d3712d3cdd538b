from datetime import UTC, datetime, timedelta

from plixo.domain.facts import Sums
from plixo.domain.tally import Tally

NOON = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def filled(**changed: object) -> Tally:
    tally = Tally(30)
    told = {"automatic": True, "until": None, **changed}
    tally.add("ada", "cus_1", 100, NOON, **told)  # type: ignore[arg-type]
    return tally


def test_what_was_granted_counts_for_requester_customer_and_day() -> None:
    tally = filled()
    assert tally.before("ada", "cus_1", NOON) == Sums(100, 100, 100, 100, 100)
    assert tally.before("ada", "cus_2", NOON) == Sums(100, 0, 0, 100, 100)
    assert tally.before("bob", "cus_1", NOON) == Sums(0, 100, 100, 100, 0)
    assert tally.before("ada", "cus_1", NOON + DAY) == Sums(100, 100, 100, 0, 0)


def test_what_somebody_was_asked_about_is_in_no_automatic_sum() -> None:
    assert filled(automatic=False).before("ada", "cus_1", NOON) == Sums(0, 0, 100, 100, 100)


def test_the_window_holds_its_first_moment_and_nothing_before() -> None:
    tally = filled()
    assert tally.before("ada", "cus_1", NOON + 30 * DAY).customer_all == 100
    assert tally.before("ada", "cus_1", NOON + 30 * DAY + timedelta(microseconds=1)) == Sums()


def test_what_was_rejected_counted_until_then() -> None:
    tally = filled(until=NOON + timedelta(hours=2))
    assert tally.before("ada", "cus_1", NOON + timedelta(hours=1)) == Sums(100, 100, 100, 100, 100)
    assert tally.before("ada", "cus_1", NOON + timedelta(hours=2)) == Sums()
