"""One of many: it says so beside the signed request, and has its turn after others."""

from dataclasses import replace
from typing import Any, cast

import pytest
from temporalio.client import Client, OutboundInterceptor, StartWorkflowInput
from temporalio.common import Priority

from plixo.domain.credit import CreditForm
from plixo.ports import Record
from plixo.store import outbox
from plixo.temporal.fairness import WithoutFairnessKeys
from starters.credits import request_credit
from starters.workflows import ensure_started, priority
from tests.support.desk import Office, away, later
from workers.sweeper import Sweeper

FORM = CreditForm("cus_ExampleLogistics", "4200.00", "USD", "goodwill", "one-of-many")


async def ask(office: Office) -> Record:
    asked = await request_credit(office.desk, office.rows.people["billing_admin"], FORM, bulk=True)
    return asked.record


async def test_it_is_kept_with_the_request_and_is_no_part_of_what_is_signed(either_office: Office) -> None:
    record = await ask(either_office)
    assert (await either_office.rows.record(record.approval.approval_id)).bulk
    body = either_office.rows.verifier.verify(record.signed, "request", now=either_office.rows.clock())
    assert "bulk" not in str(body)
    assert not (await either_office.ask()).record.bulk


async def test_asked_again_by_itself_it_stays_the_same_request(office: Office) -> None:
    record = await ask(office)
    again = await request_credit(office.desk, office.rows.people["billing_admin"], FORM)
    assert (again.created, again.record.approval.approval_id) == (False, record.approval.approval_id)
    assert again.record.bulk


async def test_its_mails_are_of_many_too(office: Office) -> None:
    await ask(office)
    await office.ask()
    async with office.rows.ledger.begin() as tx:
        letters = await outbox.lease(tx.session, later(office, minutes=1)(), later(office)() - office.rows.clock())
    assert [letter.bulk for letter in letters] == [False, True]


async def test_one_of_many_starts_after_others_and_each_customer_has_a_turn(office: Office) -> None:
    record = await ask(office)
    single = (await office.ask()).record
    many, one = priority(record), priority(single)
    assert (many.priority_key or 0) > (one.priority_key or 0)
    assert many.fairness_key == one.fairness_key != priority(other(record, "cus_ExampleFoods")).fairness_key


async def test_the_key_tells_nothing_and_is_never_longer_than_the_server_takes(office: Office) -> None:
    record = await ask(office)
    for customer in ("cus_ExampleLogistics", "cus_" + "x" * 96):
        key = priority(other(record, customer)).fairness_key or ""
        assert 0 < len(key.encode()) <= 64
        assert customer not in key


def other(record: Record, customer_id: str) -> Record:
    return replace(record, change=replace(record.change, customer_id=customer_id))


class Watched(Client):
    """Remembers with which priority a workflow was started."""

    def __init__(self) -> None:
        self.seen: list[Priority] = []

    async def start_workflow(self, *_: Any, **how: Any) -> Any:
        self.seen.append(how["priority"])


async def test_the_sweeper_starts_it_with_the_same_priority(office: Office) -> None:
    office.temporal.starting = away()
    record = await ask(office)
    watched = Watched()
    assert await Sweeper(office.rows.ledger, watched, later(office, minutes=1)).sweep() == 1
    assert await ensure_started(watched, record)
    assert watched.seen == [priority(record)] * 2


class Last(OutboundInterceptor):
    """Where starts go."""

    def __init__(self) -> None:
        self.seen: list[Priority] = []

    async def start_workflow(self, input: StartWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
        self.seen.append(input.priority)


@pytest.mark.parametrize("given", [Priority(4, "cus_1", 2.0), Priority(3), Priority()])
async def test_where_fairness_keys_are_billed_the_priority_stays_alone(given: Priority) -> None:
    last = Last()
    start = cast("StartWorkflowInput", type("Start", (), {"priority": given})())
    await WithoutFairnessKeys().intercept_client(last).start_workflow(start)
    assert last.seen == [Priority(given.priority_key)]
