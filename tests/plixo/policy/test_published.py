import hashlib
import json
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.facts import Facts, RateState, Sums
from plixo.domain.people import Group, Person
from plixo.domain.reasons import Reason
from plixo.policy.published import PolicyInvalid, PublishedPolicy, load_policy

FOLDER = Path(__file__).parents[3] / "policies"
POLICY = load_policy(FOLDER)

SUPPORT, ADMIN, CONTROLLER, LEGAL, CFO = (
    frozenset({group}) for group in (Group.SUPPORT, Group.BILLING_ADMIN, Group.CONTROLLER, Group.LEGAL, Group.CFO)
)
AUTOMATIC_REASONS = (
    "billing_error duplicate_charge pricing_error plan_change cancellation service_outage goodwill tax_correction "
    "uncollectible"
).split()
LEGAL_REASONS = ["contract_concession", "dispute"]
ALWAYS_LEGAL = ["legal_claim", "settlement", "insolvency"]


def minor(major: str) -> int:
    return int(Decimal(major.replace(",", "")) * 100)


def facts(
    reason: str,
    amount: str,
    groups: frozenset[Group] = ADMIN,
    *,
    related: bool = False,
    rate: RateState = RateState.SAME,
    before: Sums = Sums(),  # noqa: B008 - frozen
) -> Facts:
    who = Person("p", "P", "p@plixo.example", groups)
    return Facts("credit", reason, minor(amount), POLICY.authority(who, "credit"), related, rate, before)


def routed(reason: str, amount: str, groups: frozenset[Group] = ADMIN, **rest: Any) -> tuple[str, tuple[str, ...]]:
    path = POLICY.path(facts(reason, amount, groups, **rest), groups)
    return path.rule, path.describe()


AUTO = ("automatic",)
C = ("Controller",)
L = ("Legal",)
BOTH = ("Controller and Legal",)

BOUNDARIES: list[tuple[str, str, str, tuple[str, ...]]] = [
    *[
        row
        for reason in AUTOMATIC_REASONS
        for row in (
            (reason, "0.01", "within-authority", AUTO),
            (reason, "500.00", "within-authority", AUTO),
            (reason, "500.01", "above-authority", C),
            (reason, "5,000.00", "above-authority", C),
            (reason, "5,000.01", "above-authority", C),
            (reason, "25,000.00", "above-authority", C),
            (reason, "25,000.01", "above-controller", BOTH),
        )
    ],
    *[
        row
        for reason in LEGAL_REASONS
        for row in (
            (reason, "500.00", "within-authority", AUTO),
            (reason, "500.01", "legal-above-authority", L),
            (reason, "5,000.00", "legal-above-authority", L),
            (reason, "5,000.01", "above-legal", BOTH),
            (reason, "25,000.00", "above-legal", BOTH),
            (reason, "25,000.01", "above-controller", BOTH),
        )
    ],
    *[
        row
        for reason in ALWAYS_LEGAL
        for row in (
            (reason, "0.01", "legal-reason", L),
            (reason, "500.00", "legal-reason", L),
            (reason, "500.01", "legal-reason", L),
            (reason, "5,000.00", "legal-reason", L),
            (reason, "5,000.01", "above-legal", BOTH),
            (reason, "25,000.00", "above-legal", BOTH),
            (reason, "25,000.01", "above-controller", BOTH),
        )
    ],
    ("fraud", "0.01", "fraud", BOTH),
    ("fraud", "500.00", "fraud", BOTH),
    ("fraud", "25,000.01", "fraud", BOTH),
    ("other", "0.01", "other-reason", C),
    ("other", "500.00", "other-reason", C),
    ("other", "25,000.00", "other-reason", C),
    ("other", "25,000.01", "above-controller", BOTH),
]


@pytest.mark.parametrize(("reason", "amount", "rule", "path"), BOUNDARIES)
def test_a_billing_admins_credit_goes_to_whom_reason_and_amount_say(
    reason: str, amount: str, rule: str, path: tuple[str, ...]
) -> None:
    assert routed(reason, amount) == (rule, path)


def test_the_rows_above_name_every_reason() -> None:
    assert {row[0] for row in BOUNDARIES} == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_support_grants_nothing_alone(reason: Reason) -> None:
    assert routed(reason.value, "0.01", SUPPORT)[1] != AUTO


SUMS: list[tuple[str, Sums, str, tuple[str, ...]]] = [
    ("450.00", Sums(customer_automatic=minor("550.00")), "within-authority", AUTO),
    ("450.00", Sums(customer_automatic=minor("550.01")), "customer-sum", C),
    ("450.00", Sums(customer_automatic=minor("900.00")), "customer-sum", C),
    ("500.00", Sums(requester_automatic=minor("2,000.00")), "within-authority", AUTO),
    ("500.00", Sums(requester_automatic=minor("2,000.01")), "requester-sum", C),
    ("500.00", Sums(customer_all=minor("24,500.00")), "within-authority", AUTO),
    ("500.00", Sums(customer_all=minor("24,500.01")), "customer-total", BOTH),
    ("10,000.00", Sums(customer_all=minor("15,000.00")), "above-authority", C),
    ("10,000.00", Sums(customer_all=minor("15,000.01")), "customer-total", BOTH),
    ("10,000.00", Sums(customer_automatic=minor("900,000.00")), "above-authority", C),
    ("500.00", Sums(customer_automatic=minor("500.01"), requester_automatic=minor("2,000.01")), "customer-sum", C),
    ("500.00", Sums(company_day=minor("249,500.00")), "within-authority", AUTO),
    ("500.00", Sums(company_day=minor("249,500.01")), "within-authority", ("CFO",)),
    ("500.00", Sums(requester_day=minor("49,500.00")), "within-authority", AUTO),
    ("500.00", Sums(requester_day=minor("49,500.01")), "within-authority", ("CFO",)),
    ("20,000.00", Sums(requester_day=minor("30,000.00")), "above-authority", C),
    ("20,000.00", Sums(requester_day=minor("30,000.01")), "above-authority", (*C, "CFO")),
    ("20,000.00", Sums(company_day=minor("230,000.01")), "above-authority", (*C, "CFO")),
    ("30,000.00", Sums(company_day=minor("230,000.00")), "above-controller", (*BOTH, "CFO")),
    ("50,000.01", Sums(), "above-controller", (*BOTH, "CFO")),
    ("50,000.00", Sums(), "above-controller", BOTH),
]


@pytest.mark.parametrize(("amount", "before", "rule", "path"), SUMS)
def test_sums_and_ceilings_decide_to_the_cent(amount: str, before: Sums, rule: str, path: tuple[str, ...]) -> None:
    assert routed("goodwill", amount, before=before) == (rule, path)


def test_a_passed_ceiling_says_which() -> None:
    company = "The company's credits of today pass its daily ceiling, so the CFO must agree as well."
    requester = "The requester's credits of today pass the daily ceiling, so the CFO must agree as well."
    over = Sums(company_day=minor("250,000.00"), requester_day=minor("50,000.00"))
    assert POLICY.route(facts("goodwill", "1.00", before=over)).ceiling == company
    assert POLICY.route(facts("goodwill", "1.00", before=replace(over, company_day=0))).ceiling == requester
    assert POLICY.route(facts("goodwill", "1.00")).ceiling == ""


RELATED_AND_RATES: list[tuple[str, str, dict[str, Any], str, tuple[str, ...]]] = [
    ("goodwill", "100.00", {"related": True}, "related-customer", C),
    ("dispute", "100.00", {"related": True}, "related-customer", C),
    ("dispute", "500.01", {"related": True}, "legal-above-authority", L),
    ("fraud", "100.00", {"related": True}, "fraud", BOTH),
    ("goodwill", "100.00", {"rate": RateState.FRESH}, "within-authority", AUTO),
    ("goodwill", "100.00", {"rate": RateState.STALE}, "stale-exchange-rate", C),
    ("goodwill", "500.01", {"rate": RateState.STALE}, "above-authority", C),
    ("goodwill", "25,000.01", {"rate": RateState.STALE}, "above-controller", BOTH),
    ("settlement", "100.00", {"rate": RateState.STALE}, "legal-reason", L),
    ("goodwill", "0.01", {"rate": RateState.MISSING}, "no-exchange-rate", BOTH),
    ("settlement", "100.00", {"rate": RateState.MISSING}, "no-exchange-rate", BOTH),
    ("goodwill", "25,000.01", {"rate": RateState.MISSING}, "no-exchange-rate", BOTH),
]


@pytest.mark.parametrize(("reason", "amount", "rest", "rule", "path"), RELATED_AND_RATES)
def test_a_related_customer_or_an_old_or_missing_rate_is_never_automatic(
    reason: str, amount: str, rest: dict[str, Any], rule: str, path: tuple[str, ...]
) -> None:
    assert routed(reason, amount, **rest) == (rule, path)


OWN: list[tuple[frozenset[Group], str, str, tuple[str, ...]]] = [
    (CONTROLLER, "goodwill", "0.01", L),
    (CONTROLLER, "goodwill", "5,000.00", L),
    (CONTROLLER, "goodwill", "5,000.01", ("Legal and CFO",)),
    (CONTROLLER, "goodwill", "25,000.01", ("Legal and CFO",)),
    (CONTROLLER, "other", "100.00", L),
    (CONTROLLER, "dispute", "100.00", L),
    (CONTROLLER, "settlement", "5,000.01", ("Legal and CFO",)),
    (CONTROLLER, "fraud", "1.00", ("Legal and CFO",)),
    (LEGAL, "goodwill", "100.00", C),
    (LEGAL, "goodwill", "25,000.00", C),
    (LEGAL, "goodwill", "25,000.01", ("Controller and CFO",)),
    (LEGAL, "settlement", "5,000.00", C),
    (LEGAL, "settlement", "5,000.01", ("Controller and CFO",)),
    (LEGAL, "fraud", "1.00", ("Controller and CFO",)),
    (CFO, "goodwill", "100.00", C),
    (CFO, "settlement", "100.00", L),
    (CFO, "fraud", "1.00", BOTH),
    (CONTROLLER | LEGAL, "goodwill", "25,000.00", ("CFO",)),
    (CONTROLLER | LEGAL, "goodwill", "25,000.01", ("2 of CFO",)),
    (CONTROLLER | LEGAL, "settlement", "5,000.00", ("CFO",)),
    (CONTROLLER | LEGAL, "fraud", "1.00", ("2 of CFO",)),
]


@pytest.mark.parametrize(("groups", "reason", "amount", "path"), OWN)
def test_a_request_of_an_approvers_own_goes_to_somebody_else(
    groups: frozenset[Group], reason: str, amount: str, path: tuple[str, ...]
) -> None:
    assert routed(reason, amount, groups)[1] == path


any_facts = st.builds(
    Facts,
    kind=st.just("credit"),
    reason=st.sampled_from([reason.value for reason in Reason]),
    amount_minor=st.integers(1, 99_999_999) | st.sampled_from([50_000, 50_001, 500_001, 2_500_001]),
    authority_minor=st.sampled_from([0, 50_000]),
    related=st.booleans(),
    rate=st.sampled_from(RateState),
    sums=st.builds(Sums, *[st.sampled_from([0, 50_000, 200_000, 2_400_000, 24_900_000])] * 5),
)


@given(any_facts)
def test_what_is_automatic_breaks_no_limit_at_all(asked: Facts) -> None:
    automatic = POLICY.path(asked, ADMIN).automatic
    total = {name: getattr(asked.sums, name) + asked.amount_minor for name in Sums.__dataclass_fields__}
    allowed = (
        asked.reason in {*AUTOMATIC_REASONS, *LEGAL_REASONS}
        and asked.amount_minor <= asked.authority_minor
        and not asked.related
        and asked.rate in {RateState.SAME, RateState.FRESH}
        and total["customer_automatic"] <= minor("1,000")
        and total["requester_automatic"] <= minor("2,500")
        and total["customer_all"] <= minor("25,000")
        and total["company_day"] <= minor("250,000")
        and total["requester_day"] <= minor("50,000")
    )
    assert automatic == allowed


@given(any_facts, st.integers(1, 10_000_000))
def test_more_money_never_needs_fewer_people(asked: Facts, more: int) -> None:
    def seats(asked: Facts) -> int:
        return sum(len(stage.seats) for stage in POLICY.path(asked, ADMIN).stages)

    assert seats(replace(asked, amount_minor=asked.amount_minor + more)) >= seats(asked)


def test_a_ruling_explains_itself_by_its_rule() -> None:
    words = {rule.rule: rule.words for rule in POLICY.rules()}
    for reason, amount, rule, _ in BOUNDARIES:
        ruling = POLICY.route(facts(reason, amount))
        assert (ruling.rule, ruling.why) == (rule, words[rule])


def test_limits_are_in_minor_units_of_the_base_currency() -> None:
    limits = POLICY.limits("credit")
    assert (limits.controller_alone, limits.legal_alone) == (2_500_000, 500_000)
    assert {group.value: (c.due_hours, c.remind_hours, c.expire_hours) for group, c in limits.clocks.items()} == {
        "controller": (8, (4, 7), 40),
        "legal": (16, (8, 14), 80),
        "cfo": (16, (8, 14), 80),
    }
    assert {group.value: [(one.hours, one.to) for one in c.escalations] for group, c in limits.clocks.items()} == {
        "controller": [(8, "delegate"), (16, "cfo")],
        "legal": [(16, "delegate"), (32, "cfo")],
        "cfo": [],
    }
    assert {(c.remind_every, c.office) for c in limits.clocks.values()} == {(0, "Mon-Fri 09:00-17:00 UTC")}
    assert POLICY.fresh_sign_in_above == 1_000_000
    assert (POLICY.fresh_sign_in_minutes, POLICY.rate_days, POLICY.sum_days) == (15, 7, 30)
    assert POLICY.base_currency == "USD"


def test_authority_is_the_groups_lowered_by_the_persons_own() -> None:
    admin = Person("p", "P", "p@plixo.example", ADMIN, {"credit": 12_345})
    assert POLICY.authority(admin, "credit") == 12_345
    assert POLICY.authority(replace(admin, limits={}), "credit") == 50_000
    assert POLICY.authority(replace(admin, groups=CONTROLLER), "credit") == 0
    assert POLICY.authority(replace(admin, limits={}), "refund") == 0


def test_the_hash_is_over_what_both_files_say() -> None:
    said = {
        "limits": tomllib.loads((FOLDER / "limits.toml").read_text()),
        "table": json.loads((FOLDER / "approvals.jdm.json").read_text()),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert POLICY.content == text
    assert POLICY.hash == hashlib.sha256(text.encode()).hexdigest()
    assert load_policy(FOLDER, 3).reference == f"3@{POLICY.hash[:12]}"
    assert POLICY.version == 1


def test_a_policy_reads_back_from_the_database_and_rules_the_same() -> None:
    again = PublishedPolicy.from_content(POLICY.content, 1)
    assert again == POLICY
    assert again.route(facts("dispute", "600.00")) == POLICY.route(facts("dispute", "600.00"))
    assert PublishedPolicy.from_content(POLICY.content, 2).reference.startswith("2@")


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"limits": {}}', '{"table": {}}'])
def test_content_that_is_no_policy_is_refused(content: str) -> None:
    with pytest.raises(PolicyInvalid, match=r"^content: must be the JSON of a policy's limits and table$"):
        PublishedPolicy.from_content(content, 1)


def test_a_kind_without_limits_is_refused() -> None:
    for ask in (
        lambda: POLICY.limits("refund"),
        lambda: POLICY.route(replace(facts("goodwill", "1.00"), kind="refund")),
    ):
        with pytest.raises(PolicyInvalid) as caught:
            ask()
        assert (caught.value.file, caught.value.field) == ("limits.toml", "approve.refund")


def test_a_reason_that_the_table_does_not_know_is_never_automatic() -> None:
    with pytest.raises(PolicyInvalid, match=r"^approvals.jdm.json: gives no answer for reason because"):
        POLICY.route(facts("because", "1.00"))
    assert routed("because", "500.01") == ("above-authority", C)


def test_rules_are_shown_with_their_conditions() -> None:
    rules = {rule: (words, conditions) for rule, words, conditions, _ in POLICY.rules()}
    assert next(iter(rules)) == "no-exchange-rate"
    assert rules["fraud"] == ("Fraud is always decided by Controller and Legal together.", "Reason is fraud")
    assert rules["legal-above-authority"] == (
        "The amount is above the requester's own authority, and the reason is Legal's.",
        "Reason one of contract_concession, dispute; Amount > authority",
    )
    assert rules["below"][0] == "Today's credits are within the daily ceilings."
    assert len(rules) == 17


def test_the_engine_is_made_when_the_first_question_is_asked() -> None:
    fresh = PublishedPolicy.from_content(POLICY.content, 1)
    fresh.limits("credit")
    assert "_engine" not in vars(fresh)
    fresh.route(facts("goodwill", "1.00"))
    assert "_engine" in vars(fresh)
