import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.path import Clock, Escalation
from plixo.domain.people import Group
from plixo.policy.published import PolicyInvalid, PublishedPolicy, load_policy

SHIPPED = Path(__file__).parents[3] / "policies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copytree(SHIPPED, tmp_path / "policies")


def refusal(folder: Path) -> tuple[str, str, str]:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(folder)
    found = caught.value
    assert str(found).startswith(f"{found.file}: ")
    return found.file, found.field, found.problem


def edit(folder: Path, old: str, new: str, name: str = "limits.toml") -> None:
    text = (folder / name).read_text()
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new))


@pytest.mark.parametrize("name", ["limits.toml", "approvals.jdm.json"])
def test_a_missing_or_unreadable_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe")
    assert refusal(folder)[:2] == (name, "")
    (folder / name).unlink()
    file, field, problem = refusal(folder)
    assert (file, field) == (name, "")
    assert problem.startswith("cannot be read")


@pytest.mark.parametrize(("name", "says"), [("limits.toml", "is no TOML: "), ("approvals.jdm.json", "is no JSON: ")])
def test_a_file_that_cannot_be_parsed_is_named(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text("{")
    file, field, problem = refusal(folder)
    assert (file, field) == (name, "")
    assert problem.startswith(says)


WHOLE = "must be a whole number, 0 or more"
ONE = "must be a whole number, 1 or more"
EARLY = "must remind no later than it is due, and expire no earlier"
ORDER = "must be in the order of its hours, and go to nobody twice"
ONE_OF = "must be one of cfo, delegate, legal"


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ('base_currency = "USD"', "", "base_currency", "is missing"),
        (
            'base_currency = "USD"',
            'base_currency = "usd"',
            "base_currency",
            "must be a currency in capitals, such as USD",
        ),
        ('base_currency = "USD"', "base_currency = 7", "base_currency", "must be a currency in capitals, such as USD"),
        ('base_currency = "USD"', 'base_currency = "USD"\nextra = 1', "extra", "is unknown; here stand"),
        ("support = { credit = 0 }", "suport = { credit = 0 }", "authority.suport", "is no group; groups are support"),
        ("support = { credit = 0 }", "support = 0", "authority.support", "must be a table"),
        ("credit = 500 }", "credit = -500 }", "authority.billing_admin.credit", WHOLE),
        ("credit = 500 }", "credit = 500.5 }", "authority.billing_admin.credit", WHOLE),
        ("credit = 500 }", 'credit = "500" }', "authority.billing_admin.credit", WHOLE),
        ("credit = 500 }", "credit = true }", "authority.billing_admin.credit", WHOLE),
        ("credit = 500 }", "refnd = 500 }", "authority.billing_admin.refnd", "is no kind of request; kinds are credit"),
        ("controller = 25_000", "", "approve.credit.controller", "is missing"),
        ("legal = 5_000", "legal = 5_000\ncfo = 1", "approve.credit.cfo", "is unknown; here stand controller, legal"),
        ("legal = 5_000", "legal = -1", "approve.credit.legal", WHOLE),
        ("[approve.credit]", "[approve.crdit]", "approve.crdit", "is no kind of request; kinds are credit"),
        ("days = 30", "days = 0", "sums.days", ONE),
        ("customer_all = 25_000", "", "sums.customer_all", "is missing"),
        ("requester_automatic = 2_500", "requester_automatic = -1", "sums.requester_automatic", WHOLE),
        ("customer_automatic = 1_000", "customer_automatic = []", "sums.customer_automatic", WHOLE),
        ("company_day = 250_000", "company_day = -1", "ceilings.company_day", WHOLE),
        ("requester_day = 50_000", "", "ceilings.requester_day", "is missing"),
        ("[ceilings]", "[cielings]", "ceilings", "is missing"),
        ("[clocks.cfo]\ndue_hours = 16\nremind_hours = [8, 14]\nexpire_hours = 80", "", "clocks.cfo", "is missing"),
        ("[clocks.cfo]", "[clocks.cfoo]", "clocks.cfoo", "is no group; groups are support"),
        ("[clocks.cfo]", "[clocks.finance]", "clocks.finance", "is no group that approves"),
        ("due_hours = 8\n", "due_hours = 0\n", "clocks.controller.due_hours", ONE),
        ("due_hours = 8\n", "", "clocks.controller.due_hours", "is missing"),
        ("due_hours = 8\n", "due_hours = 3\n", "clocks.controller", EARLY),
        ("expire_hours = 40", "expire_hours = 7", "clocks.controller", EARLY),
        ("expire_hours = 40", "expire_hours = 10_001", "clocks.controller", EARLY),
        ("expire_hours = 40", "expire_hours = 15", "clocks.controller", "must remind and escalate before it expires"),
        ("expire_hours = 40", "expire_hours = -1", "clocks.controller.expire_hours", WHOLE),
        ("[4, 7]", "[4, 41]", "clocks.controller", "must remind and escalate before it expires"),
        ("[4, 7]", "[7, 4]", "clocks.controller.remind_hours", "must be hours in their order"),
        ("[4, 7]", "[]", "clocks.controller.remind_hours", "must be hours in their order"),
        ("[4, 7]", "[0, 7]", "clocks.controller.remind_hours", ONE),
        ("[4, 7]", '"4"', "clocks.controller.remind_hours", ONE),
        ("[4, 7]", "[4, 7]\nremind_every = -1", "clocks.controller.remind_every", WHOLE),
        ("[4, 7]", "[4, 7]\nnudge = 1", "clocks.controller.nudge", "is unknown; here stand due_hours"),
        ('after_hours = 16, to = "cfo"', 'after_hours = 8, to = "cfo"', "clocks.controller.escalation", ORDER),
        ('after_hours = 16, to = "cfo"', 'after_hours = 9, to = "delegate"', "clocks.controller.escalation", ORDER),
        ('after_hours = 16, to = "cfo"', 'after_hours = 9, to = "finance"', "clocks.controller.escalation.to", ONE_OF),
        (
            'after_hours = 16, to = "cfo"',
            'after_hours = 9, to = "controller"',
            "clocks.controller.escalation.to",
            ONE_OF,
        ),
        ('after_hours = 16, to = "cfo"', "after_hours = 9", "clocks.controller.escalation.to", "is missing"),
        (
            'after_hours = 16, to = "cfo"',
            'after_hours = 0, to = "cfo"',
            "clocks.controller.escalation.after_hours",
            ONE,
        ),
        ("Mon-Fri 09:00-17:00 UTC", "always", "office", "always does not read like"),
        ("Mon-Fri 09:00-17:00 UTC", "Mon-Fri 09:00-17:00 Mars", "office", "Mars is no IANA time zone"),
        ('"Mon-Fri 09:00-17:00 UTC"', "9", "office", "must be hours of an office"),
        ("rate_days = 7", "rate_days = 0", "rules.rate_days", ONE),
        ("fresh_sign_in_above = 10_000", "fresh_sign_in_above = -1", "rules.fresh_sign_in_above", WHOLE),
        ("fresh_sign_in_minutes = 15", "fresh_sign_in_minutes = 0", "rules.fresh_sign_in_minutes", ONE),
        ("fresh_sign_in_minutes = 15", "", "rules.fresh_sign_in_minutes", "is missing"),
    ],
)
def test_a_wrong_limit_is_named_with_what_would_be_right(
    folder: Path, old: str, new: str, field: str, problem: str
) -> None:
    edit(folder, old, new)
    file, found, says = refusal(folder)
    assert (file, found) == ("limits.toml", field)
    assert says.startswith(problem)


def test_the_edges_of_a_clock_are_allowed(folder: Path) -> None:
    edit(
        folder,
        """due_hours = 8
remind_hours = [4, 7]
escalation = [{ after_hours = 8, to = "delegate" }, { after_hours = 16, to = "cfo" }]
expire_hours = 40""",
        """due_hours = 8
remind_hours = 8
escalation = [{ after_hours = 8, to = "legal" }]
expire_hours = 8""",
    )
    assert load_policy(folder).limits("credit").clocks[Group.CONTROLLER].escalations == (Escalation(8, "legal"),)


def test_a_clock_may_never_end_and_remind_for_ever(folder: Path) -> None:
    edit(folder, "expire_hours = 40", "expire_hours = 0\nremind_every = 40")
    clock = load_policy(folder).limits("credit").clocks[Group.CONTROLLER]
    assert (clock.expire_hours, clock.remind_every, clock.remind_hours) == (0, 40, (4, 7))


def test_a_policy_that_was_published_before_clocks_could_say_more_is_still_read(folder: Path) -> None:
    plain = json.loads(load_policy(folder).content)
    del plain["limits"]["office"]
    for name in plain["limits"]["clocks"]:
        plain["limits"]["clocks"][name] = {"due_hours": 8, "remind_hours": 4, "expire_hours": 40}
    older = PublishedPolicy.from_content(json.dumps(plain), 1)
    assert older.limits("credit").clocks[Group.LEGAL] == Clock(8, (4,), 40)


def test_amounts_follow_the_decimals_of_the_base_currency(folder: Path) -> None:
    edit(folder, '"USD"', '"JPY"')
    policy = load_policy(folder)
    assert policy.base_currency == "JPY"
    assert policy.limits("credit").controller_alone == 25_000
    assert policy.fresh_sign_in_above == 10_000


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "approvals.jdm.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def rule(table: dict[str, Any], name: str) -> dict[str, Any]:
    rows = [row for node in table["nodes"][1:3] for row in node["content"]["rules"]]
    found: dict[str, Any] = next(row for row in rows if row["_id"] == name)
    return found


@pytest.mark.parametrize(
    ("name", "cell", "value", "field", "problem"),
    [
        (
            "above-controller",
            "in-amount",
            "> limits.controler",
            "route.above-controller: Amount",
            "limits.controler is nothing a request or a limit has",
        ),
        ("above-authority", "in-amount", "> authorty", "route.above-authority: Amount", "authorty is nothing"),
        ("above-authority", "in-amount", "> limits", "route.above-authority: Amount", "limits is nothing"),
        ("above-controller", "in-amount", "> limits.", "route.above-controller: Amount", '{"type":"parserError"'),
        ("fraud", "in-reason", '"fraud', "route.fraud: Reason", '{"type":"'),
        ("fraud", "out-route", "both)", "route.fraud: Route", '{"type":"'),
        (
            "company-day",
            "in-company_day",
            "> limits.day",
            "ceiling.company-day: Company, today",
            "limits.day is nothing",
        ),
    ],
)
def test_a_cell_that_the_engine_would_pass_over_in_silence_is_refused(
    folder: Path, *, name: str, cell: str, value: str, field: str, problem: str
) -> None:
    rewrite(folder, lambda table: rule(table, name).update({cell: value}))
    file, found, says = refusal(folder)
    assert (file, found) == ("approvals.jdm.json", field)
    assert says.startswith(problem)
    assert "backtrace" not in says


@pytest.mark.parametrize(
    "cell", ["[1..5]", "> 3", "not in [1, 2]", "> authority and < limits.legal", "[limits.legal..limits.controller]"]
)
def test_other_conditions_that_the_engine_knows_are_allowed(folder: Path, cell: str) -> None:
    rewrite(folder, lambda table: rule(table, "customer-sum").update({"in-amount": cell}))
    load_policy(folder)


@pytest.mark.parametrize(
    "cell",
    [
        "len(map([1..1000000], #)) > 0",
        "len(filter([1..1000], len(filter([1..200], # > 0)) > 0)) > 0",
        "> abs(authority)",
        "in [1..100000]",
        "not in [1..5]",
        "[1..5] or [1..100000]",
        "> 9 ** 9 ** 9",
        "> 9 ^ 9 ^ 9",
        "> `${authority}`",
        "> 1" + " or > 1" * 200,
    ],
)
def test_a_condition_that_could_run_for_long_is_refused_with_its_cell(folder: Path, cell: str) -> None:
    rewrite(folder, lambda table: rule(table, "customer-sum").update({"in-amount": cell}))
    assert refusal(folder)[:2] == ("approvals.jdm.json", "route.customer-sum: Amount")


@pytest.mark.parametrize("cell", ["len(map([1..1000000], #))", "[1..1000000]", '"a" + "b"', "amount", '"a" \\"'])
def test_an_answer_is_said_and_not_worked_out(folder: Path, cell: str) -> None:
    rewrite(folder, lambda table: rule(table, "customer-sum").update({"out-why": cell}))
    assert refusal(folder)[:2] == ("approvals.jdm.json", "route.customer-sum: Why")


def test_two_rows_of_one_id_are_refused_for_one_would_hide_the_other(folder: Path) -> None:
    rewrite(folder, lambda table: rule(table, "other-reason").update(_id="fraud"))
    assert refusal(folder)[:2] == ("approvals.jdm.json", "route.fraud")


@pytest.mark.parametrize(("column", "name"), [("inputs", "Amount "), ("inputs", "Related"), ("outputs", "Answer")])
def test_a_columns_name_is_its_fields(folder: Path, column: str, name: str) -> None:
    rewrite(folder, lambda table: table["nodes"][1]["content"][column][1].update(name=name))
    assert refusal(folder)[:2] == ("approvals.jdm.json", f"route.no-exchange-rate: {name}")


@pytest.mark.parametrize("field", ["reason", "related", "authority", "customer_all"])
def test_a_column_that_reads_another_field_under_its_name_is_refused(folder: Path, field: str) -> None:
    rewrite(folder, lambda table: table["nodes"][1]["content"]["inputs"][1].update(field=field))
    assert refusal(folder)[1] == "route.no-exchange-rate: Amount"


@pytest.mark.parametrize(
    ("name", "value"),
    [("hitPolicy", "collect"), ("executionMode", "loop"), ("inputField", "limits"), ("outputPath", "x")],
)
def test_a_table_is_gone_through_as_it_is_shown(folder: Path, name: str, value: str) -> None:
    rewrite(folder, lambda table: table["nodes"][1]["content"].update({name: value}))
    assert refusal(folder)[:2] == ("approvals.jdm.json", f"route.{name}")


def test_a_column_over_something_a_request_does_not_have_is_refused(folder: Path) -> None:
    rewrite(folder, lambda table: table["nodes"][1]["content"]["inputs"][1].update(field="amuont"))
    file, field, says = refusal(folder)
    assert (file, field) == ("approvals.jdm.json", "route.no-exchange-rate: Amount")
    assert says == "amuont is nothing a request has"


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["nodes"][1]["content"]["rules"].pop(),
        lambda table: table["nodes"][2]["content"]["rules"].pop(),
        lambda table: rule(table, "within-authority").update({"out-route": '"nobody"'}),
        lambda table: table["nodes"].pop(2) and None,
        lambda table: table["edges"].clear(),
        lambda table: rule(table, "within-authority").update({"in-reason": '"goodwill"'}),
    ],
)
def test_a_table_that_has_no_answer_for_some_request_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    rewrite(folder, change)
    assert refusal(folder)[0] == "approvals.jdm.json"


@pytest.mark.parametrize("text", ["[]", "7", "{}", '{"nodes": 1}', '{"nodes": [1]}', '{"nodes": [{}]}'])
def test_a_file_that_is_no_decision_is_refused(folder: Path, text: str) -> None:
    (folder / "approvals.jdm.json").write_text(text)
    assert refusal(folder)[:2] == ("approvals.jdm.json", "nodes")


def test_a_fraction_is_refused_for_it_has_no_one_spelling_to_hash(folder: Path) -> None:
    rewrite(folder, lambda table: table["nodes"][1]["position"].update(x=60.5))
    assert refusal(folder)[:2] == ("approvals.jdm.json", "nodes.1.position.x")


def test_the_hash_follows_what_is_said_and_not_how_it_is_written(folder: Path) -> None:
    shipped = load_policy(SHIPPED)
    rewrite(folder, lambda _: None)
    edit(folder, "days = 30", "days   =   30 # a month")
    assert load_policy(folder).hash == shipped.hash
    edit(folder, "days   =   30", "days = 31")
    changed = load_policy(folder)
    assert changed.hash != shipped.hash
    rewrite(folder, lambda table: rule(table, "fraud").update({"_description": "Other words."}))
    assert load_policy(folder).hash not in {shipped.hash, changed.hash}


def test_a_changed_limit_changes_the_ruling(folder: Path) -> None:
    asked = Facts("credit", "goodwill", 40_000, 50_000, related=False, rate=RateState.SAME, sums=Sums())
    assert load_policy(folder).route(asked).rule == "within-authority"
    edit(folder, "customer_automatic = 1_000", "customer_automatic = 399")
    assert load_policy(folder).route(asked).rule == "customer-sum"
