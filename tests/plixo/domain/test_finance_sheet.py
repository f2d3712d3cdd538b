"""A period's sheet: its days, its lines as a file, and what ties."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from plixo.domain.approval import State
from plixo.domain.effects import Amounts, EffectKind
from plixo.domain.finance_sheet import COLUMNS, Line, Period, csv_text, parse_period, tie, untied
from plixo.domain.money import Money
from plixo.domain.reconciling import Granted, Holding
from plixo.domain.refusals import Refused

TODAY = date(2026, 11, 22)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
WHEN = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)
LINE = Line(
    "CR-A", "credit", "Billing Admin", ("Controller",), "Goodwill", "Example", "INV-1",
    Amounts(250, 50, 300, "USD"), "cn_1", WHEN,
)  # fmt: skip
OURS = Granted("CR-A", "EF-CR-A", State.EXECUTED, EffectKind.CREDIT_NOTE, "cus_1", Money(300, "USD"), "cn_1")
STRANGER = "3.00 USD for cus_1, and no request here has this effect"
THEIRS = Holding("EF-CR-A", "cn_1", EffectKind.CREDIT_NOTE, "cus_1", Money(300, "USD"))


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("", "", "2026-11-01 to 2026-11-30"),
        ("2026-02-10", "", "2026-02-10 to 2026-02-28"),
        ("", "2026-11-10", "2026-11-01 to 2026-11-10"),
        (" 2026-01-01 ", "2026-12-31", "2026-01-01 to 2026-12-31"),
        ("2028-01-01", "2028-12-31", "2028-01-01 to 2028-12-31"),
        ("2026-11-05", "2026-11-05", "2026-11-05 to 2026-11-05"),
    ],
)
def test_a_period_is_this_month_unless_days_are_named(first: str, last: str, days: str) -> None:
    assert parse_period(first, last, TODAY).name == days


@pytest.mark.parametrize(
    ("first", "last", "field", "code"),
    [
        ("soon", "", "from", "date_invalid"),
        ("2026-11-01", "2026-02-30", "to", "date_invalid"),
        ("0001-01-01", "", "from", "date_invalid"),
        ("1999-12-31", "2000-01-01", "from", "date_invalid"),
        ("9999-12-31", "", "from", "date_invalid"),
        ("2026-11-02", "2026-11-01", "to", "period_backwards"),
        ("2025-01-01", "2026-01-02", "to", "period_too_long"),
    ],
)
def test_days_that_make_no_period_are_refused_by_name(first: str, last: str, field: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_period(first, last, TODAY)
    assert [(one.field, one.code) for one in refused.value.problems] == [(field, code)]


def test_the_last_day_belongs_to_it_whole() -> None:
    assert NOVEMBER.since in NOVEMBER
    assert NOVEMBER.until - timedelta(microseconds=1) in NOVEMBER
    assert NOVEMBER.until not in NOVEMBER
    assert NOVEMBER.since - timedelta(microseconds=1) not in NOVEMBER


def test_what_stripe_holds_ties() -> None:
    sheet = tie(NOVEMBER, [LINE], [OURS], [THEIRS])
    assert sheet.ties
    (total,) = sheet.totals
    assert (total.net_minor, total.tax_minor, total.gross_minor, total.held_minor) == (250, 50, 300, 300)
    assert total.difference == Money(0, "USD")


def test_each_currency_has_its_own_total() -> None:
    euros = replace(LINE, approval_id="CR-B", amounts=Amounts(100, 0, 100, "EUR"), stripe_id="cn_2")
    ours = replace(OURS, approval_id="CR-B", effect_id="EF-CR-B", amount=Money(100, "EUR"), object_id="cn_2")
    theirs = replace(THEIRS, effect_id="EF-CR-B", object_id="cn_2", amount=Money(100, "EUR"))
    sheet = tie(NOVEMBER, [LINE, euros, LINE], [OURS, ours], [THEIRS, theirs])
    assert [(one.currency, one.gross_minor, one.held_minor) for one in sheet.totals] == [
        ("EUR", 100, 100),
        ("USD", 600, 300),
    ]
    assert not sheet.ties


@pytest.mark.parametrize(
    ("line", "ours", "theirs", "why"),
    [
        (LINE, OURS, [], "applied here with 3.00 USD, and Stripe shows no such object"),
        (LINE, OURS, [replace(THEIRS, stands=False)], "voided in Stripe since"),
        (LINE, OURS, [THEIRS, replace(THEIRS, object_id="cn_2")], "a second object of the same effect"),
        (LINE, OURS, [THEIRS, replace(THEIRS, effect_id="EF-X")], STRANGER),
        (
            replace(LINE, amounts=Amounts(250, 51, 301, "USD")),
            OURS,
            [THEIRS],
            "the sheet has 3.01 USD, and 3.00 USD was approved",
        ),
    ],
)  # fmt: skip
def test_what_does_not_tie_is_named_with_the_reason(line: Line, ours: Granted, theirs: list[Holding], why: str) -> None:
    sheet = tie(NOVEMBER, [line], [ours], theirs)
    assert [one.why for one in sheet.differences] == [why]
    assert not sheet.ties


def test_what_is_being_applied_is_under_way_and_not_counted() -> None:
    moving = replace(OURS, approval_id="CR-B", effect_id="EF-CR-B", state=State.EXECUTING)
    sheet = tie(NOVEMBER, [LINE], [OURS, moving], [THEIRS, replace(THEIRS, effect_id="EF-CR-B")])
    assert (sheet.ties, sheet.under_way) == (True, ("CR-B",))


def test_without_stripe_nothing_is_said_to_tie() -> None:
    for lines in ([LINE], []):
        sheet = untied(NOVEMBER, lines, "away")
        assert not sheet.ties
        assert [(one.gross_minor, one.held_minor, one.difference) for one in sheet.totals] == [(300, None, None)] * len(
            lines
        )


def test_the_file_has_every_column_and_runs_nothing() -> None:
    evil = replace(LINE, customer='=HYPERLINK("http://evil.example")', reason="+1", invoice="", approvers=())
    text = csv_text([LINE.row(), evil.row()])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0] == LINE.row() | {"payout": "'-"}
    assert (rows[0]["net"], rows[0]["tax"], rows[0]["gross"], rows[0]["when"]) == (
        "2.50",
        "0.50",
        "3.00",
        "2026-11-05T09:00:00+00:00",
    )
    assert rows[1]["customer"] == '\'=HYPERLINK("http://evil.example")'
    assert (rows[1]["reason"], rows[1]["invoice"], rows[1]["approvers"]) == ("'+1", "", "automatic")
