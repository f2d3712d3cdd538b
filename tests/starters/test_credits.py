"""Asking for a credit: once for its request id, within what the invoice still has, and within the sums."""

from dataclasses import replace

import pytest
from temporalio.service import RPCStatusCode

from plixo.domain.approval import State
from plixo.domain.credit import CreditForm
from plixo.domain.people import Group
from plixo.domain.refusals import Conflict, NotAllowed, Refused
from starters.credits import Asked, preview_credit
from starters.workflows import AWAY
from tests.support.desk import Office, away, later, together
from tests.support.rows import INVOICE, facts
from workers.sweeper import Sweeper


async def test_asked_again_in_the_same_words_it_is_the_same_request(either_office: Office) -> None:
    office = either_office
    answers = await together(*(office.ask(request_id="mine") for _ in range(6)))
    assert len({answer.record.approval.approval_id for answer in answers}) == 1
    assert [answer.created for answer in answers].count(True) == 1
    approval_id = answers[0].record.approval.approval_id
    assert (await office.rows.events(approval_id)).count("requested") == 1
    assert office.temporal.started == [f"credit/{approval_id}"]


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "4200.01"},
        {"reason": "goodwill"},
        {"note": "Other words."},
        {"memo": "For the customer"},
        {"invoice": INVOICE},
        {"customer": "cus_ExampleFoods"},
    ],
)
async def test_the_same_id_for_something_else_is_a_conflict_and_changes_nothing(
    office: Office, other: dict[str, str]
) -> None:
    first = await office.ask(request_id="mine")
    with pytest.raises(Conflict) as caught:
        await office.ask(**{"request_id": "mine", **other})
    assert caught.value.code == "request_id_reused"
    assert first.record.approval.approval_id in str(caught.value)
    assert (await office.rows.record(first.record.approval.approval_id)).change == first.record.change


async def test_the_same_id_of_another_person_is_another_request(office: Office) -> None:
    mine, theirs = await office.ask(request_id="r"), await office.ask(role="support", request_id="r")
    assert mine.record.approval.approval_id != theirs.record.approval.approval_id
    assert theirs.created


async def test_asked_again_after_the_invoice_was_voided_it_still_answers_with_the_same_request(office: Office) -> None:
    first = await office.ask(invoice=INVOICE, request_id="mine")
    office.stripe.says = None
    again = await office.ask(invoice=INVOICE, request_id="mine")
    assert (again.created, again.record.approval.approval_id) == (False, first.record.approval.approval_id)


async def test_what_others_ask_of_the_invoice_is_spoken_for(either_office: Office) -> None:
    office = either_office
    await office.ask("10000.00", invoice=INVOICE)
    with pytest.raises(Refused) as caught:
        await office.ask("2600.01", role="controller", invoice=INVOICE)
    assert caught.value.code == "amount_above_creditable"
    assert "at most 2,600.00 USD is left" in str(caught.value)
    assert (await office.ask("2600.00", role="controller", invoice=INVOICE)).created


async def test_requests_at_once_never_ask_for_more_than_the_invoice_has(either_office: Office) -> None:
    asked = await together(*(either_office.ask("4200.00", invoice=INVOICE) for _ in range(5)))
    assert sum(isinstance(one, Asked) for one in asked) == 3
    assert {one.code for one in asked if isinstance(one, Refused)} == {"amount_above_creditable"}


async def test_what_was_rejected_is_free_again(office: Office) -> None:
    approval_id = await office.asked("12600.00", invoice=INVOICE)
    await office.decide(approval_id, verdict="reject")
    assert (await office.ask("12600.00", invoice=INVOICE)).created


async def test_what_others_ask_counts_in_the_preview_too(office: Office) -> None:
    await office.ask("12600.00", invoice=INVOICE)
    form = CreditForm("cus_ExampleLogistics", "1.00", "USD", "goodwill", "p-1", INVOICE)
    with pytest.raises(Refused) as caught:
        await preview_credit(office.desk, office.rows.people["billing_admin"], form)
    assert caught.value.code == "amount_above_creditable"


async def test_two_automatic_credits_at_once_cannot_both_slip_under_the_limit(either_office: Office) -> None:
    """1,000 a customer over 30 days: of five of 300.00 three are automatic."""
    asked = await together(
        *(either_office.ask("300.00", reason="duplicate_charge", customer="cus_ExampleFoods") for _ in range(5)),
    )
    assert sum(one.record.approval.path.automatic for one in asked) == 3


async def test_a_refused_request_keeps_nothing_and_starts_nothing(office: Office) -> None:
    for wrong in ({"customer": "cus_Nobody"}, {"invoice": "in_Nothing"}, {"amount": "-1"}, {"currency": "EUR"}):
        with pytest.raises(Refused):
            await office.ask(**{"request_id": "mine", "invoice": INVOICE, **wrong})
    assert office.temporal.started == []
    assert (await office.ask(request_id="mine")).created


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"customer": "cus_Nobody", "invoice": "in_Nothing"}, "customer_unknown"),
        ({"customer": "cus_Nobody"}, "customer_unknown"),
        ({"invoice": "in_Nothing"}, "invoice_unknown"),
        ({"customer": "cus_ExampleFoods"}, "invoice_of_another"),
    ],
)
async def test_what_is_wrong_with_customer_and_invoice_is_told_apart(
    office: Office, wrong: dict[str, str], code: str
) -> None:
    with pytest.raises(Refused) as caught:
        await office.ask(**{"invoice": INVOICE, **wrong})
    assert caught.value.code == code


async def test_an_invoice_is_read_once_and_its_customer_comes_with_it(office: Office) -> None:
    await office.ask(invoice=INVOICE)
    assert office.stripe.read == [INVOICE]


@pytest.mark.parametrize("role", ["finance", "operator", "administrator"])
async def test_who_does_not_bill_cannot_ask(office: Office, role: str) -> None:
    with pytest.raises(NotAllowed):
        await office.ask(role=role)


async def test_who_left_cannot_ask(office: Office) -> None:
    await office.rows.change_person("billing_admin", active=False)
    with pytest.raises(NotAllowed):
        await office.ask()


@pytest.mark.parametrize("status", sorted(AWAY))
async def test_asked_while_temporal_is_away_it_is_kept_and_the_sweeper_starts_it(
    office: Office, status: RPCStatusCode
) -> None:
    office.temporal.starting = away(status)
    asked = await office.ask()
    assert (asked.created, asked.started) == (True, False)
    approval_id = asked.record.approval.approval_id
    assert await office.rows.state(approval_id) is State.ROUTING
    office.temporal.starting = None
    ledger, temporal = office.rows.ledger, office.desk.temporal
    assert await Sweeper(ledger, temporal, office.rows.clock).sweep() == 0, "the console itself has a moment first"
    assert await Sweeper(ledger, temporal, later(office, minutes=1)).sweep() == 1
    assert await office.rows.state(approval_id) is State.WAITING


async def test_asked_again_while_it_was_not_started_it_is_started(office: Office) -> None:
    office.temporal.starting = away()
    assert not (await office.ask(request_id="mine")).started
    office.temporal.starting = None
    again = await office.ask(request_id="mine")
    assert (again.created, again.started) == (False, True)


async def test_the_row_and_what_was_signed_are_the_same(office: Office) -> None:
    asked = await office.ask(invoice=INVOICE, memo="Sorry")
    body = office.rows.verifier.verify(asked.record.signed, "request", now=office.rows.clock())
    assert body["change"] == asked.record.change.to_claims()
    assert body["path"] == asked.record.approval.path.to_claims()
    assert (body["digest"], body["requester_id"]) == (asked.record.approval.digest, "p-billing-admin")


async def test_a_request_signed_too_long_ago_cannot_be_decided_on_and_can_be_asked_anew(office: Office) -> None:
    office.temporal.starting = away()
    asked = await office.ask(request_id="old")
    office.rows.clock.forward(days=8)
    office.temporal.starting = None
    await office.ask(request_id="old")
    assert await office.rows.state(asked.record.approval.approval_id) is State.RETURNED
    assert (await office.ask(request_id="new")).created


async def test_the_preview_names_who_could_decide_and_keeps_nothing(office: Office) -> None:
    second = replace(office.rows.people["controller"], person_id="p-second", email="second@plixo.example")
    await office.rows.add_person(second)
    form = CreditForm("cus_ExampleLogistics", "4200.00", "USD", "service_outage", "p-1", INVOICE)
    seen = await preview_credit(office.desk, office.rows.people["billing_admin"], form)
    assert [[person.person_id for person in stage] for stage in seen.deciders] == [["p-controller", "p-second"]]
    assert (seen.path.describe(), seen.nobody, seen.duplicates) == (("Controller",), (), ())
    assert office.temporal.started == []


async def test_the_preview_says_who_decides_in_an_empty_groups_place_and_who_could_not(office: Office) -> None:
    await office.rows.change_person("controller", related_customers=frozenset({"cus_ExampleLogistics"}))
    form = CreditForm("cus_ExampleLogistics", "4200.00", "USD", "service_outage", "p-1", INVOICE)
    seen = await preview_credit(office.desk, office.rows.people["billing_admin"], form)
    assert [[person.person_id for person in stage] for stage in seen.deciders] == [["p-cfo"]]
    assert (seen.path.describe(), seen.nobody, seen.too_few) == (("Controller",), (), ())
    assert seen.remarks == (
        "Controller of Controller could not: is related to the customer.",
        "Nobody of Controller could decide, so CFO decides in its place.",
    )


async def test_the_preview_says_where_nobody_could_decide(office: Office) -> None:
    for role in ("controller", "cfo"):
        await office.rows.change_person(role, groups=frozenset({Group.FINANCE}))
    form = CreditForm("cus_ExampleLogistics", "4200.00", "USD", "service_outage", "p-1", INVOICE)
    seen = await preview_credit(office.desk, office.rows.people["billing_admin"], form)
    assert (seen.deciders, seen.nobody) == (((),), (Group.CONTROLLER,))
    assert (seen.too_few, seen.remarks) == ((), ())


async def test_a_likely_duplicate_of_the_last_thirty_days_is_shown_before_it_is_asked(office: Office) -> None:
    first = await office.asked("100.00", invoice=INVOICE)
    form = CreditForm("cus_ExampleLogistics", "200.00", "USD", "goodwill", "p-1", INVOICE)
    person = office.rows.people["controller"]
    seen = await preview_credit(office.desk, person, form)
    assert [twin.approval.approval_id for twin in seen.duplicates] == [first]
    office.rows.clock.forward(days=30, seconds=1)
    assert (await preview_credit(office.desk, person, form)).duplicates == ()


async def test_stripes_bound_is_read_anew_for_each_request(office: Office) -> None:
    office.stripe.says = facts(100)
    with pytest.raises(Refused) as caught:
        await office.ask("1.01", invoice=INVOICE)
    assert caught.value.code == "amount_above_creditable"
